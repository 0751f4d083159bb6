"""Losses between a super-resolved image and the true one, both in [0, 1]."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from sr_jax.errors import InputError

SSIM_WINDOW = 11
"""Height and width of the window of SSIM [pixels]."""
SSIM_SIGMA = 1.5
"""Standard deviation of that window [pixels]."""


def l1(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """Mean absolute error."""
    return jnp.mean(jnp.abs(sr - hr))


def mse(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """Mean squared error."""
    return jnp.mean(jnp.square(sr - hr))


def charbonnier(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """Mean of `sqrt(error^2 + 0.001^2)`, the absolute error made smooth at 0 (Lai et al., CVPR 2017, section 3.2)."""
    return jnp.mean(jnp.sqrt(jnp.square(sr - hr) + 0.001**2))


def ssim(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """1 - SSIM: 0 for equal images, at most 2 (Wang et al., IEEE TIP 2004).

    SSIM is the mean over channels and over all windows that lie inside the image. The window is a Gaussian of 11x11 pixels with
    standard deviation 1.5; K1 = 0.01, K2 = 0.03, and the range of values is 1.

    Raises:
      InputError: if the images are smaller than the window.
    """
    if min(sr.shape[1:3]) < SSIM_WINDOW:
        raise InputError(
            f"the loss ssim compares windows of {SSIM_WINDOW}x{SSIM_WINDOW} pixels, but an image has "
            f"{sr.shape[1]}x{sr.shape[2]}; use larger patches"
        )
    c1, c2 = 0.01**2, 0.03**2
    means = _window_mean(jnp.concatenate([sr, hr, sr * sr, hr * hr, sr * hr], 3))
    mean_sr, mean_hr, square_sr, square_hr, product = jnp.split(means, 5, 3)
    var_sr, var_hr = square_sr - mean_sr**2, square_hr - mean_hr**2
    covariance = product - mean_sr * mean_hr
    luminance = (2 * mean_sr * mean_hr + c1) / (mean_sr**2 + mean_hr**2 + c1)
    structure = (2 * covariance + c2) / (var_sr + var_hr + c2)
    return 1 - jnp.mean(luminance * structure)


def fft(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """Mean absolute difference of the two-dimensional spectra (Cho et al., ICCV 2021, equation 6, and its code, MIMO-UNet).

    The mean is over the real and the imaginary parts of all frequencies. The transform has no factor, so that the loss grows
    with the size of the patch, as there; the weight beside l1 is 0.1 there.
    """
    width = sr.shape[2]
    difference = jnp.fft.rfft2(sr - hr, axes=(1, 2))
    counts = np.full(difference.shape[2], 2.0, np.float32)  # the frequencies that a real transform leaves out are mirrored
    counts[0] = 1
    if width % 2 == 0:
        counts[-1] = 1
    parts = jnp.abs(difference.real) + jnp.abs(difference.imag)
    return jnp.mean(jnp.sum(parts * counts[None, None, :, None], 2)) / (2 * width)


LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
    "ssim": ssim,
    "fft": fft,
}


def _window_mean(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """The weighted mean in the window around each pixel whose window lies inside the image.

    Sums of slices, because XLA's depthwise convolutions are slow on CPUs.
    """
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    for axis in (1, 2):
        size = x.shape[axis] - SSIM_WINDOW + 1
        x = sum(
            (float(w) * lax.slice_in_dim(x, i, i + size, axis=axis) for i, w in enumerate(weights / weights.sum())),
            start=jnp.zeros((), x.dtype),
        )
    return x
