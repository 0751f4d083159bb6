"""Sample sheets: LR, bicubic, SR and HR of an image side by side, pixel for pixel."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from sr_jax import metrics
from sr_jax.evaluation.evaluator import Sample
from sr_jax.system.files import replace_bytes
from sr_jax.system.paths import AnyPath

DETAIL = 64
"""Height and width of the magnified detail [HR pixels]."""
GAP = 8
"""Space between pictures [pixels]."""
CAPTION = 26
"""Height of the captions [pixels]."""
COLUMN = 180
"""Minimum width of a column, so that captions do not overlap [pixels]."""


def write_sheets(
    samples: Sequence[Sample], folder: AnyPath, *, method: str
) -> Iterator[tuple[str, UInt8[np.ndarray, "h w 3"]]]:
    """Writes the sheet of each sample to `folder` as NAME.png, and yields its name and its pixels, one sheet at a time.

    Args:
      folder: is created if it does not exist.
      method: the network's name in the captions.

    Raises:
      OSError: naming the file, if it cannot be written. A sheet is written whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, sample in _named(samples):
        sheet = sample_sheet(sample, method=method)
        replace_bytes(folder / f"{name}.png", _png(sheet))
        yield name, sheet


def sample_sheet(sample: Sample, *, method: str) -> UInt8[np.ndarray, "h w 3"]:
    """LR, bicubic, SR and HR side by side, and below each a magnified detail, where the error of bicubic is largest.

    LR and the details are magnified by repeating pixels; nothing is interpolated.
    """
    scale = sample.hr.shape[0] // sample.lr.shape[0]
    lr = np.repeat(np.repeat(sample.lr, scale, 0), scale, 1)
    height, width = sample.hr.shape[:2]
    y, x, size = _hardest(sample)
    y, x = y // scale * scale, x // scale * scale
    magnification = max(1, width // size)
    columns = [
        (f"LR {sample.lr.shape[1]}x{sample.lr.shape[0]}", lr),
        (f"bicubic {sample.bicubic_psnr:.2f} dB", sample.bicubic),
        (f"{method} {sample.sr_psnr:.2f} dB", sample.sr),
        (f"HR {width}x{height}", sample.hr),
    ]
    pitch = max(width, magnification * size, COLUMN) + GAP
    sheet = PILImage.new("RGB", (GAP + len(columns) * pitch, height + magnification * size + 2 * GAP + CAPTION), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    for index, (caption, pixels) in enumerate(columns):
        left = GAP + index * pitch
        rgb = np.broadcast_to(pixels, (height, width, 3))
        detail = rgb[y : y + size, x : x + size].repeat(magnification, 0).repeat(magnification, 1)
        draw.text((left, 3), caption, fill="black", font=font)
        sheet.paste(PILImage.fromarray(np.ascontiguousarray(rgb)), (left, CAPTION))
        draw.rectangle((left + x - 1, CAPTION + y - 1, left + x + size, CAPTION + y + size), outline="red", width=2)
        sheet.paste(PILImage.fromarray(detail), (left, CAPTION + height + GAP))
    return np.asarray(sheet)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PILImage.fromarray(pixels).save(file, "png")
    return file.getvalue()


def _named(samples: Sequence[Sample]) -> Iterator[tuple[str, Sample]]:
    """The samples with unique names that are safe as file names."""
    names: set[str] = set()
    for number, sample in enumerate(samples, 1):
        name = re.sub(r"[^\w.-]", "_", f"{sample.set}_{Path(sample.image).with_suffix('')}")[:60]
        name = f"{name}-{number}" if name in names else name
        names.add(name)
        yield name, sample


def _hardest(sample: Sample) -> tuple[int, int, int]:
    """Row, column and size of the square in which the squared error of bicubic is largest."""
    error = (metrics.luma(sample.bicubic) - metrics.luma(sample.hr))[..., 0] ** 2
    size = min(DETAIL, *error.shape)
    total = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    y, x = np.unravel_index(sums.argmax(), sums.shape)
    return int(y), int(x), size
