"""The noise of an image, and its ratio to the power spectrum of photographs."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Num

from sr_jax.ops.blur import Pair, check_image_shape
from sr_jax.ops.boundary import extend_border
from sr_jax.ops.spectra import channels_first, check_floats, frequencies, kernel_taps, phase_spectra, working_type

HALF_LEVEL = 0.002
"""About half a gray level of 8 bits, for images in [0, 1]: the least noise that is assumed where it is estimated."""

_STEPS = 10  # more do not change the result by 0.01 dB
_TINY = 1e-12  # keeps constant images finite

# The high-pass filter of Daubechies' wavelet with two vanishing moments.
_ROOT = np.sqrt(3)
_HIGH_PASS = np.array([-1 - _ROOT, 3 + _ROOT, -3 + _ROOT, 1 - _ROOT]) / np.sqrt(32)
_MEDIAN_OF_ABSOLUTE_NORMAL = 0.6744897501960817


def estimate_noise(image: Num[Array, "b h w c"]) -> Float[Array, "b c"]:
    """Estimates the standard deviation of white noise in each channel, by the median of wavelet coefficients.

    Diagonal coefficients of the finest scale contain little of a photograph and all frequencies of the noise. The median of
    their absolute values, divided by 0.6745, estimates the noise (Donoho and Johnstone, "Ideal Spatial Adaptation by Wavelet
    Shrinkage", 1994). Areas of constant colour are left out. Blurred images give the best estimates; fine texture of a sharp
    image counts as noise.

    Args:
      image: float images with values in any range, of at least 4x4 pixels.

    Returns:
      The standard deviations, in the units of the image.

    Raises:
      ValueError: if the image is not float, or smaller than 4x4 pixels.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from sr_jax.ops import estimate_noise
      >>> noise = 0.02 * jax.random.normal(jax.random.key(0), (1, 128, 128, 1))
      >>> print(estimate_noise(0.5 + noise).round(3))
      [[0.02]]
    """
    check_image_shape(image.shape)
    check_floats(image=image)
    if min(image.shape[1:3]) < len(_HIGH_PASS):
        raise ValueError(
            f"the noise of a {image.shape[1]}x{image.shape[2]} image cannot be estimated, because that takes 4x4 pixels: give "
            "noise=..."
        )
    return _estimate_noise(image.astype(working_type(image))).astype(image.dtype)


@jax.jit
def _estimate_noise(x: Array) -> Array:
    largest = jnp.max(jnp.abs(x), (1, 2), keepdims=True, initial=0)
    taps = len(_HIGH_PASS)
    for axis in (1, 2):
        windows = [lax.slice_in_dim(x, t, x.shape[axis] - taps + 1 + t, axis=axis) for t in range(taps)]
        x = sum((float(w) * window for w, window in zip(_HIGH_PASS, windows, strict=True)), jnp.zeros_like(windows[0]))
    detail = jnp.abs(x)
    constant = detail <= 8 * jnp.finfo(x.dtype).eps * largest
    median = jnp.nanmedian(jnp.where(constant, jnp.nan, detail), (1, 2))
    return jnp.where(jnp.all(constant, (1, 2)), 0, median) / _MEDIAN_OF_ABSOLUTE_NORMAL


def natural_nsr(
    y: Float[Array, "b h w c"],
    k: Float[Array, "b2 kh kw c2"],
    noise: Float[Array, "b3 c3 1 1"],
    size: Sequence[int],
    *,
    centre: Pair,
) -> Float[Array, "b c h2 w2"]:
    """The ratio of noise to signal of photographs, `noise^2 / (a / f^2)`, at the frequencies of an image of `size` pixels.

    The spectrum of y has the expectation |K|^2 a / f^2 + noise^2. The power a is the one of maximum likelihood (Whittle 1953):
    where the sum over the frequencies of w (|Y|^2 / S - 1) is 0, with S this expectation and w the share of the signal in it.
    """
    dtype = working_type(y, k, noise)
    power = _natural_power(y.astype(dtype), k.astype(dtype), noise.astype(dtype), centre)
    return noise.astype(dtype) ** 2 / jnp.maximum(power, _TINY) * _squared_frequencies(size, dtype)


@functools.partial(jax.jit, static_argnums=3)
def _natural_power(y: Array, k: Array, noise: Array, centre: Pair) -> Float[Array, "b c 1 1"]:
    # The smooth extension is periodic, so that the borders do not leak into the high frequencies.
    image = extend_border(y, max(k.shape[1:3]), "smooth")
    size = image.shape[1:3]
    ((otf,),) = phase_spectra(k.transpose(0, 3, 1, 2), kernel_taps(k, 1, centre), size)
    squares = _squared_frequencies(size, y.dtype)
    used = (squares > 0).astype(y.dtype)
    shape = (otf[0] ** 2 + otf[1] ** 2) * used / jnp.maximum(squares, _TINY)
    spectrum = jnp.fft.rfft2(channels_first(image))
    observed = (spectrum.real**2 + spectrum.imag**2) / (y.shape[1] * y.shape[2])

    def total(x: Array) -> Array:
        return jnp.sum(x * used, (2, 3), keepdims=True)

    def step(_: Array | int, power: Array) -> Array:
        expected = power * shape + noise**2 + _TINY
        weight = power * shape / expected
        return power * total(weight * observed / expected) / jnp.maximum(total(weight), _TINY)

    start = jnp.maximum(total(observed - noise**2), _TINY) / jnp.maximum(total(shape), _TINY)
    return lax.fori_loop(0, _STEPS, step, start)


def _squared_frequencies(size: Sequence[int], dtype: jnp.dtype) -> Float[Array, "1 1 h w2"]:
    fy, fx = frequencies(size)
    return jnp.asarray(fy**2 + fx**2, dtype)[None, None]
