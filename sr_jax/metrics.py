"""PSNR and SSIM of 8-bit images, as the papers' MATLAB code computes them.

NumPy, in float64, on the host: the same decibels whatever accelerator made the image.
"""

import math

import numpy as np
from jaxtyping import Float, Num, UInt8
from scipy.ndimage import correlate1d

PEAK = 255.0
LUMA_WEIGHTS = np.array([65481, 128553, 24966]) / 1000 / 255
LUMA_OFFSET = 16
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_C1 = (0.01 * PEAK) ** 2
SSIM_C2 = (0.03 * PEAK) ** 2


def luma(image: UInt8[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w 1"]:
    """The Y channel (BT.601, as MATLAB's `rgb2ycbcr`) in grey levels, not rounded. A gray image is its own Y."""
    if image.shape[-1] == 1:
        return image.astype(np.float64)
    return (image.astype(np.float64) @ LUMA_WEIGHTS + LUMA_OFFSET)[..., None]


def shave(image: Num[np.ndarray, "h w c"], border: int) -> Num[np.ndarray, "h2 w2 c"]:
    """Cuts `border` pixels from every side: the protocol of the papers, which shave as many as the scale."""
    return image[border:-border, border:-border] if border else image


def psnr(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h w c"]) -> float:
    """Peak signal-to-noise ratio [dB] of images in [0, 255]; infinite for equal ones."""
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def ssim(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h w c"]) -> float:
    """Structural similarity (Wang et al. 2004) of images in [0, 255], mean over channels.

    As in the authors' `ssim_index.m`: an 11x11 Gaussian window with sigma 1.5, its valid region only, K = (0.01, 0.03).

    Raises:
      ValueError: if an image is smaller than the window.
    """
    if min(a.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs images of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, not {a.shape[0]}x{a.shape[1]}")
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    var_a = _window_mean(a * a) - mean_a**2
    var_b = _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
    return float(np.mean(luminance * (2 * covariance + SSIM_C2) / (var_a + var_b + SSIM_C2)))


def phase_errors(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h2 w2 c2"], *, scale: int) -> Float[np.ndarray, "s s"]:
    """The mean squared error of each output phase: element (r, q) is that of the pixels (scale * y + r, scale * x + q).

    An upsampler whose phases differ draws a checkerboard (Odena et al., "Deconvolution and Checkerboard Artifacts", Distill
    2016). Rows and columns beyond a multiple of `scale` are not counted.

    Raises:
      ValueError: if the images differ in shape, or are smaller than one cell of scale x scale pixels.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes, {a.shape} and {b.shape}, cannot be compared")
    h, w, c = (n // m * m for n, m in zip(a.shape, (scale, scale, 1), strict=True))
    if not h or not w:
        raise ValueError(f"a {a.shape[0]}x{a.shape[1]} image holds no cell of {scale}x{scale} pixels")
    error = (a[:h, :w].astype(np.float64) - b[:h, :w].astype(np.float64)) ** 2
    return error.reshape(h // scale, scale, w // scale, scale, c).mean((0, 2, 4))


def checkerboard(a: Num[np.ndarray, "h w c"], b: Num[np.ndarray, "h w c"], *, scale: int) -> float:
    """How unequal the output phases err: the standard deviation of `phase_errors` over their mean; 0 for equal images.

    0 means no checkerboard. Natural images add a little by themselves, as bicubic interpolation shows.
    """
    errors = phase_errors(a, b, scale=scale)
    return float(errors.std() / errors.mean()) if errors.any() else 0.0


def _window_mean(x: np.ndarray) -> np.ndarray:
    taps = np.exp(-((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) ** 2) / (2 * SSIM_SIGMA**2))
    taps /= taps.sum()
    for axis in (0, 1):
        x = correlate1d(x, taps, axis=axis)
    reach = SSIM_WINDOW // 2
    return x[reach:-reach, reach:-reach]
