"""Problems with a known answer for the benchmarks of the deconvolution operators: photographs, blur kernels, observations.

As in a camera's image, nothing in an observation shows what lies beyond its border.
"""

import argparse
import math
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import ndimage
from scipy.signal import fftconvolve

from sr_jax import metrics
from sr_jax.data.images import SUFFIXES, decode_image

# Height and width of the true images [pixels]: the smallest photograph, less the reach of the widest kernel.
SIDE = 224


def add_data_option(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("SR_JAX_DATA")
    parser.add_argument("--data_root", type=Path, default=default, help="folder with Set14/HR (default: $SR_JAX_DATA)")


def load(data_root: Path | None) -> dict[str, Float[np.ndarray, "h w"]]:
    """The luma of all photographs of Set14, in [0, 1]."""
    if data_root is None:
        raise SystemExit("give --data_root (or SR_JAX_DATA), the folder with Set14/HR")
    folder = data_root / "Set14" / "HR"
    files = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    if not files:
        raise SystemExit(f"{folder} holds no images: --data_root (or SR_JAX_DATA) must be the folder with Set14/HR")
    return {path.name: metrics.luma(decode_image(path.read_bytes(), path.name))[..., 0] / 255 for path in files}


def observe(
    photographs: dict[str, np.ndarray], k: Array, *, scale: int = 1, noise: float = 0.0, seed: int = 0
) -> tuple[Float[np.ndarray, "b h w 1"], Float[np.ndarray, "b sh sw 1"]]:
    """`y = S(k * x) + noise`, and x: the middle SIDE x SIDE pixels. y also depends on pixels beyond x."""
    side = SIDE + len(k) - scale
    kernel = np.asarray(k, np.float64)
    crops = [_middle(image, side) for image in photographs.values()]
    blurred = np.stack([fftconvolve(crop, kernel, mode="valid")[::scale, ::scale] for crop in crops])
    blurred += noise * np.random.default_rng(seed).standard_normal(blurred.shape)
    truth = np.stack([_middle(crop, SIDE) for crop in crops])
    return blurred.astype(np.float32)[..., None], truth[..., None]


def _middle(image: np.ndarray, side: int) -> np.ndarray:
    top, left = ((n - side) // 2 for n in image.shape)
    return image[top : top + side, left : left + side]


def psnr(x: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """The mean PSNR [dB] of images (b h w 1), clipped to [0, 1], over the pixels for which `where` (h w) is true."""
    errors = (np.clip(np.asarray(x, np.float64), 0, 1) - truth)[:, where] ** 2
    return float(np.mean(-10 * np.log10(errors.mean((1, 2)))))


def interior(band: int) -> np.ndarray:
    """A mask that is true except in a band along the border."""
    return np.pad(np.ones((SIDE - 2 * band,) * 2, bool), band)


def gaussian(size: int, sigma: float) -> Array:
    position = np.arange(size) - (size - 1) / 2
    profile = np.exp(-(position**2) / (2 * sigma**2))
    return jnp.asarray(np.outer(profile, profile) / profile.sum() ** 2, jnp.float32)


def line(size: int, length: float, degrees: float) -> Array:
    """A straight motion at constant speed, anti-aliased."""
    along = np.linspace(-length / 2, length / 2, 1001)
    angle = math.radians(degrees)
    return _trace(size, -along * math.sin(angle), along * math.cos(angle))


def shake(size: int, seed: int) -> Array:
    """The shake of a camera: a smooth random path that fills the kernel."""
    path = np.random.default_rng(seed).standard_normal((2, 4000)).cumsum(1)
    path = ndimage.gaussian_filter1d(path, 250, axis=1, mode="nearest")
    path -= (path.max(1) + path.min(1))[:, None] / 2
    return _trace(size, *path / np.abs(path).max() * (size - 3) / 2)


def _trace(size: int, y: np.ndarray, x: np.ndarray) -> Array:
    """The time that a moving point spends in each pixel. Each position is shared among the four nearest pixels."""
    pixels = np.arange(size) - (size - 1) / 2
    rows, columns = (np.maximum(0, 1 - np.abs(pixels[:, None] - p)) for p in (y, x))
    return jnp.asarray(rows @ columns.T / len(y), jnp.float32)
