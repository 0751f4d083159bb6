"""PSNR and SSIM of 8-bit images, computed as in the papers' MATLAB code.

Images are NumPy arrays with the axes (height, width, channels) and values in [0, 255]. Everything is computed in float64 on
the host, so the scores do not depend on the accelerator. This module does not import JAX.
"""

import math

import numpy as np
from jaxtyping import Float, Num, UInt8

__all__ = ["checkerboard", "luma", "phase_errors", "psnr", "shave", "ssim"]

PEAK = 255.0
# Y of BT.601, the same as in `sr_jax.ops.color`
LUMA_WEIGHTS = np.array([65481, 128553, 24966]) / 1000 / 255
LUMA_OFFSET = 16
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_C1 = (0.01 * PEAK) ** 2
SSIM_C2 = (0.03 * PEAK) ** 2


def luma(image: UInt8[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w 1"]:
    """Computes the Y channel of BT.601, as MATLAB's `rgb2ycbcr`, without rounding.

    Args:
      image: RGB or gray, in [0, 255]. A gray image is its own Y.

    Returns:
      Y in [16, 235], or the gray image as float64.

    Raises:
      ValueError: if the image is neither RGB nor gray.

    Example:
      >>> import numpy as np
      >>> from sr_jax.metrics import luma
      >>> print(luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).round(3)[0, :, 0])
      [ 16. 235.]
    """
    if image.shape[-1] == 1:
        return image.astype(np.float64)
    if image.shape[-1] != len(LUMA_WEIGHTS):
        raise ValueError(f"an image of {image.shape[-1]} channels has no Y: it must be RGB or gray")
    return (image.astype(np.float64) @ LUMA_WEIGHTS + LUMA_OFFSET)[..., None]


def shave(image: Num[np.ndarray, "h w c"], border: int) -> Num[np.ndarray, "h2 w2 c"]:
    """Cuts `border` pixels from every side. The papers' protocol cuts as many pixels as the scale.

    Args:
      image: values in any range.
      border: the number of pixels to cut, at least 0.

    Raises:
      ValueError: if the border is negative, or nothing would be left.

    Example:
      >>> import numpy as np
      >>> from sr_jax.metrics import shave
      >>> shave(np.zeros((8, 9, 3)), 2).shape
      (4, 5, 3)
    """
    if border < 0:
        raise ValueError(f"border={border} must be at least 0")
    if min(image.shape[:2]) <= 2 * border:
        raise ValueError(f"border={border} leaves nothing of a {image.shape[0]}x{image.shape[1]} image")
    return image[border:-border, border:-border] if border else image


def psnr(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h2 w2 c2"]) -> float:
    """Computes the peak signal-to-noise ratio [dB]: `10 log10(255^2 / mean((a - b)^2))`.

    Args:
      a, b: images of the same shape, in [0, 255].

    Returns:
      The ratio, which is infinite for equal images.

    Raises:
      ValueError: if the images differ in shape, or have no pixels.

    Example:
      >>> import numpy as np
      >>> from sr_jax.metrics import psnr
      >>> round(psnr(np.full((4, 4, 1), 100), np.full((4, 4, 1), 110)), 2)
      28.13
    """
    _check_pair(a, b)
    with np.errstate(over="ignore"):
        error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    if error in (0, math.inf):
        return math.inf if error == 0 else -math.inf
    return 10 * math.log10(PEAK**2 / error)


def ssim(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h2 w2 c2"]) -> float:
    """Computes the structural similarity (Wang et al. 2004), the mean over pixels and channels.

    The options are those of the authors' `ssim_index.m`: an 11x11 Gaussian window with sigma 1.5 in its valid region, and
    K = (0.01, 0.03).

    Args:
      a, b: images of the same shape, in [0, 255].

    Returns:
      The similarity in [-1, 1], which is 1 for equal images.

    Raises:
      ValueError: if the images differ in shape, have no pixels, or are smaller than the window.

    Example:
      >>> import numpy as np
      >>> from sr_jax.metrics import ssim
      >>> a = np.arange(144.0).reshape(12, 12, 1)
      >>> round(ssim(a, a), 4), round(ssim(a, a + 50), 4)
      (1.0, 0.873)
    """
    if min(a.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs images of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, not {a.shape[0]}x{a.shape[1]}")
    _check_pair(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    var_a = _window_mean(a * a) - mean_a**2
    var_b = _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
    return float(np.mean(luminance * (2 * covariance + SSIM_C2) / (var_a + var_b + SSIM_C2)))


def phase_errors(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h2 w2 c2"], *, scale: int) -> Float[np.ndarray, "s s"]:
    """Computes the mean squared error of each output phase of an upsampler.

    An upsampler whose phases have different errors draws a checkerboard (Odena et al., "Deconvolution and Checkerboard
    Artifacts", Distill 2016).

    Args:
      a, b: images of the same shape, with values in any range. Rows and columns beyond a multiple of `scale` are not counted.
      scale: the factor s of the upsampler, at least 1.

    Returns:
      Element (r, q) is the error of the pixels `(scale * y + r, scale * x + q)`.

    Raises:
      ValueError: if the images differ in shape, or are smaller than one cell of scale x scale pixels, or if the scale is not
        positive.

    Example:
      >>> import numpy as np
      >>> from sr_jax.metrics import phase_errors
      >>> a, b = np.zeros((4, 4, 1)), np.zeros((4, 4, 1))
      >>> b[::2, 1::2] = 3
      >>> print(phase_errors(a, b, scale=2))
      [[0. 9.]
       [0. 0.]]
    """
    _check_pair(a, b)
    if scale < 1:
        raise ValueError(f"scale={scale} must be at least 1")
    h, w, c = (n // m * m for n, m in zip(a.shape, (scale, scale, 1), strict=True))
    if not h or not w:
        raise ValueError(f"a {a.shape[0]}x{a.shape[1]} image is smaller than a cell of {scale}x{scale} pixels")
    error = (a[:h, :w].astype(np.float64) - b[:h, :w].astype(np.float64)) ** 2
    return error.reshape(h // scale, scale, w // scale, scale, c).mean((0, 2, 4))


def checkerboard(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h2 w2 c2"], *, scale: int) -> float:
    """Measures how much the errors of the output phases differ: the standard deviation of `phase_errors` over their mean.

    Args:
      a, b: images of the same shape, with values in any range.
      scale: the factor s of the upsampler, at least 1.

    Returns:
      0 for no checkerboard and for equal images. Natural images add a little, for example with bicubic interpolation.

    Raises:
      ValueError: as `phase_errors`.

    Example:
      >>> import numpy as np
      >>> from sr_jax.metrics import checkerboard
      >>> a, b = np.zeros((4, 4, 1)), np.zeros((4, 4, 1))
      >>> b[::2, ::2] = b[1::2, 1::2] = 3
      >>> checkerboard(a, b, scale=2)
      1.0
    """
    errors = phase_errors(a, b, scale=scale)
    return float(errors.std() / errors.mean()) if errors.any() else 0.0


def _check_pair(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes, {a.shape} and {b.shape}, cannot be compared")
    if not a.size:
        raise ValueError(f"images without pixels, of shape {a.shape}, cannot be compared")


def _window_mean(x: np.ndarray) -> np.ndarray:
    from scipy.ndimage import correlate1d  # slow to import, and not all commands need it

    taps = np.exp(-((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) ** 2) / (2 * SSIM_SIGMA**2))
    taps /= taps.sum()
    for axis in (0, 1):
        x = correlate1d(x, taps, axis=axis)
    reach = SSIM_WINDOW // 2
    return x[reach:-reach, reach:-reach]
