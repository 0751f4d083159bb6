"""Rows: the scores of one image by one method, and their means."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from sr_jax import metrics
from sr_jax.data.images import Image
from sr_jax.data.pack import crop_to_multiple
from sr_jax.evaluation.protocol import Picture, Protocol, Task

MEAN = "mean"
CEILING = 100.0
"""The largest PSNR [dB] that counts in a mean. That of an SR image that equals HR is infinite."""


class Stamp(NamedTuple):
    """The origin of a number, which each row carries."""

    protocol: str
    lr_source: str
    """`files`; `computed` for bicubic LR; `computed: STAGE, STAGE` for the stages of another degradation."""
    precision: str
    """Precision in which the network computed."""
    weights: str
    """The network's weights, with their step; empty for bicubic interpolation."""
    commit: str
    """Commit of the code, with `-dirty` if files had changed; or the version of the package."""


class Row(NamedTuple):
    """One line of `results.json`."""

    set: str
    image: str
    """The image's name, or `mean` for the mean over the set."""
    scale: int
    method: str
    psnr_y: float
    ssim_y: float
    psnr_rgb: float
    ssim_rgb: float
    shave: int
    """Width of the border that is not scored [pixels]."""
    protocol: str
    lr_source: str
    precision: str
    weights: str
    commit: str
    counted: int = 1
    """How many images the means count: 1, or 0 for an image that they leave out; for a mean, the number of its images."""


FIGURES = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")


def unusable(image: Image, *, scale: int) -> str | None:
    """The reason why an image cannot be scored: it is too small, or its scored pixels are equal. None if it can be scored."""
    hr = crop_to_multiple(image.pixels, scale)
    if min(hr.shape[:2]) < metrics.SSIM_WINDOW + 2 * scale:
        h, w = image.pixels.shape[:2]
        least = -(-metrics.SSIM_WINDOW // scale) * scale + 2 * scale  # the image is cropped to a multiple of the scale
        return f"{image.name}: {h}x{w} is too small to be scored at x{scale}; it needs {least}x{least}"
    if np.ptp(metrics.shave(hr, scale), (0, 1)).max() == 0:
        return f"{image.name}: all its pixels, without {scale} at each border, are equal, so its PSNR may be infinite"
    return None


def score(protocol: Protocol, task: Task, picture: Picture, *, method: str, stamp: Stamp) -> Row:
    """PSNR [dB] and SSIM on Y and RGB (for a gray image, on its one channel), without `scale` pixels at each border."""
    y_a, y_b = (metrics.shave(y, task.scale) for y in (picture.y, protocol.reference_y(task)))
    a, b = (metrics.shave(pixels, task.scale) for pixels in (picture.pixels, task.hr))
    figures = metrics.psnr(y_a, y_b), metrics.ssim(y_a, y_b), metrics.psnr(a, b), metrics.ssim(a, b)
    return Row(task.set, task.image, task.scale, method, *figures, task.scale, **stamp._asdict())


def counts(row: Row) -> bool:
    """Whether the means count an image. They do not if bicubic interpolation reproduces it exactly, on Y or on RGB.

    This depends on the image and its LR only, so the means of all methods are over the same images.

    Args:
      row: the scores of bicubic interpolation.
    """
    return math.isfinite(row.psnr_y) and math.isfinite(row.psnr_rgb)


def capped(psnr: float) -> float:
    """The PSNR [dB] as it counts in a mean: at most `CEILING`."""
    return min(psnr, CEILING)


def mean_rows(rows: Iterable[Row]) -> list[Row]:
    """The means over each set, for each method, as rows whose image is `mean`.

    They leave out the images that do not count, and an infinite PSNR counts as `CEILING`. If no image counts, they are NaN.
    """
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.set, row.scale, row.method), []).append(row)
    return [_mean(members) for members in groups.values()]


def overall(rows: Sequence[Row]) -> float:
    """The mean Y-PSNR [dB] over all images of all sets, as in `mean_rows`. It is finite if an image counts."""
    return _mean([row for row in rows if row.image != MEAN]).psnr_y


def _mean(rows: Sequence[Row]) -> Row:
    counted = [row for row in rows if row.counted]
    figures = {key: _mean_of([getattr(row, key) for row in counted]) for key in FIGURES}
    return rows[0]._replace(image=MEAN, counted=len(counted), **figures)


def _mean_of(values: Sequence[float]) -> float:
    return math.fsum(map(capped, values)) / len(values) if values else math.nan
