"""Margins: by how many pixels an operator extends an image, so that its border does not show inside."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from sr_jax.ops.blur import BlurKernel, Pair, find_centre
from sr_jax.ops.boundary import check_mode
from sr_jax.ops.spectra import PerChannel, check_not_negative


def choose_margin(boundary: str, margin: int | None, default: Callable[[], int]) -> int:
    """The margin that an operator uses: 0 for the circular boundary, else the given one, else the default.

    Raises:
      ValueError: if the boundary is unknown, or the margin is negative.
    """
    check_mode(boundary)
    if margin is not None and margin < 0:
        raise ValueError(f"margin={margin} must not be negative")
    if boundary == "circular":
        return 0
    return default() if margin is None else margin


def inverse_support(
    k: BlurKernel | np.ndarray,
    lam: PerChannel | Callable[..., Any],
    *,
    scale: int = 1,
    centre: int | Pair | None = None,
    penalty: Array | np.ndarray | None = None,
    tail: float = 1e-4,
    largest: int = 256,
) -> int:
    """Measures how far the inverse of a blur reaches: the default margin of `data_step`, `tikhonov` and their kind.

    The inverse responds to one LR pixel with a pattern that fades with the distance. Outside of the returned radius, this
    response has the share `tail` of its energy. An error beyond the border is therefore felt about that far inside. Errors
    along a whole border can add up and reach farther, for example under a motion blur with a mirrored border.

    The radius is computed on the host in float64. For several kernels, it is the largest of theirs.

    Args:
      k: the blur kernel, as in `blur_downsample`.
      lam: the regularisation of the inverse: that of `tikhonov`, or a function of the frequencies as in `wiener`.
      scale: the factor s between LR and HR.
      centre: the tap that lies on the kept pixel, as in `blur_downsample`.
      penalty: the high-pass kernel of `constrained_least_squares`.
      tail: the share of the energy that lies outside of the radius.
      largest: the largest radius to return [LR pixels].

    Returns:
      The radius [LR pixels].

    Raises:
      ValueError: if the kernel or lam is traced, the kernel is not finite, or lam is negative.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import blur_kernels, inverse_support
      >>> k = blur_kernels.gaussian(9, 1.2)
      >>> [inverse_support(k, lam) for lam in (1e-1, 1e-3, 1e-5)]
      [6, 10, 11]
    """
    check_not_negative("lam", lam)
    try:
        return _inverse_support(k, lam, scale, centre, penalty, tail, largest)
    except jax.errors.TracerArrayConversionError:
        raise ValueError(
            "the kernel or lambda is traced (jit, grad, vmap), so the reach of its inverse cannot be computed here: give "
            "margin=..., for example inverse_support(k, lam, scale=...) computed outside of the traced function"
        ) from None


def _inverse_support(k, lam, scale, centre, penalty, tail, largest) -> int:
    kernels = np.asarray(k, np.float64)
    if not np.isfinite(kernels).all():
        raise ValueError("the kernel is not finite")
    weight = lam if callable(lam) else float(np.min(np.asarray(lam, np.float64), initial=np.inf))
    penalty = None if penalty is None else np.asarray(penalty, np.float64)
    kernels = kernels[None, :, :, None] if kernels.ndim == 2 else kernels[None] if kernels.ndim == 3 else kernels
    centres = find_centre(kernels.shape[1:3], scale, centre)
    if not kernels.size:
        return 0
    images = kernels.transpose(0, 3, 1, 2).reshape(-1, *kernels.shape[1:3])
    n = 32
    while n * scale < 2 * max(images.shape[1:]):
        n *= 2
    while True:
        radius = max(_radius(image, weight, scale, centres, penalty, tail, n) for image in images)
        if radius <= n // 4 or n >= 2 * largest:
            return min(radius, largest)
        n *= 2


def _radius(k, lam, scale: int, centre: Sequence[int], penalty, tail: float, n: int) -> int:
    """`inverse_support` of one kernel, on a square of n LR pixels with a circular boundary."""

    def otf(kernel: np.ndarray, centre: Sequence[int], size: int) -> np.ndarray:
        torus = np.zeros((size, size))
        torus[: kernel.shape[0], : kernel.shape[1]] = kernel
        return np.fft.fft2(np.roll(torus, (-centre[0], -centre[1]), (0, 1)))

    size = n * scale
    transfer = otf(k, centre, size)
    power = np.mean(np.abs(transfer.reshape(scale, n, scale, n)) ** 2, (0, 2))
    frequencies = np.fft.fftfreq(n)
    weight = np.asarray(lam(frequencies[:, None], frequencies[None])) if callable(lam) else lam
    weight = weight.min(-1) if np.ndim(weight) == 3 else weight
    if penalty is not None:
        weight = weight * np.abs(otf(np.asarray(penalty), ((penalty.shape[0] - 1) // 2, (penalty.shape[1] - 1) // 2), n)) ** 2
    total = np.broadcast_to(power + weight, power.shape)
    inverse = np.where(total > 1e-12 * total.max(), 1 / np.where(total > 0, total, 1), 0)
    response = np.fft.ifft2(np.conj(transfer) * np.tile(inverse, (scale, scale))).real
    distance = np.abs(np.fft.fftfreq(size) * size) / scale
    rings = np.ceil(np.maximum(distance[:, None], distance[None])).astype(int)
    energy = np.bincount(rings.ravel(), (response**2).ravel())
    if not energy.sum():
        return 0
    return int(np.searchsorted(np.cumsum(energy) / energy.sum(), 1 - tail))
