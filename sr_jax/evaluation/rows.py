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


FIGURES = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")


def unusable(image: Image, *, scale: int) -> str | None:
    """The reason why an image cannot be scored: it is too small, or its pixels are all equal. None if it can be scored."""
    hr = crop_to_multiple(image.pixels, scale)
    least = metrics.SSIM_WINDOW + 2 * scale
    if min(hr.shape[:2]) < least:
        h, w = image.pixels.shape[:2]
        return f"{image.name}: {h}x{w} is too small to be scored at x{scale}; it needs {least}x{least} and multiples of {scale}"
    if np.ptp(hr, (0, 1)).max() == 0:
        return f"{image.name}: all its pixels are equal, so its PSNR is infinite"
    return None


def score(protocol: Protocol, task: Task, picture: Picture, *, method: str, stamp: Stamp) -> Row:
    """PSNR [dB] and SSIM on Y and RGB (for a gray image, on its one channel), without `scale` pixels at each border."""
    y_a, y_b = (metrics.shave(y, task.scale) for y in (picture.y, protocol.reference_y(task)))
    a, b = (metrics.shave(pixels, task.scale) for pixels in (picture.pixels, task.hr))
    figures = metrics.psnr(y_a, y_b), metrics.ssim(y_a, y_b), metrics.psnr(a, b), metrics.ssim(a, b)
    return Row(task.set, task.image, task.scale, method, *figures, task.scale, **stamp._asdict())


def mean_rows(rows: Iterable[Row]) -> list[Row]:
    """The means over each set, for each method, as rows whose image is `mean`."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.set, row.scale, row.method), []).append(row)
    return [
        members[0]._replace(image=MEAN, **{key: math.fsum(getattr(r, key) for r in members) / len(members) for key in FIGURES})
        for members in groups.values()
    ]


def overall(rows: Sequence[Row]) -> float:
    """The mean Y-PSNR [dB] over all images of all sets."""
    values = [row.psnr_y for row in rows if row.image != MEAN]
    return math.fsum(values) / len(values)
