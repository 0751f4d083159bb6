"""Reports of an evaluation as Markdown, CSV and JSON, and paired comparisons of methods."""

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from sr_jax.evaluation.rows import MEAN, Row
from sr_jax.system.files import replace_text, without_infinities

CONFIDENCE = 0.95


class Paired(NamedTuple):
    """A comparison of two methods by Y-PSNR [dB], paired by image."""

    n: int
    """Number of images."""
    mean: float
    """Mean difference."""
    low: float
    """Lower end of the 95 % confidence interval of the mean, by Student's t; NaN for fewer than two images."""
    high: float
    """Upper end of the interval."""
    p: float
    """p-value of Wilcoxon's two-sided signed-rank test; NaN for fewer than two images, or if no image differs."""
    better: int
    """Number of images with a positive difference."""


def table(methods: Sequence[Sequence[Row]]) -> str:
    """Y-PSNR and SSIM of several methods side by side, with the gains over the first method, as Markdown."""
    first, *others = methods
    lines = []
    for index, row in enumerate(first):
        ours = [rows[index] for rows in others]
        assert all((o.set, o.image) == (row.set, row.image) for o in ours)
        psnrs = [value for o in ours for value in (o.psnr_y, o.psnr_y - row.psnr_y)]
        image = f"**{MEAN}**" if row.image == MEAN else row.image
        lines.append((row.set, image, row.psnr_y, *psnrs, row.ssim_y, *(o.ssim_y for o in ours)))
    names = [rows[0].method for rows in methods]
    gains = [text for name in names[1:] for text in (f"{name} [dB]", "gain [dB]")]
    header = ["set", "image", f"{names[0]} [dB]", *gains, *(f"{name} SSIM" for name in names)]
    formats = ("", "", ".2f", *(".2f", "+.2f") * len(others), *(".4f",) * len(names))
    return tabulate(lines, header, tablefmt="github", floatfmt=formats)


def means(methods: Sequence[Sequence[Row]]) -> str:
    """PSNR and SSIM on Y and RGB of each method, means over each set, as Markdown."""
    rows = [row for rows in methods for row in rows if row.image == MEAN]
    order = list(dict.fromkeys(row.set for row in rows))
    rows.sort(key=lambda row: order.index(row.set))
    lines = [(r.set, r.method, r.psnr_y, r.ssim_y, r.psnr_rgb, r.ssim_rgb) for r in rows]
    header = ["set", "method", "Y-PSNR [dB]", "Y-SSIM", "RGB-PSNR [dB]", "RGB-SSIM"]
    return tabulate(lines, header, tablefmt="github", floatfmt=("", "", ".2f", ".4f", ".2f", ".4f"))


def compare(reference: Sequence[Row], other: Sequence[Row]) -> Paired:
    """Compares `other` minus `reference`, paired by image.

    Images that one of them reproduces exactly have an infinite PSNR and are left out.
    """
    from scipy import stats  # slow to import

    both = [(theirs, ours) for theirs, ours in zip(reference, other, strict=True) if theirs.image != MEAN]
    assert all((theirs.set, theirs.image) == (ours.set, ours.image) for theirs, ours in both)
    pairs = np.array([(theirs.psnr_y, ours.psnr_y) for theirs, ours in both]).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(1)]
    differences = pairs[:, 1] - pairs[:, 0]
    n, mean = len(differences), float(differences.mean()) if len(differences) else math.nan
    low = high = p = math.nan
    if n > 1:
        spread = float(differences.std(ddof=1)) / math.sqrt(n)
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread
        low, high = mean - reach, mean + reach
        if differences.any():
            test: Any = stats.wilcoxon(differences)  # its stub is wrong
            p = float(test.pvalue)
    return Paired(n, mean, low, high, p, int((differences > 0).sum()))


def comparisons(methods: Sequence[Sequence[Row]]) -> str:
    """Compares each method with the first, over the images of each set and over all images, as Markdown."""
    first, *others = methods
    sets = list(dict.fromkeys(row.set for row in first))
    lines = []
    for rows in others:
        for name in [*sets, *(["all"] if len(sets) > 1 else [])]:
            a, b = ([row for row in side if name in (row.set, "all")] for side in (first, rows))
            paired = compare(a, b)
            interval = "" if math.isnan(paired.low) else f"{paired.low:+.3f} to {paired.high:+.3f}"
            p = "" if math.isnan(paired.p) else f"{paired.p:.2g}"
            better = f"{paired.better} of {paired.n}"
            lines.append((f"{rows[0].method} - {first[0].method}", name, paired.mean, interval, p, better))
    header = ["Y-PSNR difference", "set", "mean [dB]", "95 % interval [dB]", "Wilcoxon p", "images better"]
    return tabulate(lines, header, tablefmt="github", floatfmt=("", "", "+.3f", "", "", ""), disable_numparse=[3, 4, 5])


def write(directory: Path, rows: Sequence[Row], markdown: str) -> None:
    """Writes all rows to `results.json` and `results.csv`, and `markdown` to `results.md`."""
    replace_text(directory / "results.json", to_json(rows))
    replace_text(directory / "results.csv", to_csv(rows))
    replace_text(directory / "results.md", markdown)


def to_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON list. An infinite PSNR becomes null, because JSON has no infinity."""
    return json.dumps([without_infinities(row._asdict()) for row in rows], indent=1) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV, under a line with the names of their fields."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    return text.getvalue()
