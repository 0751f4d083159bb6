"""Reads what `torch.save` wrote, without PyTorch: state dicts, checkpoints around them, and whole pickled modules.

There are two formats. Since PyTorch 1.6 a file is a zip archive with a pickle, `data.pkl`, and a member for each storage. In
the older format it is a row of pickles, with the storages behind them. Nothing in a file is executed (`pickles.py`).

Source: `torch/serialization.py` of PyTorch 0.3 to 2.13.
"""

import io
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sr_jax.errors import InputError
from sr_jax.system.archives import ZIP, read_zip
from sr_jax.weights.torch.pickles import CallError, Meaning, Name, Node, PickleError, mapping, read_pickle, shown
from sr_jax.weights.torch.tensors import DTYPES, OddTensor, Storage, Tensor, call, storage_type, to_array, whole

Stored = Callable[[str], bytes | memoryview]
"""Returns what is stored under the key of a storage."""

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
"""How a file of the older format begins."""
MAX_DEPTH = 20
"""Dicts within dicts."""
MAX_MODULES = 100
"""Modules within modules."""
MOST_TENSORS = 100_000
"""Tensors and modules of one module. A module may be in many others, so that a small file names more than this."""
MOST_NAME = 1000
"""Characters of a parameter's name."""

PICKLE = "data.pkl"
"""The member of an archive that is a pickle."""
PROGRAM = "constants.pkl"
"""The member that only programs have."""


class ModuleState(dict[str, Any]):
    """The state dict of a whole pickled module."""

    def __init__(self, kind: str, tensors: Mapping[str, Any]):
        super().__init__(tensors)
        self.kind = kind
        """The name of its class."""


def read_checkpoint(path: Path, data: bytes, *, most: int) -> Any:
    """Reads a file of `torch.save`. Tensors become arrays, modules their state dicts, and other objects `Node`.

    Args:
      path: the file's name, for error messages.
      most: bytes that the file may unpack to, and that a tensor may have.

    Raises:
      InputError: if it is damaged or larger than `most`, or asks for a function that has no place among weights.
    """
    try:
        if data.startswith(ZIP):
            content, stored = _read_archive(path, data, most=most)
        else:
            content, stored = _read_older(data)
        return _Converter(path, stored, most=most).convert(content, name="", depth=0)
    except CallError as error:
        numbers = str(error).startswith("numpy.")
        what = "NumPy arrays beside its tensors" if numbers else "more than numbers"
        raise InputError(f"{path} holds {what}: it asks for {error}. Nothing of it was run. {_ADVICE}") from None
    except PickleError as error:
        raise InputError(f"{path} was not written by torch.save, or is cut short ({error})") from None


def _joined(prefix: str, name: str) -> str:
    full = f"{prefix}.{name}" if prefix else name
    if len(full) > MOST_NAME:
        raise PickleError(f"it has a tensor whose name is longer than {MOST_NAME} characters")
    return full


def _is_module(value: Any) -> bool:
    state = value.state if isinstance(value, Node) else None
    return isinstance(state, dict) and all(isinstance(state.get(group), dict) for group in ("_parameters", "_modules"))


def _named(module: Node, group: str) -> dict[str, Any]:
    """What a module has of a group, such as `_parameters`. A bias that it lacks is None there."""
    members = module.state.get(group)
    items = members.items() if isinstance(members, dict) else ()
    return {name: value for name, value in items if isinstance(name, str) and value is not None}


def _read_archive(path: Path, data: bytes, *, most: int) -> tuple[Any, Stored]:
    """The content of the newer format, and what is stored under each key."""
    try:
        members = read_zip(path, data, most=most)
    except InputError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and its decompressors raise anything
        raise PickleError(shown(f"{type(error).__name__}: {error}")) from None
    names = [name for name in members if name.rpartition("/")[2] == PICKLE and name.count("/") <= 1]
    if any(name.rpartition("/")[2] == PROGRAM for name in members):
        raise InputError(f"{path} is a TorchScript program, not weights. Nothing of it was run. {_ADVICE}")
    if len(names) != 1:
        raise PickleError(f"the archive has {len(names)} members {PICKLE}")
    root = names[0].removesuffix(PICKLE)
    if (order := members.get(f"{root}byteorder", b"little").strip()) != b"little":
        raise PickleError(f"its bytes are in the order {shown(order.decode('latin-1'))}; only little is read")

    def persistent(value: Any) -> Storage:
        match value:
            case ("storage", kind, str(key), _, size):
                return Storage(key, storage_type(kind), size=whole(size))
        raise PickleError("it refers to something else than storages")

    def stored(key: str) -> bytes | memoryview:
        if (name := f"{root}data/{key}") not in members:
            raise PickleError(f"it lacks the storage {shown(key)}")
        return members[name]

    return read_pickle(io.BytesIO(members[names[0]]), Meaning(call, persistent)), stored


