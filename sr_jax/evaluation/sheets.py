"""Pictures of a run: sample sheets, pixel for pixel, and the training curve."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from sr_jax import metrics
from sr_jax.evaluation.evaluator import Sample

DETAIL = 64
"""Height and width of the magnified detail [HR pixels]."""
GAP = 8
CAPTION = 26
COLUMN = 180
"""Least width of a column, so that captions do not overlap [pixels]."""


def sample_sheet(sample: Sample, *, method: str) -> UInt8[np.ndarray, "h w 3"]:
    """LR, bicubic, SR and HR side by side, and below each a magnified detail, where bicubic errs most.

    Nothing is interpolated: LR and the details are magnified by repeating pixels.
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


def sample_sheets(samples: Sequence[Sample], *, method: str) -> Iterator[tuple[str, UInt8[np.ndarray, "h w 3"]]]:
    """The sheets of samples, each with a name that is good for a file."""
    names: set[str] = set()
    for number, sample in enumerate(samples, 1):
        name = re.sub(r"[^\w.-]", "_", f"{sample.set}_{Path(sample.image).with_suffix('')}")[:60]
        name = f"{name}-{number}" if name in names else name
        names.add(name)
        yield name, sample_sheet(sample, method=method)


def _hardest(sample: Sample) -> tuple[int, int, int]:
    """Top left corner and size of the square in which bicubic's squared error is largest."""
    error = (metrics.luma(sample.bicubic) - metrics.luma(sample.hr))[..., 0] ** 2
    size = min(DETAIL, *error.shape)
    total = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    y, x = np.unravel_index(sums.argmax(), sums.shape)
    return int(y), int(x), size


def save_png(pixels: UInt8[np.ndarray, "h w 3"], path: Path) -> None:
    PILImage.fromarray(pixels).save(path)


def training_curve(history: Sequence[dict[str, Any]], path: Path, *, bicubic: float, method: str) -> None:
    """Loss, and Y-PSNR of the evaluations with bicubic's as a line, over the steps.

    Args:
      history: the lines of `metrics.jsonl`.
      bicubic: mean Y-PSNR of bicubic [dB].
    """
    from matplotlib.figure import Figure  # slow to import, and wanted at the end alone

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses, scores = ([(row["step"], row[name]) for row in history if row.get(name) is not None] for name in ("loss", "psnr_y"))
    if losses:
        left.semilogy(*zip(*losses, strict=True))
    left.set(xlabel="step", ylabel="training loss", title="Loss")
    if scores:
        right.plot(*zip(*scores, strict=True), marker="o", markersize=3, label=method)
    right.axhline(bicubic, color="gray", linestyle="--", label="bicubic")
    right.set(xlabel="step", ylabel="mean Y-PSNR [dB]", title="Evaluation (EMA weights)")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
