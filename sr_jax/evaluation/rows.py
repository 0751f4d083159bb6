"""What an evaluation says: one row for each image and method, and the means."""

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
    """What every number must say of how it came about."""

    protocol: str
    lr_source: str
    """Where LR comes from: `computed` or `files`."""
    precision: str
    """In which the network computed."""
    weights: str
    """File or directory and step; empty where there are none."""
    commit: str
    """Of the code, `-dirty` where files had been changed; or the version of the package."""


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
    """Pixels not scored at every border."""
    protocol: str
    lr_source: str
    precision: str
    weights: str
    commit: str


FIGURES = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")


def unusable(image: Image, *, scale: int) -> str | None:
    """Why an image cannot be scored, if so: it is too small, or so flat that its PSNR is infinite."""
    hr = crop_to_multiple(image.pixels, scale)
    least = metrics.SSIM_WINDOW + 2 * scale
    if min(hr.shape[:2]) < least:
        h, w = image.pixels.shape[:2]
        return f"{image.name}: {h}x{w} is too small to be scored at x{scale}; it needs {least}x{least} and multiples of {scale}"
    if np.ptp(hr, (0, 1)).max() == 0:
        return f"{image.name}: all its pixels are equal, so that PSNR is infinite"
    return None


def score(protocol: Protocol, task: Task, picture: Picture, *, method: str, stamp: Stamp) -> Row:
    """PSNR [dB] and SSIM on Y and on RGB (on the one channel of a gray image), `scale` pixels shaved from every side."""
    y_a, y_b = (metrics.shave(y, task.scale) for y in (picture.y, protocol.reference_y(task)))
    a, b = (metrics.shave(pixels, task.scale) for pixels in (picture.pixels, task.hr))
    figures = metrics.psnr(y_a, y_b), metrics.ssim(y_a, y_b), metrics.psnr(a, b), metrics.ssim(a, b)
    return Row(task.set, task.image, task.scale, method, *figures, task.scale, **stamp._asdict())


def mean_rows(rows: Iterable[Row]) -> list[Row]:
    """The mean of every set of every method, as rows whose image is `mean`."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.set, row.scale, row.method), []).append(row)
    return [
        members[0]._replace(image=MEAN, **{key: math.fsum(getattr(r, key) for r in members) / len(members) for key in FIGURES})
        for members in groups.values()
    ]


def overall(rows: Sequence[Row]) -> float:
    """Mean Y-PSNR [dB] over all images of all sets."""
    values = [row.psnr_y for row in rows if row.image != MEAN]
    return math.fsum(values) / len(values)
