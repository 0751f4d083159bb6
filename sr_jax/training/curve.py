"""The training curve: loss and PSNR over the steps."""

import io
from collections.abc import Sequence
from typing import Any

from sr_jax.system.files import replace_bytes
from sr_jax.system.paths import AnyPath


def training_curve(history: Sequence[dict[str, Any]], path: AnyPath, *, bicubic: float, method: str) -> None:
    """Draws the loss and the Y-PSNR of the evaluations over the steps, with bicubic interpolation as a horizontal line.

    Args:
      history: the lines of `metrics.jsonl`.
      path: the picture's file.
      bicubic: mean Y-PSNR of bicubic interpolation [dB].
      method: the network's name in the legend.

    Raises:
      OSError: naming the file, if it cannot be written. It is written whole or not at all.
    """
    from matplotlib.figure import Figure  # slow to import, and needed only at the end of a run

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses, scores = (_points(history, name) for name in ("loss", "psnr_y"))
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
    file = io.BytesIO()
    figure.savefig(file, dpi=120)
    replace_bytes(path, file.getvalue())


def _points(history: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    return [(row["step"], row[name]) for row in history if isinstance(row.get(name), int | float)]
