"""What the names in a pickle of PyTorch mean: storages, tensors, and the classes and functions that may stand beside them.

A tensor is a window on a storage, and a storage is bytes outside the pickle. Both are only described here; `to_array` reads the
bytes, after it has compared what the window claims with what is there.
"""

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from sr_jax.weights.torch.pickles import CallError, Name, Node, Outside, PickleError, put

DTYPES: dict[str, Any] = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": jnp.bfloat16,
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint64": np.uint64,
    "uint32": np.uint32,
    "uint16": np.uint16,
    "uint8": np.uint8,
    "bool": np.bool_,
    "complex64": np.complex64,
    "complex128": np.complex128,
}
"""The types of PyTorch that NumPy has, by PyTorch's names."""

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
"""PyTorch's classes of storages, and the types of their elements."""

MOST_AXES = 32
LARGEST = 2**48
"""The largest number that describes a tensor."""


class Storage(Outside):
    """Elements outside the pickle."""

    __slots__ = ("dtype", "key", "size", "start")

    def __init__(self, key: str, dtype: str, *, size: int, start: int = 0):
        self.key, self.dtype = key, dtype
        self.size = size
        """Elements that it is said to have."""
        self.start = start
        """The first of them, among those that are stored under its key."""


class Window(NamedTuple):
    """Which elements of a storage a tensor has."""

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Tensor(Outside):
    """A tensor."""

    __slots__ = ("dtype", "storage", "window")

    def __init__(self, storage: Storage, dtype: str, window: Window):
        self.storage, self.dtype, self.window = storage, dtype, window


class OddTensor(Outside):
    """A tensor that is not dense, or whose type NumPy lacks."""

    __slots__ = ("why",)

    def __init__(self, why: str):
        self.why = why


def to_array(tensor: Tensor, data: bytes | memoryview, *, most: int) -> np.ndarray:
    """Returns the tensor's values, which are not copied.

    Args:
      data: what is stored under the key of its storage.
      most: bytes that it may have. It can claim more than is stored, if it repeats its values.

    Raises:
      PickleError: if it has more, or reaches beyond its storage.
    """
    offset, shape, strides = tensor.window
    dtype = np.dtype(DTYPES[tensor.dtype])
    if (needed := math.prod(shape) * dtype.itemsize) > most:
        raise PickleError(f"{shape} takes {needed:,} bytes; at most {most:,} are read for this network")
    stored = np.dtype(DTYPES[tensor.storage.dtype]).itemsize
    first, end = tensor.storage.start * stored, (tensor.storage.start + tensor.storage.size) * stored
    if end > len(data):
        raise PickleError(f"its storage takes {end:,} bytes, but has {len(data):,}; the file is cut short or damaged")
    if 0 in shape:
        return np.zeros(shape, dtype)
    reach = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
    if first + reach * dtype.itemsize > end:
        raise PickleError(f"{shape} reaches {reach:,} elements into a storage of {(end - first) // dtype.itemsize:,}")
    values = np.frombuffer(data, dtype, count=reach - offset, offset=first + offset * dtype.itemsize)
    return np.lib.stride_tricks.as_strided(values, shape, [stride * dtype.itemsize for stride in strides], writeable=False)


def call(name: Name, arguments: tuple[Any, ...]) -> Any:
    """Returns what a call in a pickle makes: a tensor, a dict, or a `Node`. No code is run.

    Raises:
      CallError: if it is a call of Python's, NumPy's or PyTorch's own that has no place among weights.
      PickleError: if its arguments are wrong.
    """
    if known := KNOWN.get(name):
        try:
            return known(*arguments)
        except TypeError:  # there are too many arguments, or too few
            raise PickleError(f"it calls {name} with {len(arguments)} arguments") from None
    if name.module.startswith("torch._utils") and "tensor" in name.name:
        return OddTensor(f"made by {name}")
    root = name.module.partition(".")[0]
    if root in OWN and name not in HARMLESS and not name.module.startswith(HARMLESS_MODULES):
        raise CallError(str(name))
    return Node(name, arguments)


def storage_type(value: Any) -> str:
    """The type of the elements of a class of storages."""
    name = value.name if isinstance(value, Name) else ""
    if name not in STORAGES:
        raise PickleError(f"it has a storage of the type {value if name else type(value).__name__}")
    return STORAGES[name]


