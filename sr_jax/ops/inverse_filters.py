"""Filters that undo a blur in the Fourier domain. `sr_jax.ops` states the conventions, `docs/deconvolution.md` the theory."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Num

from sr_jax.ops.blur import BlurKernel, Pair, as_batch, check_image_shape, check_kernel_fits, find_centre
from sr_jax.ops.boundary import crop_border, extend_border
from sr_jax.ops.margins import choose_margin, inverse_support
from sr_jax.ops.noise import HALF_LEVEL, estimate_noise, natural_nsr
from sr_jax.ops.spectra import (
    PerChannel,
    channels_first,
    channels_last,
    check_floats,
    check_kernel,
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
"""The default high-pass kernel of constrained least squares."""

PerFrequency = float | Float[Array, "*frequencies"] | Callable[[np.ndarray, np.ndarray], Array | np.ndarray]
"""A spectrum: one number, an array, or a function of the frequencies along both axes; see `wiener`."""


def tikhonov(
    y: Num[Array, "b h w c"],
    k: BlurKernel,
    lam: PerChannel,
    *,
    boundary: str = "smooth",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """Finds the x that minimises `||y - k * x||^2 + lam ||x||^2`: `X = conj(K) Y / (|K|^2 + lam)`.

    This is Tikhonov regularisation (Tikhonov 1963).

    Args:
      y: blurred images with values in any range.
      k: the blur kernel, as in `blur_downsample`.
      lam: the weight of the penalty, at least 0: one number, one for each channel (c), or one for each image and channel
        (b, c).
      boundary: one of `BOUNDARIES`.
      margin: the number of pixels by which the images are extended; by default `inverse_support(k, lam)`.
      centre: the tap of the kernel that does not move a pixel; by default its middle.

    Raises:
      ValueError: if y is not float, lam is negative, the kernel does not fit, is larger than the image with its margin or has
        no middle, or the margin must be given because the kernel or lam is traced.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import blur_downsample, tikhonov
      >>> x, k = jnp.zeros((1, 8, 8, 1)).at[0, 4, 4].set(1.0), jnp.zeros((3, 3)).at[1].set(jnp.array([0.2, 0.6, 0.2]))
      >>> y = blur_downsample(x, k, scale=1)
      >>> bool(jnp.allclose(tikhonov(y, k, 1e-6), x, atol=1e-3))
      True
    """
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape)
    return _regularised_inverse(y, k, lambda _: weights, lam, boundary=boundary, margin=margin, centre=centre)


def wiener(
    y: Num[Array, "b h w c"],
    k: BlurKernel,
    *,
    nsr: PerFrequency | None = None,
    noise: PerChannel | None = None,
    boundary: str = "smooth",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """Applies the Wiener filter `X = conj(K) Y / (|K|^2 + nsr)`, the linear filter with the least mean squared error.

    Give `nsr`, or the standard deviation of the noise. From `noise`, the filter computes `nsr = noise^2 / (a / f^2)`: the
    power spectrum of photographs is about a / f^2 (Field 1987), and a is estimated from y (`sr_jax.ops.noise`). Without
    both, the noise is estimated too, but taken as at least 0.002. `restore` does this for images as they come from files.

    Source: Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", 1949.

    Args:
      y: blurred images with values in any range.
      k: the blur kernel, as in `blur_downsample`.
      nsr: the power spectrum of the noise divided by that of the image, at least 0. It is one number, one for each channel
        (c), one for each frequency of the half-spectrum of the extended image (h, w // 2 + 1) or (h, w // 2 + 1, c), or a
        function `nsr(fy, fx)` of these frequencies [cycles a pixel], which are arrays of the shapes (h, 1) and
        (1, w // 2 + 1).
      noise: the standard deviation of the noise, at least 0, in the units of y: 0.01 is 1 % for images in [0, 1]. It is one
        number, one for each channel (c), or one for each image and channel (b, c).
      boundary, centre: as in `tikhonov`.
      margin: as in `tikhonov`; without nsr, by default three times the size of the kernel, at least 32 and at most 256.

    Raises:
      ValueError: if both nsr and noise are given, one is negative or does not fit, and as `tikhonov`.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import wiener
      >>> y, k = jnp.ones((1, 8, 8, 1)), jnp.full((3, 3), 1 / 9)
      >>> x = wiener(y, k, noise=0.01)
      >>> bool(jnp.allclose(x, y, atol=1e-3))
      True
    """
    if nsr is not None and noise is not None:
        raise ValueError("nsr and noise are given: the filter needs only one of them")
    if nsr is None:
        check_floats(y=y)
        if noise is None:
            noise = jnp.maximum(estimate_noise(y), HALF_LEVEL)
        check_not_negative("noise", noise)
        levels = per_channel("noise", noise, y.shape)
        kernel = as_batch(k, y.shape)
        margin = choose_margin(boundary, margin, lambda: _natural_margin(kernel.shape[1:3]))
        return _regularised_inverse(
            y,
            k,
            lambda size: natural_nsr(y, kernel, levels, size, centre=find_centre(kernel.shape[1:3], 1, centre)),
            noise,
            boundary=boundary,
            margin=margin,
            centre=centre,
        )

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
                f"nsr of shape {value.shape} does not fit: the half-spectrum of the extended image has the shape "
                f"({size[0]}, {size[1] // 2 + 1})"
            )
        return value[None, None] if value.ndim == 2 else value.transpose(2, 0, 1)[None]

    return _regularised_inverse(y, k, at, nsr, boundary=boundary, margin=margin, centre=centre)


def constrained_least_squares(
    y: Num[Array, "b h w c"],
    k: BlurKernel,
    lam: PerChannel,
    *,
    penalty: Float[Array, "ph pw"] | np.ndarray = LAPLACIAN,
    boundary: str = "smooth",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """Finds the x that minimises `||y - k * x||^2 + lam ||p * x||^2`: `X = conj(K) Y / (|K|^2 + lam |P|^2)`.

    Source: Hunt, "The Application of Constrained Least Squares Estimation to Image Restoration by Digital Computer", 1973.

    Args:
      y: blurred images with values in any range.
      k: the blur kernel, as in `blur_downsample`.
      lam: the weight of the penalty, as in `tikhonov`.
      penalty: the high-pass kernel p; by default the Laplacian.
      boundary, margin, centre: as in `tikhonov`.

    Raises:
      ValueError: as `tikhonov`.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import constrained_least_squares
      >>> y, k = jnp.ones((1, 8, 8, 1)), jnp.full((3, 3), 1 / 9)
      >>> bool(jnp.allclose(constrained_least_squares(y, k, 0.1), y, atol=1e-3))  # the Laplacian of a constant is 0
      True
    """
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape)

    def at(size: Sequence[int]) -> Array:
        middle = ((penalty.shape[0] - 1) // 2, (penalty.shape[1] - 1) // 2)
        otf = psf_to_otf(jnp.asarray(penalty, working_type(y, k, lam)), size, centre=middle)
        return weights * (otf.real**2 + otf.imag**2)[None, None]

    return _regularised_inverse(y, k, at, lam, boundary=boundary, margin=margin, centre=centre, penalty=penalty)


def _natural_margin(kernel_size: Sequence[int]) -> int:
    """A margin for photographs that depends on shapes only, so that it is the same where the kernel is traced."""
    return min(256, max(32, 3 * max(kernel_size)))


def _regularised_inverse(
    y: Array, k: Array, weight_at: Callable[[Sequence[int]], Array], lam: Any, *, boundary, margin, centre, penalty=None
) -> Array:
    """`X = conj(K) Y / (|K|^2 + weight)`; `weight_at(size)` has the axes (b, c, h, w2), of size 1 where they share a weight."""
    check_image_shape(y.shape)
    check_floats(y=y)
    dtype = working_type(y, k) if callable(lam) else working_type(y, k, lam)
    kernel = as_batch(k, y.shape).astype(dtype)
    check_kernel(k, dtype)
    centres = find_centre(kernel.shape[1:3], 1, centre)
    margin = choose_margin(boundary, margin, lambda: inverse_support(k, lam, centre=centres, penalty=penalty))
    check_kernel_fits(kernel.shape[1:3], y.shape[1:3], margin=margin)
    image = extend_border(y.astype(dtype), margin, boundary, psf=kernel)
    x = _filter(image, kernel, weight_at(image.shape[1:3]).astype(dtype), centres)
    return crop_border(x, margin).astype(y.dtype)


@functools.partial(jax.jit, static_argnums=3)
def _filter(y: Array, k: Array, weight: Array, centre: Pair) -> Array:
    """`_regularised_inverse` with a circular boundary."""
    ((otf,),) = phase_spectra(k.transpose(0, 3, 1, 2), kernel_taps(k, 1, centre), y.shape[1:3])
    inverse = reciprocal(otf[0] ** 2 + otf[1] ** 2 + weight, k)
    spectrum = lax.complex(otf[0], -otf[1]) * inverse * jnp.fft.rfft2(channels_first(y))
    return channels_last(jnp.fft.irfft2(spectrum, y.shape[1:3]))
