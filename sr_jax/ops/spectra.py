"""Spectra of kernels, and the layouts, types and checks that the Fourier operators share."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float, Num

from sr_jax.ops.blur import BlurKernel, Pair, as_batch, check_kernel_fits, find_centre, phase_taps

PerChannel = float | Num[Array, "*b_c"]
"""One number, one for each channel (c), or one for each image and channel (b, c)."""


def kernel_taps(k: Array, scale: int, centre: Sequence[int]) -> list[list[list[Pair]]]:
    """The pairs (tap, shift) of `phase_taps` for each axis and phase of `blur_downsample`."""
    return [[phase_taps(n, scale, c, phase) for phase in range(scale)] for n, c in zip(k.shape[1:3], centre, strict=True)]


def phase_spectra(k: Array, taps: list[list[list[Pair]]], size: Sequence[int]) -> list[list[tuple[Array, Array]]]:
    """The half-spectra of a kernel's phases for images of `size` pixels.

    A phase consists of a few taps. A matrix product in real arithmetic is faster for them than an FFT of the whole image.

    Args:
      k: the kernel, with the axes (..., kh, kw).
      taps: for each axis and phase, the pairs (tap, shift); the tap lies on pixel `shift`.

    Returns:
      `out[r][q]`, the real and the imaginary part of phase (r, q), each with the axes (..., h, w // 2 + 1).
    """
    highest = lax.Precision.HIGHEST

    def waves(n: int, frequencies: int, pairs: list[Pair]) -> tuple[Array, Array]:
        # The product modulo n keeps the angle exact where frequency times shift is large.
        turns = np.outer(np.arange(frequencies), [shift for _, shift in pairs]) % n
        angles = 2 * np.pi * turns / n
        return jnp.asarray(np.cos(angles), k.dtype), jnp.asarray(-np.sin(angles), k.dtype)

    h, w = size
    out: list[list[tuple[Array, Array]]] = [[] for _ in taps[0]]
    row_waves = [waves(h, h, pairs) for pairs in taps[0]]
    for columns in taps[1]:
        part = jnp.take(k, np.array([t for t, _ in columns], int), axis=-1)
        re, im = (jnp.einsum("...ij,wj->...iw", part, wave, precision=highest) for wave in waves(w, w // 2 + 1, columns))
        for row, pairs, (cos, sin) in zip(out, taps[0], row_waves, strict=True):
            indices = np.array([t for t, _ in pairs], int)
            re_rows, im_rows = jnp.take(re, indices, axis=-2), jnp.take(im, indices, axis=-2)

            def product(wave: Array, rows: Array) -> Array:
                return jnp.einsum("hi,...iw->...hw", wave, rows, precision=highest)

            row.append((product(cos, re_rows) - product(sin, im_rows), product(cos, im_rows) + product(sin, re_rows)))
    return out


def psf_to_otf(
    k: BlurKernel, size: Sequence[int], *, scale: int = 1, centre: int | Pair | None = None
) -> Complex[Array, "*spectrum"]:
    """Computes the transfer function of a kernel for images of `size` pixels.

    Multiplying `rfft2(x)` by the transfer function convolves x with k, with a circular boundary. MATLAB's `psf2otf` computes
    the same, except that its result is the full spectrum.

    Args:
      k: the blur kernel, as in `blur_downsample`, with values in any range.
      size: height and width (h, w) of the images.
      scale: the scale that determines the default centre, as in `blur_downsample`.
      centre: the tap that is moved to pixel (0, 0); by default `(k + s - 2) / 2`.

    Returns:
      The half-spectrum, with the axes of k but (h, w // 2 + 1) in place of (kh, kw).

    Raises:
      ValueError: if the kernel is larger than `size`, or has no tap at its centre.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import psf_to_otf
      >>> otf = psf_to_otf(jnp.full((3, 3), 1 / 9), (8, 6))
      >>> otf.shape, round(float(otf[0, 0].real), 3)  # at frequency 0, the sum of the kernel
      ((8, 4), 1.0)
    """
    h, w = size
    full = as_batch(k, (k.shape[0] if k.ndim == 4 else 1, h, w, k.shape[-1] if k.ndim > 2 else 1))
    check_kernel_fits(full.shape[1:3], size)
    cy, cx = find_centre(full.shape[1:3], scale, centre)
    torus = jnp.zeros((full.shape[0], h, w, full.shape[3]), working_type(k)).at[:, : full.shape[1], : full.shape[2]].set(full)
    otf = jnp.fft.rfft2(jnp.roll(torus, (-cy, -cx), (1, 2)), axes=(1, 2))
    return otf[0, ..., 0] if k.ndim == 2 else otf[0] if k.ndim == 3 else otf


def otf_to_psf(
    otf: Complex[Array, "*spectrum"], size: Pair, kernel_size: Pair, *, scale: int = 1, centre: int | Pair | None = None
) -> Float[Array, "*kernel"]:
    """Computes the kernel of a transfer function: the inverse of `psf_to_otf`.

    Args:
      otf: the half-spectrum, with the axes of `psf_to_otf`.
      size: height and width (h, w) of the images.
      kernel_size: height and width of the kernel; taps outside of it are dropped.
      scale: the scale that determines the default centre, as in `blur_downsample`.
      centre: the tap that is at pixel (0, 0) of the image; by default `(k + s - 2) / 2`.

    Raises:
      ValueError: if the shape of the spectrum is not that of `size`, or the kernel would be larger than `size`.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import otf_to_psf, psf_to_otf
      >>> k = jnp.arange(9.0).reshape(3, 3)
      >>> bool(jnp.allclose(otf_to_psf(psf_to_otf(k, (8, 6)), (8, 6), (3, 3)), k, atol=1e-5))
      True
    """
    axis = 0 if otf.ndim < 4 else 1
    if otf.shape[axis : axis + 2] != (size[0], size[1] // 2 + 1):
        raise ValueError(f"a spectrum of shape {otf.shape} is not the half-spectrum of {size[0]}x{size[1]} pixels")
    if kernel_size[0] > size[0] or kernel_size[1] > size[1]:
        raise ValueError(f"a {kernel_size[0]}x{kernel_size[1]} kernel is larger than the {size[0]}x{size[1]} image")
    torus = jnp.fft.irfft2(otf, size, axes=(axis, axis + 1))
    torus = jnp.roll(torus, find_centre(kernel_size, scale, centre), (axis, axis + 1))
    rows = lax.slice_in_dim(torus, 0, kernel_size[0], axis=axis)
    return lax.slice_in_dim(rows, 0, kernel_size[1], axis=axis + 1)


def channels_first(x: Float[Array, "b h w c"]) -> Float[Array, "b c h w"]:
    """Moves the channels to the front. Values do not change."""

    def by_product(x: Array) -> Array:
        return jnp.einsum("dc,bhwc->bdhw", jnp.eye(x.shape[3], dtype=x.dtype), x, precision=lax.Precision.HIGHEST)

    # XLA's CPU compiler fuses a sum of windows into the transposition that follows, and then reads memory with large strides,
    # which makes the whole data step 2.5 times slower. A product with the identity prevents the fusion.
    if not 4 <= x.shape[3] <= 128:
        return x.transpose(0, 3, 1, 2)
    return lax.platform_dependent(x, cpu=by_product, default=lambda x: x.transpose(0, 3, 1, 2))


def channels_last(x: Float[Array, "b c h w"]) -> Float[Array, "b h w c"]:
    """The inverse of `channels_first`."""
    return x.transpose(0, 2, 3, 1)


def reciprocal(power: Float[Array, "b c ..."], k: Float[Array, "b2 kh kw c2"]) -> Float[Array, "b c ..."]:
    """1 / power. Where the power is not above the rounding error of |K|^2, the result is 0 and its gradients are finite.

    If |K|^2 can overflow, the result is NaN.
    """
    largest = jnp.sum(jnp.abs(lax.stop_gradient(k)), (1, 2))[:, :, None, None]  # at least |K|
    one = jnp.where(jnp.isfinite(largest**2), 1, jnp.nan).astype(power.dtype)
    error = 4 * jnp.finfo(power.dtype).eps * largest * one
    above_error = ~(power <= error**2)  # NaN stays NaN
    return jnp.where(above_error, one / jnp.where(above_error, power, 1), 0)


def frequencies(size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The frequencies along the axes of a half-spectrum [cycles a pixel]."""
    return np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]


def per_channel(name: str, value: PerChannel, shape: tuple[int, ...]) -> Float[Array, "b c 1 1"]:
    """A value of shape (), (c) or (b, c) with the four axes of channels-first spectra.

    Raises:
      ValueError: if its shape is none of these.
    """
    value = jnp.asarray(value, working_type(value))
    b, _, _, c = shape
    value = value.reshape(1, 1) if value.ndim == 0 else value[None] if value.ndim == 1 else value
    if value.ndim != 2 or value.shape[0] not in (1, b) or value.shape[1] not in (1, c):
        raise ValueError(f"{name} of shape {value.shape} must be one number, or have the shape ({c},) or ({b}, {c})")
    return value[:, :, None, None]


def check_not_negative(name: str, value, *, positive: bool = False) -> None:
    """Raises ValueError if a value is negative or NaN, or 0 where it must be `positive`. Traced values pass."""
    try:
        least = np.min(np.asarray(value, np.float64), initial=np.inf) if not callable(value) else 1.0
    except jax.errors.TracerArrayConversionError:
        return
    if not (least > 0 if positive else least >= 0):
        rule = "a positive number" if positive else "a number of at least 0"
        raise ValueError(f"{name}={least:g} must be {rule}")


def check_floats(**images: Array) -> None:
    """Raises ValueError if an image has an integer type: its result could not be stored."""
    for name, image in images.items():
        if not jnp.issubdtype(image.dtype, jnp.floating):
            raise ValueError(f"{name} has the type {image.dtype}, but must be float: convert images with sr_jax.ops.to_float")


def check_kernel(k, dtype: jnp.dtype) -> None:
    """Raises ValueError unless |K|^2 is finite in this type, and positive where the kernel is not 0. Traced kernels pass."""
    try:
        taps = np.abs(np.asarray(k, np.float64))
    except jax.errors.TracerArrayConversionError:
        return
    limits = jnp.finfo(dtype)
    largest = taps.sum((-2, -1) if taps.ndim == 2 else (-3, -2)).ravel()  # at least |K|
    if not np.isfinite(taps).all():
        raise ValueError("the kernel is not finite")
    bad = largest[(largest >= float(limits.max) ** 0.5) | ((largest > 0) & (largest <= float(limits.tiny) ** 0.5))]
    if bad.size:
        raise ValueError(
            f"the absolute taps of the kernel have the sum {bad[0]:g}, whose square {dtype} cannot hold: divide the kernel by "
            "its sum"
        )


def working_type(*arrays) -> jnp.dtype:
    """float32 or wider: FFTs do not take bfloat16, and it is too coarse for the inverse of a blur."""
    return jnp.promote_types(jnp.float32, jnp.result_type(*arrays))
