"""Writes files as `torch.save` does, without PyTorch: what it would pickle is spelled out.

A value is plain data, an array (a tensor), or one of the classes below.
"""

import dataclasses
import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

STORAGES = {"float64": "Double", "float32": "Float", "float16": "Half", "int64": "Long", "uint8": "Byte", "bool": "Bool"}


class Global(NamedTuple):
    """A class or function by name."""

    module: str
    name: str


ORDERED = Global("collections", "OrderedDict")
REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


@dataclasses.dataclass(eq=False)
class Call:
    """What a class or function returns, and what is put into it then."""

    function: Global
    arguments: Any = ()
    state: Any = None
    items: dict[Any, Any] = dataclasses.field(default_factory=dict)
    is_new: bool = False


@dataclasses.dataclass(eq=False)
class Persistent:
    """What is stored elsewhere."""

    key: Any


@dataclasses.dataclass(eq=False)
class View:
    """A tensor with any window on the storage of an array."""

    array: np.ndarray
    offset: Any
    shape: Any
    strides: Any


class Writer:
    """Pickles values as protocol 2 does, and collects the storages of their tensors."""

    def __init__(self, *, is_older: bool, is_python2: bool = False):
        self.is_older, self.is_python2 = is_older, is_python2
        self.storages: dict[str, np.ndarray] = {}
        self.memory: dict[int, int] = {}
        self.kept: list[Any] = []
        """Values whose ids are in the memory."""

    def dumps(self, value: Any) -> bytes:
        self.memory, self.kept = {}, []
        out = io.BytesIO()
        out.write(b"\x80\x02")
        self.put(value, out.write)
        out.write(b".")
        return out.getvalue()

    def put(self, value: Any, write: Callable[[bytes], Any]) -> None:
        if id(value) in self.memory:
            write(b"j" + struct.pack("<I", self.memory[id(value)]))
            return
        match value:
            case None | bool():
                write({None: b"N", True: b"\x88", False: b"\x89"}[value])
            case int():
                write(b"\x8a\x09" + value.to_bytes(9, "little", signed=True))
            case float():
                write(b"G" + struct.pack(">d", value))
            case str() if self.is_python2:
                write(b"T" + struct.pack("<I", len(value)) + value.encode())
            case str():
                write(b"X" + struct.pack("<I", len(value.encode())) + value.encode())
            case Global():
                write(f"c{value.module}\n{value.name}\n".encode())
            case tuple():
                write(b"(")
                for member in value:
                    self.put(member, write)
                write(b"t")
            case list():
                write(b"](")
                for member in value:
                    self.put(member, write)
                write(b"e")
            case dict():
                write(b"}")
                self.put_items(value, write)
            case np.ndarray():
                self.put(self.tensor(value), write)
            case View():
                self.put(Call(REBUILD, self.window(value.array, value.offset, value.shape, value.strides)), write)
            case Persistent():
                self.put(value.key, write)
                write(b"Q")
            case Call():
                self.put(value.function, write)
                self.put(value.arguments, write)
                write(b"\x81" if value.is_new else b"R")
                self.remember(value, write)
                self.put_items(value.items, write)
                if value.state is not None:
                    self.put(value.state, write)
                    write(b"b")
            case _:
                raise TypeError(type(value))

    def put_items(self, items: dict[Any, Any], write: Callable[[bytes], Any]) -> None:
        if not items:
            return
        write(b"(")
        for key, member in items.items():
            self.put(key, write)
            self.put(member, write)
        write(b"u")

    def remember(self, value: Any, write: Callable[[bytes], Any]) -> None:
        self.memory[id(value)] = len(self.memory)
        self.kept.append(value)
        write(b"r" + struct.pack("<I", self.memory[id(value)]))

    def tensor(self, array: np.ndarray) -> Call:
        if self.is_python2:  # a parameter of PyTorch 0.3
            rebuilt = Call(Global("torch._utils", "_rebuild_tensor"), self.window(array)[:4])
            return Call(Global("torch.nn.parameter", "Parameter"), (rebuilt,), state=(True, False, None))
        return Call(REBUILD, self.window(array))

    def window(self, array: np.ndarray, offset: Any = None, shape: Any = None, strides: Any = None) -> tuple[Any, ...]:
        base: Any = array
        while base.base is not None:
            base = base.base
        if offset is None:
            offset = (array.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // base.itemsize
            shape, strides = array.shape, tuple(stride // array.itemsize for stride in array.strides)
        key = next((key for key, known in self.storages.items() if known is base), str(len(self.storages)))
        self.storages[key] = base
        kind = Global("torch", f"{STORAGES[base.dtype.name]}Storage")
        identity = ("storage", kind, key, "cuda:0", base.size, *([None] if self.is_older else []))
        return Persistent(identity), offset, shape, strides, False, Call(ORDERED)


def archive(value: Any, **members: bytes) -> bytes:
    """A file of the newer format, with more members than it needs."""
    writer = Writer(is_older=False)
    pickled = writer.dumps(value)
    return archive_of(pickled, {f"data/{key}": array.tobytes() for key, array in writer.storages.items()} | members)


def archive_of(pickled: bytes, members: dict[str, bytes] | None = None) -> bytes:
    """A file of the newer format around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("a/data.pkl", pickled)
        for name, data in {"version": b"3\n", **(members or {})}.items():
            out.writestr(f"a/{name}", data)
    return buffer.getvalue()


def older(value: Any, *, is_python2: bool = False) -> bytes:
    """A file of the older format; from Python 2, as PyTorch 0.3 wrote it."""
    writer = Writer(is_older=True, is_python2=is_python2)
    pickled = writer.dumps(value)
    return older_of(pickled, {key: struct.pack("<q", a.size) + a.tobytes() for key, a in writer.storages.items()})


def older_of(pickled: bytes, storages: dict[str, bytes] | None = None, *, system: Any = None) -> bytes:
    """A file of the older format around a pickle."""
    system = {"protocol_version": 1001, "little_endian": True} if system is None else system
    start = [pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, system)]
    storages = storages or {}
    return b"".join([*start, pickled, pickle.dumps(list(storages), protocol=2), *storages.values()])


def module(kind: str, *, parameters: Any = None, buffers: Any = None, children: Any = None, more: Any = None) -> Call:
    """A pickled module of a class such as `vdsr.Net`."""
    owner, _, name = kind.rpartition(".")
    state = {"training": False, "_backward_hooks": Call(ORDERED), "_is_full_backward_hook": None, **(more or {})}
    for group, members in (("_parameters", parameters), ("_buffers", buffers), ("_modules", children)):
        state[group] = Call(ORDERED, items=members or {})
    return Call(Global(owner, name), is_new=True, state=state)


def module2(kind: str, *, parameters: Any = None, children: Any = None) -> Call:
    """The same as Python 2 and PyTorch 0.3 pickled it: with source code, and dicts from pairs."""
    owner, _, name = kind.rpartition(".")
    backend = Call(Global("torch.nn.backends.thnn", "_get_thnn_function_backend"))
    state: dict[str, Any] = {"training": False, "_backend": backend}
    for group, members in (("_parameters", parameters), ("_buffers", {}), ("_modules", children)):
        state[group] = Call(ORDERED, ([list(pair) for pair in (members or {}).items()],))
    source = Persistent(("module", Global(owner, name), "/home/me/net.py", "import os\nos.system('touch x')\n"))
    return Call(source, is_new=True, state=state)  # pyright: ignore[reportArgumentType]
