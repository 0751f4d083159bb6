"""Blur by kernels that are drawn, or stand in a file."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Key
from PIL import Image as PILImage

from sr_jax.data.degrade.stages import Drawn, Range, Stage, chance, uniform
from sr_jax.errors import InputError
from sr_jax.ops import blur_kernels

MAX_SIZE = 101
"""Of kernels in files: a larger one is more likely a photograph, and its margin would exceed most training images."""
_STEPS = 100  # of a camera's shake
_INERTIA = 0.9  # the share of its velocity that a shaking camera keeps in a step


class Kernels(NamedTuple):
    """A distribution of blur kernels."""

    size: int
    draw: Callable[[Key[Array, ""]], Drawn]
    """What is drawn, with the kernel itself (`size x size`, sum 1) under `kernel`."""


def blur(distribution: Kernels, *, stride: int) -> Stage:
    """Convolves with a drawn kernel, whose tap `(size - 1) / 2` lies on the kept pixel, and keeps every `stride`-th pixel."""
    reach = distribution.size // 2

    def apply(key: Key[Array, ""], image: Float[Array, "h w 3"]) -> tuple[Float[Array, "h2 w2 3"], Drawn]:
        drawn = distribution.draw(key)
        return convolve_inside(image, drawn["kernel"], stride=stride), drawn

    return Stage(apply, margin=reach, scale=stride, strided=lambda s: blur(distribution, stride=stride * s))


def convolve_inside(image: Float[Array, "h w c"], kernel: Float[Array, "k k"], *, stride: int) -> Float[Array, "h2 w2 c"]:
    """True convolution where the kernel, of odd size, lies inside of the image, at every `stride`-th pixel of that.

    A sum over rows of taps, each a sum of shifted products: several times as fast on CPUs as XLA's convolution with one
    kernel for each image, and every pixel is computed in the same order whatever the batch.
    """
    size = kernel.shape[0]
    flipped = kernel[::-1, ::-1]
    planes = jnp.moveaxis(image, -1, 0)
    height, width = (-(-(n - size + 1) // stride) for n in image.shape[:2])

    def add_row(t: Array, total: Array) -> Array:
        rows = lax.dynamic_slice_in_dim(planes, t, (height - 1) * stride + 1, 1)[:, ::stride]
        taps = lax.dynamic_index_in_dim(flipped, t, 0, keepdims=False)
        products = (taps[u] * rows[:, :, u : u + (width - 1) * stride + 1 : stride] for u in range(size))
        return total + functools.reduce(jnp.add, products)

    total = lax.fori_loop(0, size, add_row, jnp.zeros((planes.shape[0], height, width), image.dtype))
    return jnp.moveaxis(total, 0, -1)


def gaussian(*, size: int, sigma: Range, anisotropic: bool, shift: float) -> Kernels:
    """Gaussians; anisotropic ones draw both standard deviations [pixels] and the angle [degrees].

    Args:
      shift: of the middle, down and to the right of tap `(size - 1) / 2` [pixels].
    """

    def draw(key: Key[Array, ""]) -> Drawn:
        first, second, turn = jax.random.split(key, 3)
        along = uniform(first, sigma)
        across = uniform(second, sigma) if anisotropic else along
        angle = uniform(turn, (0.0, 180.0)) if anisotropic else jnp.float32(0)
        kernel = blur_kernels.gaussian(size, sigma=(along, across), angle=angle, shift=shift)
        return {"kernel": kernel, "blur_sigma": jnp.stack([along, across]), "blur_angle": angle}

    return Kernels(size, draw)


def motion(*, size: int, length: Range, angle: Range, shift: float) -> Kernels:
    """Straight motions of a length [pixels] and an angle [degrees]."""

    def draw(key: Key[Array, ""]) -> Drawn:
        first, second = jax.random.split(key)
        drawn = {"blur_length": uniform(first, length), "blur_angle": uniform(second, angle)}
        kernel = blur_kernels.motion(size, length=drawn["blur_length"], angle=drawn["blur_angle"], shift=shift)
        return {"kernel": kernel, **drawn}

    return Kernels(size, draw)


def shake(*, size: int, extent: Range, shift: float) -> Kernels:
    """Paths of a shaking hand: a velocity that changes at random, with inertia (after Boracchi and Foi, "Modeling the
    Performance of Image Restoration From Motion Blur", TIP 2012), scaled to an extent [pixels].
    """

    def draw(key: Key[Array, ""]) -> Drawn:
        first, second = jax.random.split(key)
        pushes = jax.random.normal(first, (_STEPS, 2))
        velocity = lax.scan(_push, jnp.zeros(2), pushes)[1]
        where = jnp.cumsum(velocity, 0)
        where = where - where.mean(0, keepdims=True)
        widest = uniform(second, extent)
        where = where * (widest / jnp.max(where.max(0) - where.min(0)))
        reach = (size - 1) / 2 - abs(shift)  # what would leave the kernel stays at its edge
        where = jnp.clip(where, -reach, reach)
        return {"kernel": blur_kernels.path(size, where[:, 0], where[:, 1], shift=shift), "blur_extent": widest}

    return Kernels(size, draw)


def _push(velocity: Array, push: Array) -> tuple[Array, Array]:
    velocity = _INERTIA * velocity + push
    return velocity, velocity


def disk(*, size: int, radius: Range, shift: float) -> Kernels:
    """Disks of a radius [pixels]: a lens out of focus."""

    def draw(key: Key[Array, ""]) -> Drawn:
        drawn = uniform(key, radius)
        return {"kernel": blur_kernels.disk(size, radius=drawn, shift=shift), "blur_radius": drawn}

    return Kernels(size, draw)


def classical(*, size: int, variance: Range, extent: Range, shake_probability: float, shift: float) -> Kernels:
    """Anisotropic Gaussians, with variances [pixels^2] and an angle drawn uniformly, or the paths of a shaking hand.

    The training kernels of USRNet (Zhang, Van Gool, Timofte, "Deep Unfolding Network for Image Super-Resolution", CVPR 2020).
    """
    shakes = shake(size=size, extent=extent, shift=shift)

    def draw(key: Key[Array, ""]) -> Drawn:
        kind, first, second, turn, path = jax.random.split(key, 5)
        sigma = jnp.sqrt(jnp.stack([uniform(first, variance), uniform(second, variance)]))
        angle = uniform(turn, (0.0, 180.0))
        shaken, drawn = chance(kind, shake_probability), shakes.draw(path)
        smooth = blur_kernels.gaussian(size, sigma=(sigma[0], sigma[1]), angle=angle, shift=shift)
        return {
            "kernel": jnp.where(shaken, drawn["kernel"], smooth),
            "blur_is_shake": shaken,
            "blur_sigma": jnp.where(shaken, 0, sigma),
            "blur_angle": jnp.where(shaken, 0, angle),
            "blur_extent": jnp.where(shaken, drawn["blur_extent"], 0),
        }

    return Kernels(size, draw)


def from_file(*, path: str, shift: float) -> Kernels:
    """One of the kernels of a file, all equally likely. They are used as they are, whatever the shift."""
    del shift
    bank = load_kernels(path)

    def draw(key: Key[Array, ""]) -> Drawn:
        index = jax.random.randint(key, (), 0, len(bank))
        return {"kernel": jnp.asarray(bank)[index], "kernel_index": index}

    return Kernels(bank.shape[1], draw)


BLURS: dict[str, Callable[..., Kernels]] = {
    "gaussian-blur": gaussian,
    "motion-blur": motion,
    "shake-blur": shake,
    "disk-blur": disk,
    "classical-blur": classical,
    "kernel-file": from_file,
}
"""Name in the config -> distribution."""


def load_kernels(path: str | Path) -> Float[np.ndarray, "n k k"]:
    """All kernels of a .npy, .npz, .mat or gray .png file, over their sums, filled up with zeros to one odd size.

    An array of three axes is a stack of kernels, along its first axis; along its last, as MATLAB has them, if only its first
    two agree. Of a .npz or .mat file every array counts, cell arrays with all their cells. Tap `(k - 1) // 2` of each axis
    becomes the middle.

    Raises:
      InputError: if the file is missing, or holds no kernel, or one that is too large, not finite, or of no positive sum.
    """
    path = _existing(path)
    try:
        arrays = _READERS[path.suffix.lower()](path)
    except KeyError:
        raise InputError(f"kernel file {path}: unknown kind {path.suffix!r}; use {', '.join(_READERS)}") from None
    except Exception as error:  # the readers raise all kinds for a damaged file
        raise InputError(f"kernel file {path}: cannot be read ({error})") from None
    found = [kernel for name, array in arrays.items() for kernel in _split(name, array, path)]
    if not found:
        raise InputError(f"kernel file {path} holds no kernel: an array of two axes, or a stack of them")
    size = max(max(kernel.shape) for kernel in found) // 2 * 2 + 1
    return np.stack([_fill_up(kernel, size) for kernel in found]).astype(np.float32)


def file_digest(path: str | Path) -> str:
    """Of a kernel file's bytes, by which a resumed run knows its kernels again.

    Raises:
      InputError: if the file is missing.
    """
    return hashlib.sha256(_existing(path).read_bytes()).hexdigest()


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"kernel file {path}: no such file")
    return path


def _read_npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _read_mat(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat  # slow to import

    return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}


def _read_png(path: Path) -> dict[str, Any]:
    with PILImage.open(path) as image:
        if image.mode not in ("L", "I;16", "I", "1"):
            raise ValueError(f"colour mode {image.mode}; a kernel is a gray image")
        return {path.name: np.asarray(image)}


_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".npy": lambda path: {path.name: np.load(path, allow_pickle=False)},
    ".npz": _read_npz,
    ".mat": _read_mat,
    ".png": _read_png,
}


def _split(name: str, array: np.ndarray, path: Path) -> list[np.ndarray]:
    """The kernels of an array, each checked and over its sum."""
    if array.dtype == object:  # a cell array
        return [kernel for i, cell in enumerate(array.ravel()) for kernel in _split(f"{name}{{{i + 1}}}", cell, path)]
    where = f"kernel file {path}, {name}"
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3):
        raise InputError(f"{where}: {array.dtype} of the shape {array.shape}; a kernel has two axes, a stack of them three")
    found = []
    for kernel in _stack(array, where).astype(np.float64):
        if not 0 < min(kernel.shape) <= max(kernel.shape) <= MAX_SIZE:
            raise InputError(f"{where}: a {kernel.shape[0]}x{kernel.shape[1]} kernel; 1 to {MAX_SIZE} taps a side are right")
        if not np.isfinite(kernel).all():
            raise InputError(f"{where}: holds values that are not finite")
        if kernel.sum() <= 1e-12 * np.abs(kernel).sum() or not kernel.any():
            raise InputError(f"{where}: its sum is {kernel.sum():g}; a kernel needs a positive one, to be divided by it")
        found.append(kernel / kernel.sum())
    return found


def _stack(array: np.ndarray, where: str) -> np.ndarray:
    """One kernel, or several along either end, as several along the first axis; the two axes of a kernel are equally long."""
    if array.ndim == 2:
        return array[None]
    if array.shape[1] == array.shape[2]:
        return array
    if array.shape[0] == array.shape[1]:
        return np.moveaxis(array, 2, 0)
    shape = "x".join(map(str, array.shape))
    raise InputError(f"{where}: which axes of {shape} are a kernel's? Neither the last two nor the first two agree")


def _fill_up(kernel: np.ndarray, size: int) -> np.ndarray:
    """Zeros around a kernel, so that its tap `(k - 1) // 2` becomes the middle one."""
    before = [size // 2 - (k - 1) // 2 for k in kernel.shape]
    return np.pad(kernel, [(b, size - k - b) for b, k in zip(before, kernel.shape, strict=True)])