def _read_older(data: bytes) -> tuple[Any, Stored]:
    """The content of the older format, and what is stored under each key."""
    file, plain = io.BytesIO(data), Meaning(call, None)
    if read_pickle(file, plain) != MAGIC:
        raise PickleError("it does not begin as a file of torch.save does")
    if (protocol := read_pickle(file, plain)) != PROTOCOL:
        raise PickleError(f"its protocol is {shown(str(protocol)) if type(protocol) is int else '?'}, not {PROTOCOL}")
    system = read_pickle(file, plain)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise PickleError("its bytes are not in the order little-endian")
    types: dict[str, str] = {}

    def persistent(value: Any) -> Any:
        match value:
            case ("module", Name() as kind, _, _):  # with the file and the text of its source, for people
                return kind
            case ("storage", kind, str(key), _, size, view):
                if types.setdefault(key, storage_type(kind)) != storage_type(kind):
                    raise PickleError(f"it has the storage {shown(key)} in two types")
                match view:
                    case None:
                        return Storage(key, types[key], size=whole(size))
                    case (_, start, length):
                        return Storage(key, types[key], size=whole(length), start=whole(start))
        raise PickleError("it refers to something else than storages and classes")

    content = read_pickle(file, Meaning(call, persistent))
    keys = read_pickle(file, plain)
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in types for key in keys):
        raise PickleError("it does not list its storages")
    places: dict[str, tuple[int, int]] = {}
    at = file.tell()
    for key in keys:
        if key in places or len(data) < at + 8:
            raise PickleError(f"the storage {shown(key)} {'is stored twice' if key in places else 'is missing'}")
        (length,) = struct.unpack_from("<q", data, at)
        end = at + 8 + length * np.dtype(DTYPES[types[key]]).itemsize
        if length < 0 or end > len(data):
            raise PickleError(f"the storage {shown(key)} has {len(data) - at - 8:,} of {end - at - 8:,} bytes")
        places[key] = at + 8, end
        at = end

    def stored(key: str) -> bytes | memoryview:
        if key not in places:
            raise PickleError(f"it lacks the storage {shown(key)}")
        first, end = places[key]
        return memoryview(data)[first:end]

    return content, stored


class _Converter:
    """Puts arrays in place of tensors, and state dicts in place of modules."""

    def __init__(self, path: Path, stored: Stored, *, most: int):
        self.path, self.stored, self.most = path, stored, most
        self.seen: dict[int, Any] = {}
        """The results so far, by the id of what they are made of. A dict may be in many others."""
        self.storages: dict[str, Any] = {}
        self.left = MOST_TENSORS
        """How many tensors and modules the modules may still have."""

    def convert(self, value: Any, *, name: str, depth: int) -> Any:
        """Returns the value with its dicts converted.

        Args:
          name: what it is called in messages.
          depth: how many dicts are around it. A dict may contain itself.
        """
        if isinstance(value, Tensor | OddTensor):
            return self.array(value, name)
        if not _is_module(value) and mapping(value) is None:
            return value
        if depth > MAX_DEPTH:
            raise InputError(f"{self.path} holds dicts within dicts, more than {MAX_DEPTH} deep; save only the state dict")
        if id(value) not in self.seen:
            items = self.state_of(value) if _is_module(value) else mapping(value) or {}
            converted = {
                key: self.convert(
                    member, name=shown(f"{name}.{key}".lstrip(".")) if isinstance(key, str) else name, depth=depth + 1
                )
                for key, member in items.items()
            }
            self.seen[id(value)] = ModuleState(items.kind, converted) if isinstance(items, ModuleState) else converted
        return self.seen[id(value)]

    def state_of(self, module: Node) -> ModuleState:
        """The tensors of a module by name, as `module.state_dict()` has them."""
        tensors: dict[str, Any] = {}
        modules = [("", module, 0)]
        while modules:
            prefix, node, depth = modules.pop()
            if depth > MAX_MODULES:
                raise PickleError(f"it has modules within modules, more than {MAX_MODULES} deep")
            hidden = node.state.get("_non_persistent_buffers_set")
            unsaved = {name for name in hidden.elements if isinstance(name, str)} if isinstance(hidden, Node) else set()
            buffers = {name: value for name, value in _named(node, "_buffers").items() if name not in unsaved}
            for name, value in [*_named(node, "_parameters").items(), *buffers.items()]:
                if (full := _joined(prefix, name)) in tensors:
                    raise PickleError(f"it names {shown(full)} twice")
                tensors[full] = value
            children = [child for child in _named(node, "_modules").items() if _is_module(child[1])]
            modules += [(_joined(prefix, name), child, depth + 1) for name, child in reversed(children)]
            self.left -= 1 + len(node.state["_parameters"]) + len(node.state["_modules"]) + len(buffers)
            if self.left < 0:
                raise PickleError(f"it has modules of more than {MOST_TENSORS:,} tensors and modules")
        return ModuleState(str(module), tensors)

    def array(self, tensor: Tensor | OddTensor, name: str) -> np.ndarray:
        if isinstance(tensor, OddTensor):
            raise InputError(f"{self.path}: {name} is not a plain tensor ({tensor.why}); save it as dense float32")
        key = tensor.storage.key
        if key not in self.storages:
            self.storages[key] = self.stored(key)
        try:
            return to_array(tensor, self.storages[key], most=self.most)
        except PickleError as error:
            raise InputError(f"{self.path}: {name or 'a tensor'} {error}") from None


_ADVICE = "If you trust it, load it with the code that made it, and save only its weights: torch.save(model.state_dict(), FILE)"
