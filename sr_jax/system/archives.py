"""Reads zip archives and NumPy's files. What they would unpack to is compared with a limit before anything is unpacked.

Nothing is executed.
"""

import collections
import io
import math
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sr_jax.errors import InputError, printable

ZIP, ENTRY = b"PK\3\4", b"PK\1\2"
"""How a zip archive begins, and how each entry of its list of members does."""
MOST_MEMBERS = 100_000
ENCRYPTED = 1
"""Flag of an encrypted member."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The compression that NumPy and PyTorch write. LZMA can ask for gigabytes to unpack a few bytes."""


def read_npz(path: Path, data: bytes, *, most: int) -> dict[str, Any]:
    """Reads the arrays of an .npz file by name. Members that are not arrays are returned as bytes.

    Args:
      path: the file's name, for error messages.
      most: bytes that all members may unpack to.

    Raises:
      InputError: if this is not an .npz file, it is damaged, encrypted or larger than `most`, it holds Python objects, or two
        members have the same name.
    """
    if not data.startswith(b"PK"):
        raise InputError(f"{path} is not an npz file: write it with np.savez")
    try:
        members = read_zip(path, data, most=most)
    except InputError:
        raise
    except Exception as error:  # a damaged file makes zipfile and its decompressors raise anything
        raise InputError(f"{path} is not an npz file, or is cut short or damaged ({type(error).__name__}: {error})") from None
    return {name: parse_npy(path, name, member) for name, member in _by_array(path, members).items()}


def read_zip(path: Path, data: bytes, *, most: int) -> dict[str, bytes]:
    """Reads the members of a zip archive by name.

    Args:
      path: the file's name, for error messages.
      most: bytes that all members may unpack to.

    Raises:
      InputError: if it is encrypted or larger than `most`, or two members have the same name.
      Exception: of any kind, if it is damaged.
    """
    with _open(path, data) as archive:
        _check_sizes(path, archive, most=most)
        if encrypted := [entry.filename for entry in archive.infolist() if entry.flag_bits & ENCRYPTED]:
            raise InputError(f"{path} is encrypted ({printable(encrypted[0])}); write it with np.savez or torch.save")
        if others := [entry.compress_type for entry in archive.infolist() if entry.compress_type not in METHODS]:
            raise NotImplementedError(f"compression method {others[0]}")
        _check_listed_once(path, archive)
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def _open(path: Path, data: bytes) -> zipfile.ZipFile:
    if data.count(ENTRY) > MOST_MEMBERS:
        raise InputError(f"{path} has more than {MOST_MEMBERS:,} members; save only the arrays that are needed")
    return zipfile.ZipFile(io.BytesIO(data))


def _check_sizes(path: Path, archive: zipfile.ZipFile, *, most: int) -> None:
    total = sum(entry.file_size for entry in archive.infolist())
    if total > most:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        raise InputError(
            f"{path} unpacks to {total:,} bytes, of which {largest.filename} has {largest.file_size:,}; at most {most:,} are "
            "read; save only the arrays that are needed"
        )


def _check_listed_once(path: Path, archive: zipfile.ZipFile) -> None:
    counts = collections.Counter(entry.filename for entry in archive.infolist())
    for filename, count in counts.items():
        if count > 1:
            raise InputError(f"{path} lists {filename} {count} times, so it is unclear which one is meant; save it again")


def _by_array(path: Path, members: dict[str, bytes]) -> dict[str, bytes]:
    """Names the members as their arrays, which have no `.npy`."""
    origins: dict[str, str] = {}
    for member in members:
        name = member.removesuffix(".npy")
        if name in origins:
            raise InputError(f"{path} has {origins[name]} and {member}, which would both be called {name}; rename one of them")
        origins[name] = member
    return {name: members[member] for name, member in origins.items()}


def parse_npy(path: Path, name: str, data: bytes) -> Any:
    """Parses an .npy file. Data of another kind are returned as they are.

    Args:
      path: the file's name, for error messages.
      name: the array's name in that file.

    Raises:
      InputError: if the array is damaged, claims more than there is, or has Python objects.
    """
    if not data.startswith(np.lib.format.MAGIC_PREFIX):
        return data
    try:
        with warnings.catch_warnings():  # they are about headers that Python 2 wrote
            warnings.simplefilter("ignore")
            shape, dtype, available = _npy_header(data)
            if dtype.hasobject:  # an array of Python objects is a pickle
                raise InputError(
                    f"{path} holds more than numbers ({name} has Python objects). Nothing of it was run; save only plain arrays"
                )
            if (needed := math.prod(shape) * dtype.itemsize) > available:
                raise InputError(
                    f"{path} is cut short or damaged: {name} {shape} takes {needed:,} bytes, but has {available:,}"
                )
            return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except InputError:
        raise
    except Exception as error:  # a damaged header makes NumPy's reader raise anything
        raise InputError(f"{path} is damaged: {name} is not an array ({type(error).__name__}: {error})") from None


def _npy_header(data: bytes) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape and type from the header of a .npy file, and the number of bytes that follow it."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    return shape, dtype, len(data) - file.tell()
