"""What a picture shows of its past: the quality of its JPEG file, its noise, and how much of its fine detail is missing."""

import functools
import itertools
import math

import numpy as np
from jaxtyping import Num

from sr_jax.ops.jpeg import LUMINANCE
from sr_jax.pictures import segments
from sr_jax.pictures.depth import levels

CROP = 512
"""Greatest side of the part in the middle that is measured [pixels]."""
LEAST = 96
"""A picture with a smaller side is not measured [pixels]."""
BLOCK = 6
FLATTEST = 3
"""Percentile of the blocks by whose roughness the noise is judged: texture is not everywhere, noise is."""
OF_WHITE_NOISE = 0.64
"""That percentile for white noise of deviation 1: blocks of few pixels differ by chance."""
BANDS = ((0.25, 0.5), (0.65, 1.0))
"""The middle and the high band of frequencies, as parts of the greatest one along an axis."""
QUANTISED = 1 / 12
"""Variance of rounding to whole grey levels."""


def jpeg_quality(content: bytes) -> int | None:
    """Returns the quality, from 1 to 100, whose table of libjpeg is nearest to that of a JPEG file; None for other files."""
    steps = segments.luminance_steps(content) if content[:2] == segments.JPEG_START else ()
    if not steps:
        return None
    # the logarithm, because the coarse steps of low frequencies matter as much as those of high ones
    distances = np.abs(np.log(_tables()) - np.log(np.maximum(steps, 1))).sum(-1)
    return int(distances.argmin()) + 1


def middle(pixels: Num[np.ndarray, "h w c"]) -> Num[np.ndarray, "h2 w2 c"] | None:
    """Returns the middle of a picture [grey levels of 255]; None if the picture is too small."""
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST:
        return None
    top, left = max(0, (height - CROP) // 2), max(0, (width - CROP) // 2)
    given = levels(pixels)
    part = pixels[top : top + CROP, left : left + CROP].astype(np.float64)
    return 255 * (part - given.zero) / (given.one - given.zero)


def noise(part: Num[np.ndarray, "h w c"]) -> float:
    """Estimates the standard deviation of white noise in the channels, and returns their median [grey levels of 255].

    In each block, the mean absolute response of Immerkaer's filter, to which planes are nothing, gives a deviation ("Fast Noise
    Variance Estimation", 1996). That of the flattest blocks counts, because texture answers, too. Black and white blocks are
    left out, because noise is cut off there.
    """
    return float(np.median([_noise(part[..., i]) for i in range(part.shape[-1])]))


def _noise(gray: Num[np.ndarray, "h w"]) -> float:
    rough = gray[2:] - 2 * gray[1:-1] + gray[:-2]
    rough = np.abs(rough[:, 2:] - 2 * rough[:, 1:-1] + rough[:, :-2])
    rows, columns = rough.shape[0] // BLOCK, rough.shape[1] // BLOCK

    def blocks(values: np.ndarray) -> np.ndarray:
        cut = values[: rows * BLOCK, : columns * BLOCK]
        return cut.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)

    inner = blocks(gray[1:-1, 1:-1])
    is_gray = (inner.min(-1) > 8) & (inner.max(-1) < 247)
    deviations = math.sqrt(math.pi / 2) / 6 * blocks(rough).mean(-1)[is_gray]
    return float(np.percentile(deviations, FLATTEST)) / OF_WHITE_NOISE if len(deviations) >= 16 else 0.0


def detail(part: Num[np.ndarray, "h w c"]) -> float | None:
    """Returns the power of the high frequencies over that of the middle ones, along rows and columns.

    Photographs that are reduced have most of their power in low frequencies, but some in all of them. After an enlargement or a
    blur the high ones are missing. None if there is too little of the middle ones to tell.
    """
    ratios, gray = [], part.mean(-1)
    for values in (gray, gray.T):
        n = values.shape[1]
        window = np.hanning(n)
        spectrum = np.abs(np.fft.rfft((values - values.mean(1, keepdims=True)) * window)) ** 2
        power = spectrum.mean(0) / (window**2).sum()  # white noise of variance v has power v everywhere
        places = np.arange(len(power)) / (n / 2)
        middle_power, high = (power[(places >= low) & (places < stop)].mean() for low, stop in BANDS)
        if middle_power < 20 * QUANTISED:
            return None
        ratios.append(max(0.0, high - QUANTISED) / (middle_power - QUANTISED))
    return float(max(ratios))


@functools.cache
def _tables() -> np.ndarray:
    """The luminance tables of all qualities, from 1 to 100, in the order of files: along diagonals, to and fro."""
    zigzag = sorted(itertools.product(range(8), repeat=2), key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]))
    rows, columns = np.transpose(zigzag)
    percents = np.array([5000 // quality if quality < 50 else 200 - 2 * quality for quality in range(1, 101)])
    return np.clip((LUMINANCE[rows, columns] * percents[:, None] + 50) // 100, 1, 255)
