"""Deconvolution in the Fourier domain; `docs/deconvolution.md` tells the theory.

Conventions of kernels, scale and centre: `sr_jax.ops.blur`. Spectra are half-spectra, as of `jnp.fft.rfft2` over height and
width, unnormalised. Images are NHWC with values in any range. Everything is computed in float32 (or float64, where an argument
is), also for bfloat16 images, and returned in the image's own type.

Boundaries: the operators are circular. `boundary` (see `sr_jax.ops.boundary`) first extends the images by `margin` pixels
of the LR image, and crops the result. What happens beyond the border reaches as far inwards as the *inverse* reaches, which
is more than the kernel's size: `inverse_support` measures it, and `margin=None` means just that. As the margin is a shape, it
cannot depend on traced values: where `jax.jit` or `jax.grad` traces the kernel or lambda, give a `margin`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from sr_jax.ops.blur import (
    BlurKernel,
    Pair,
    as_batch,
    find_centre,
)
from sr_jax.ops.boundary import crop_border, extend_border
from sr_jax.ops.margins import choose_margin, inverse_support
from sr_jax.ops.spectra import (
    PerChannel,
    channels_first,
    channels_last,
    check_not_negative,
    frequencies,
    kernel_taps,
    per_channel,
    phase_spectra,
    psf_to_otf,
    reciprocal,
    working_type,
)

LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32) / 4
"""The high-pass of constrained least squares (Hunt 1973), by default."""

PerFrequency = float | Float[Array, "*frequencies"] | Callable[[np.ndarray, np.ndarray], Array]


def tikhonov(
    y: Float[Array, "b h w c"],
    k: BlurKernel,
    lam: PerChannel,
    *,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """`min ||y - k * x||^2 + lam ||x||^2`: X = conj(K) Y / (|K|^2 + lam).

    Args:
      lam: >= 0; one number, or one for each channel (c), or for each image and channel (b c).

    Raises:
      ValueError: if lam is negative, the kernel does not fit or has no middle, or the margin cannot be known (see above).
    """
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape)
    return _regularised_inverse(y, k, lambda _: weights, lam, boundary=boundary, margin=margin, centre=centre)


def wiener(
    y: Float[Array, "b h w c"],
    k: BlurKernel,
    nsr: PerFrequency,
    *,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """The Wiener filter, X = conj(K) Y / (|K|^2 + nsr): of all linear filters the one with the least mean squared error.

    Args:
      nsr: the ratio of the noise's to the image's power spectrum, >= 0. One number, one for each channel (c), one for
        each frequency of the half-spectrum (h w2, or h w2 c), or a function `nsr(fy, fx)` of the frequencies in cycles
        a pixel, arrays of shapes (h, 1) and (1, w2). Of the extended image, where the boundary extends it.

    Raises:
      ValueError: as `tikhonov`.
    """

    def at(size: Sequence[int]) -> Array:
        value = nsr(*frequencies(size)) if callable(nsr) else nsr
        value = jnp.asarray(value)
        check_not_negative("nsr", value)
        if value.ndim < 2:
            return per_channel("nsr", value, y.shape)
        if callable(nsr):
            shape = (size[0], size[1] // 2 + 1, *value.shape[2:])
            value = jnp.broadcast_to(value, shape)
        if value.shape[:2] != (size[0], size[1] // 2 + 1) or (value.ndim == 3 and value.shape[2] not in (1, y.shape[3])):
            raise ValueError(
                f"nsr of shape {value.shape} does not fit: the half-spectrum of the (extended) image has the shape "
                f"({size[0]}, {size[1] // 2 + 1})"
            )
        return value[None, None] if value.ndim == 2 else value.transpose(2, 0, 1)[None]

    return _regularised_inverse(y, k, at, nsr, boundary=boundary, margin=margin, centre=centre)


def constrained_least_squares(
    y: Float[Array, "b h w c"],
    k: BlurKernel,
    lam: PerChannel,
    *,
    penalty: Float[Array, "ph pw"] | np.ndarray = LAPLACIAN,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """`min ||y - k * x||^2 + lam ||p * x||^2`: X = conj(K) Y / (|K|^2 + lam |P|^2), with a high-pass kernel p (Hunt 1973).

    Raises:
      ValueError: as `tikhonov`.
    """
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape)

    def at(size: Sequence[int]) -> Array:
        middle = ((penalty.shape[0] - 1) // 2, (penalty.shape[1] - 1) // 2)
        otf = psf_to_otf(jnp.asarray(penalty, working_type(y, k, lam)), size, centre=middle)
        return weights * (otf.real**2 + otf.imag**2)[None, None]

    return _regularised_inverse(y, k, at, lam, boundary=boundary, margin=margin, centre=centre, penalty=penalty)


def _regularised_inverse(
    y: Array, k: Array, weight_at: Callable[[Sequence[int]], Array], lam: Any, *, boundary, margin, centre, penalty=None
) -> Array:
    """X = conj(K) Y / (|K|^2 + weight), with the weight (b c h w2, or 1s) at an image size."""
    dtype = working_type(y, k) if callable(lam) else working_type(y, k, lam)
    kernel = as_batch(k, y.shape, scale=1).astype(dtype)
    centres = find_centre(kernel.shape[1:3], 1, centre)
    margin = choose_margin(boundary, margin, lambda: inverse_support(k, lam, centre=centres, penalty=penalty))
    image = extend_border(y.astype(dtype), margin, boundary, psf=kernel)
    x = _filter(image, kernel, weight_at(image.shape[1:3]).astype(dtype), centres)
    return crop_border(x, margin).astype(y.dtype if jnp.issubdtype(y.dtype, jnp.floating) else dtype)


@functools.partial(jax.jit, static_argnums=3)
def _filter(y: Array, k: Array, weight: Array, centre: Pair) -> Array:
    """conj(K) Y / (|K|^2 + weight) on a torus."""
    ((otf,),) = phase_spectra(k.transpose(0, 3, 1, 2), kernel_taps(k, 1, centre), y.shape[1:3])
    inverse = reciprocal(otf[0] ** 2 + otf[1] ** 2 + weight, k)
    spectrum = lax.complex(otf[0], -otf[1]) * inverse * jnp.fft.rfft2(channels_first(y))
    return channels_last(jnp.fft.irfft2(spectrum, y.shape[1:3]))