def whole(value: Any) -> int:
    """A number that describes a tensor."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise PickleError("it describes a tensor by what is not a whole number, or is negative or too large")
    return value


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any, dtype: str = "") -> Any:
    """`_rebuild_tensor`, `_rebuild_tensor_v2`: what follows is whether it has gradients, and hooks."""
    if not isinstance(storage, Storage):
        raise PickleError("it makes a tensor without a storage")
    if not (isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides) <= MOST_AXES):
        raise PickleError("it makes a tensor whose shape and strides are not of one length")
    window = Window(whole(offset), tuple(map(whole, shape)), tuple(map(whole, strides)))
    return Tensor(storage, dtype or storage.dtype, window)


def _tensor_v3(storage: Any, offset: Any, shape: Any, strides: Any, gradient: Any, hooks: Any, dtype: Any, *_: Any) -> Any:
    """`_rebuild_tensor_v3`: the storage has bytes."""
    name = dtype.name if isinstance(dtype, Name) else ""
    if name not in DTYPES:
        return OddTensor(f"of the type {dtype if name else '?'}")
    return _tensor(storage, offset, shape, strides, gradient, hooks, dtype=name)


def _first(value: Any = None, *_: Any) -> Any:
    """A parameter is its tensor."""
    return value


def _typed(function: Any, _kind: Any, arguments: Any, _state: Any) -> Any:
    """`_rebuild_from_type_v2`: a tensor of a derived class."""
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise PickleError("it makes a tensor without a function")
    if KNOWN.get(function) is _typed:
        raise PickleError("it makes a tensor by itself")
    return call(function, arguments)


def _dict(items: Any = (), *_: Any) -> dict[Any, Any]:
    """Python 2 gives the items to the class, Python 3 puts them in afterwards."""
    pairs = items if isinstance(items, list | tuple) else []
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise PickleError("it makes a dict of what is not pairs")
    made: dict[Any, Any] = {}
    put(made, pairs)
    return made


def _set(members: Any = (), *_: Any) -> Node:
    """Before protocol 4 a set is a call with a list."""
    made = Node(Name("builtins", "set"))
    made.elements = list(members) if isinstance(members, list | tuple) else []
    return made


def _reconstructed(kind: Any, *_: Any) -> Any:
    """`copyreg._reconstructor`, `__newobj__`: an object of a class."""
    if not isinstance(kind, Name):
        raise PickleError("it makes an object without a class")
    if KNOWN.get(kind) is _reconstructed:
        raise PickleError("it makes an object by itself")
    return call(kind, ())


KNOWN: dict[Name, Callable[..., Any]] = {
    Name("torch._utils", "_rebuild_tensor"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    Name("torch._utils", "_rebuild_parameter"): _first,
    Name("torch._utils", "_rebuild_parameter_with_state"): _first,
    Name("torch._tensor", "_rebuild_from_type_v2"): _typed,
    Name("torch.nn.parameter", "Parameter"): _first,
    Name("torch.nn.parameter", "Buffer"): _first,
    Name("torch.autograd.variable", "Variable"): _first,
    Name("collections", "OrderedDict"): _dict,
    Name("collections", "defaultdict"): lambda *_: {},
    Name("builtins", "set"): _set,
    Name("builtins", "frozenset"): _set,
    Name("copyreg", "_reconstructor"): _reconstructed,
    Name("copyreg", "__newobj__"): _reconstructed,
    Name("copyreg", "__newobj_ex__"): _reconstructed,
}
"""Calls whose results matter."""

OWN = {*sys.stdlib_module_names, *("commands", "cPickle", "popen2", "urllib2"), "numpy", "torch"}
"""Software whose functions are known. Of all other software, such as an author's own classes, any object may be in a file."""

HARMLESS_MODULES = ("torch.nn.", "torch.optim.", "torch.autograd.", "torch.distributed.", "torch.cuda.", "torch.utils.data.")
"""Where modules, optimisers and what they hold come from."""

HARMLESS = {
    *(Name("builtins", name) for name in ("list", "dict", "tuple", "object", "int", "float", "bool")),
    *(Name("builtins", name) for name in ("str", "bytes", "bytearray", "complex", "slice", "range")),
    *(Name("collections", name) for name in ("Counter", "deque", "ChainMap")),
    *(Name("datetime", name) for name in ("datetime", "date", "time", "timedelta", "timezone")),
    *(Name("pathlib", name) for name in ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")),
    *(Name("pathlib._local", name) for name in ("Path", "PosixPath", "WindowsPath")),
    *(Name("torch", name) for name in ("Size", "device", "dtype", "Generator", "layout", "memory_format")),
    *(Name(f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")),
    Name("numpy", "dtype"),
    Name("argparse", "Namespace"),
    Name("types", "SimpleNamespace"),
    Name("functools", "partial"),
    Name("uuid", "UUID"),
    Name("decimal", "Decimal"),
    Name("fractions", "Fraction"),
    Name("_codecs", "encode"),
    Name("torch.serialization", "_get_layout"),
}
"""Calls of the software above that often stand beside weights, such as the options of a run or a NumPy number."""
