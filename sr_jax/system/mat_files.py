"""Reads MATLAB files of version 5, which `save` of MATLAB 5 to 7.2 and `scipy.io.savemat` write.

SciPy's reader is not used, because a damaged file makes it crash the process.

Source: MathWorks, "MAT-File Format". A file is a header and elements. An element is a type, a size and data. An array is an
element whose data are elements again: flags, dimensions, name, and values, or an array for each cell, or the names of fields
and an array for each field of each struct.
"""

import math
import zlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

HEADER = 128
VERSION = 1
MATRIX, PACKED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""The types of elements that hold numbers. Values of an array may have a smaller type than the array."""
CELLS, STRUCTS, TEXT, NUMERIC = 1, 2, 4, range(6, 16)
UTF8, UTF16 = 16, 17
"""Types of elements that hold text."""
OTHERS = {2: "a struct", 3: "an object", 4: "text", 5: "a sparse array"}
"""Classes of arrays."""
COMPLEX = 0x0800
MAX_DEPTH = 20
"""Cells within cells."""


EMPTY = np.zeros((0, 0))


class _Reader(NamedTuple):
    order: Literal["little", "big"]
    most: int
    """Bytes that all packed elements may unpack to."""
    has_structs: bool
    """Whether structs and text are read too."""


def read_mat(data: bytes, *, most: int) -> dict[str, Any]:
    """Reads the arrays of a MATLAB file by name. A cell array is an object array.

    Args:
      most: bytes that the file may unpack to.

    Raises:
      ValueError: if the file is damaged, of another version or larger than `most`, or holds something else than numbers.
    """
    return _read(data, most=most, has_structs=False)


def read_mat_structs(data: bytes, *, most: int) -> dict[str, Any]:
    """Reads all of a MATLAB file: as `read_mat`, and structs as lists of dicts, column by column, and text as str.

    What is of another kind, such as a function, is None.

    Raises:
      ValueError: if the file is damaged, of another version or larger than `most`.
    """
    return _read(data, most=most, has_structs=True)


def _read(data: bytes, *, most: int, has_structs: bool) -> dict[str, Any]:
    orders: dict[bytes, Literal["little", "big"]] = {b"IM": "little", b"MI": "big"}
    order = orders.get(data[HEADER - 2 : HEADER])
    if order is None or int.from_bytes(data[HEADER - 4 : HEADER - 2], order) >> 8 != VERSION:
        raise ValueError("it is not a MATLAB file of version 5; save it with -v7 or -v6")
    reader = _Reader(order, most, has_structs)
    arrays: dict[str, Any] = {}
    for kind, body in _variables(reader, data):
        if kind != MATRIX:
            raise ValueError(f"it is damaged: an element of type {kind} where an array belongs")
        name, array = _array(reader, body, depth=0)
        if name in arrays:
            raise ValueError(f"two arrays are called {name!r}")
        arrays[name] = array
    return arrays


def _variables(reader: _Reader, data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a file, unpacked."""
    unpacked = 0
    for kind, body in _elements(reader, data[HEADER:]):
        if kind != PACKED:
            yield kind, body
            continue
        try:
            body = zlib.decompressobj().decompress(body, reader.most - unpacked + 1)
        except zlib.error as error:
            raise ValueError(f"it is damaged: {error}") from None
        unpacked += len(body)
        if unpacked > reader.most:
            raise ValueError(f"it unpacks to more than {reader.most:,} bytes; save only the arrays that are needed")
        yield from _elements(reader, body)


def _elements(reader: _Reader, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Types and data of the elements, one after another."""
    at = 0
    while at < len(data):
        first, second = (int.from_bytes(data[place : place + 4], reader.order) for place in (at, at + 4))
        if first >> 16:  # a small element: its data lie within its first eight bytes
            kind, size, start = first & 0xFFFF, first >> 16, at + 4
            at, is_whole = at + 8, size <= 4
        else:
            kind, size, start = first, second, at + 8
            at, is_whole = start + size, True
            at += 0 if kind == PACKED else -size % 8
        if not is_whole or len(data) < start + size:
            raise ValueError(f"it is cut short or damaged: an element of {size:,} bytes has {max(len(data) - start, 0):,}")
        yield kind, data[start : start + size]


def _array(reader: _Reader, data: bytes, *, depth: int) -> tuple[str, Any]:
    """The name and the values of an array."""
    if depth > MAX_DEPTH:
        raise ValueError(f"it has cells within cells, more than {MAX_DEPTH} deep")
    if not data:  # an empty cell
        return "", EMPTY
    elements = _elements(reader, data)
    try:
        flags = _whole_numbers(reader, *next(elements))
        shape = tuple(_whole_numbers(reader, *next(elements)).tolist())
        name = next(elements)[1].decode()
        kind = int(flags[0]) & 0xFF
        if kind == CELLS:
            arrays = [_array(reader, body, depth=depth + 1)[1] for _, body in elements]
            cells = np.empty(len(arrays), object)
            cells[:] = arrays
            return name, cells.reshape(shape, order="F")
        if reader.has_structs and kind == STRUCTS:
            return name, _structs(reader, elements, math.prod(shape), depth=depth)
        if reader.has_structs and kind == TEXT:
            return name, _text(reader, *next(elements))
        if reader.has_structs and (kind not in NUMERIC or int(flags[0]) & COMPLEX):
            return name, None
        if kind not in NUMERIC or int(flags[0]) & COMPLEX:
            what = "complex" if kind in NUMERIC else OTHERS.get(kind, f"of class {kind}")
            raise ValueError(f"{name!r} is {what}; save only arrays of real numbers")
        return name, _numbers(reader, *next(elements)).reshape(shape, order="F")
    except (StopIteration, IndexError):
        raise ValueError("it is damaged: an array lacks a part") from None


def _structs(reader: _Reader, elements: Iterator[tuple[int, bytes]], count: int, *, depth: int) -> list[dict[str, Any]]:
    """The structs of an array: the length of a name, all names, and the fields of one struct after another."""
    length = int(_whole_numbers(reader, *next(elements))[0])
    packed = next(elements)[1]
    if length < 1:
        raise ValueError("it is damaged: the names of fields have no length")
    names = [packed[i : i + length].partition(b"\0")[0].decode() for i in range(0, len(packed), length)]
    if not names:
        return []
    return [{field: _array(reader, next(elements)[1], depth=depth + 1)[1] for field in names} for _ in range(count)]


def _whole_numbers(reader: _Reader, kind: int, data: bytes) -> np.ndarray:
    numbers = _numbers(reader, kind, data)
    if numbers.dtype.kind == "f":
        raise ValueError("it is damaged: a fraction where a whole number belongs")
    return numbers


def _text(reader: _Reader, kind: int, data: bytes) -> str:
    if kind in (UTF8, UTF16):
        encoding = "utf-8" if kind == UTF8 else f"utf-16-{'le' if reader.order == 'little' else 'be'}"
        return data.decode(encoding, "replace")
    return "".join(chr(code) for code in _whole_numbers(reader, kind, data).astype(np.uint16))


def _numbers(reader: _Reader, kind: int, data: bytes) -> np.ndarray:
    if kind not in NUMBERS:
        raise ValueError(f"it is damaged: an element of type {kind} where numbers belong")
    return np.frombuffer(data, np.dtype(NUMBERS[kind]).newbyteorder("<" if reader.order == "little" else ">"))
