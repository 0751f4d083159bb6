"""Reads blur kernels from files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image as PILImage

from sr_jax.errors import InputError
from sr_jax.system.archives import parse_npy, read_npz
from sr_jax.system.files import sha256_of
from sr_jax.system.mat_files import read_mat

MAX_SIZE = 101
"""Largest kernel in a file. A larger one is more likely a photograph, and needs a margin larger than most training images."""
MAX_BYTES = 2**28
"""Largest file, and the most that it may unpack to: three thousand kernels of the largest size in float64."""


def load_kernels(path: str | Path) -> Float[np.ndarray, "n k k"]:
    """Reads all kernels of a .npy, .npz, .mat or gray .png file.

    Each kernel is divided by its sum. All are padded with zeros to one odd size, such that tap `(k - 1) // 2` becomes the
    centre. An array with three axes is a stack of kernels along its first axis. It is a stack along its last axis, as in
    MATLAB, if only the first two axes have the same length. In .npz and .mat files, every array and every cell of a cell
    array is read.

    Raises:
      InputError: if the file is missing or has no kernel, or a kernel is too large, not finite, or without a positive sum.
    """
    path = _existing(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(f"kernel file {path}: unknown kind {path.suffix!r}; use {', '.join(_READERS)}")
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise InputError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
        arrays = read(path)
    except InputError as error:
        raise InputError(f"kernel file {error}") from None
    except Exception as error:  # the readers raise exceptions of all kinds
        raise InputError(f"kernel file {path}: cannot be read ({error})") from None
    kernels = [kernel for name, array in arrays.items() for kernel in _split(name, array, path)]
    if not kernels:
        raise InputError(f"kernel file {path} holds no kernel: an array of two axes, or a stack of them")
    size = max(max(kernel.shape) for kernel in kernels) // 2 * 2 + 1
    return np.stack([_pad(kernel, size) for kernel in kernels]).astype(np.float32)


def file_digest(path: str | Path) -> str:
    """The sha256 of a kernel file, with which a resumed run recognises its kernels.

    Raises:
      InputError: if the file is missing.
    """
    return sha256_of(_existing(path))


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"there is no kernel file {path}")
    return path


def _read_npy(path: Path) -> dict[str, Any]:
    return {path.name: parse_npy(path, path.name, path.read_bytes())}


def _read_npz(path: Path) -> dict[str, Any]:
    return read_npz(path, path.read_bytes(), most=MAX_BYTES)


def _read_mat(path: Path) -> dict[str, Any]:
    return read_mat(path.read_bytes(), most=MAX_BYTES)


def _read_png(path: Path) -> dict[str, Any]:
    with PILImage.open(path, formats=["PNG"]) as image:
        if image.mode not in ("L", "I;16", "I", "1"):
            raise ValueError(f"colour mode {image.mode}; a kernel is a gray image")
        if max(image.size) > MAX_SIZE:
            raise InputError(_too_large(f"{path}", image.height, image.width))
        return {path.name: np.asarray(image)}


_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mat": _read_mat,
    ".png": _read_png,
}


def _too_large(where: str, height: int, width: int) -> str:
    return f"{where}: a {height}x{width} kernel; each side must have 1 to {MAX_SIZE} taps"


def _split(name: str, array: Any, path: Path) -> list[np.ndarray]:
    """Checks the kernels of an array, and divides each by its sum."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"kernel file {path}, {name}: is not an array; write it with np.save or np.savez")
    if array.dtype == object:  # a cell array
        return [kernel for i, cell in enumerate(array.ravel()) for kernel in _split(f"{name}{{{i + 1}}}", cell, path)]
    where = f"kernel file {path}, {name}"
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3):
        raise InputError(f"{where}: {array.dtype} of shape {array.shape}; a kernel has two axes, a stack of kernels has three")
    kernels = []
    for kernel in _stack(array, where).astype(np.float64):
        if not 0 < min(kernel.shape) <= max(kernel.shape) <= MAX_SIZE:
            raise InputError(_too_large(where, *kernel.shape))
        if not np.isfinite(kernel).all():
            raise InputError(f"{where}: has values that are not finite")
        if kernel.sum() <= 1e-12 * np.abs(kernel).sum() or not kernel.any():
            raise InputError(f"{where}: its sum is {kernel.sum():g}; it must be positive, because the kernel is divided by it")
        kernels.append(kernel / kernel.sum())
    return kernels


def _stack(array: np.ndarray, where: str) -> np.ndarray:
    """Returns kernels along the first axis, from a single kernel or a stack along the first or last axis."""
    if array.ndim == 2:
        return array[None]
    if array.shape[1] == array.shape[2]:
        return array
    if array.shape[0] == array.shape[1]:
        return np.moveaxis(array, 2, 0)
    shape = "x".join(map(str, array.shape))
    raise InputError(f"{where}: in a stack of shape {shape}, the first two or the last two axes must have the same length")


def _pad(kernel: np.ndarray, size: int) -> np.ndarray:
    """Pads a kernel with zeros, such that tap `(k - 1) // 2` becomes the centre."""
    before = [size // 2 - (k - 1) // 2 for k in kernel.shape]
    return np.pad(kernel, [(b, size - k - b) for b, k in zip(before, kernel.shape, strict=True)])
