"""Reports of an evaluation as Markdown, CSV and JSON, and paired comparisons of methods."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from sr_jax.errors import printable
from sr_jax.evaluation.rows import CEILING, FIGURES, MEAN, Row, capped
from sr_jax.system.files import replace_text, without_infinities
from sr_jax.system.paths import AnyPath

CONFIDENCE = 0.95
SIDE_BY_SIDE = 2
"""Up to so many methods, the table of images also has gains and SSIM."""


WIDTH = 100
"""Columns of a terminal that the tables of a comparison should fit into."""


class Method(NamedTuple):
    """One method of a report: a network, or several runs that differ only in their seeds."""

    name: str
    runs: Sequence[Sequence[Row]]
    """The rows of each run."""

    @property
    def rows(self) -> list[Row]:
        """The rows of the only run, or the means over the runs, under the name of the method."""
        return [_over_runs(rows)._replace(method=self.name) for rows in zip(*self.runs, strict=True)]


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


def tables(methods: Sequence[Method], *, compare: bool) -> list[str]:
    """The tables of an evaluation as Markdown: the images, their means, and the comparisons with the first method.

    If the names of more than two methods make tables wider than `WIDTH`, columns are numbered, and a list of names comes first.
    """
    made = _tables(methods, compare=compare)
    wide = [image_table([method.rows for method in methods]), means(methods)]
    if len(methods) <= SIDE_BY_SIDE or max(text.index("\n") for text in wide) <= WIDTH:
        return made
    numbered = [method._replace(name=f"({number})") for number, method in enumerate(methods, 1)]
    names = [f"- {short.name} {printable(method.name)}" for short, method in zip(numbered, methods, strict=True)]
    return ["\n".join(names), *_tables(numbered, compare=compare)]


def _tables(methods: Sequence[Method], *, compare: bool) -> list[str]:
    rows = [method.rows for method in methods]
    heading = ["Y-PSNR [dB] of each image, and the means of each set:"] if len(methods) > SIDE_BY_SIDE else []
    runs = [[row._replace(method=method.name) for row in run] for method in methods for run in method.runs]
    texts = [*heading, image_table(rows), *notes(runs), means(methods)]
    return [*texts, comparisons(rows)] if compare else texts


def table(methods: Sequence[Sequence[Row]]) -> str:
    """The images of several methods side by side, and notes about those that do not count like the others, as Markdown."""
    return "\n\n".join([image_table(methods), *notes(methods)])


def image_table(methods: Sequence[Sequence[Row]]) -> str:
    """Y-PSNR of each image by several methods side by side, as Markdown.

    Two methods also have their gain, which is the second minus the first, and their SSIM.
    """
    names, with_gain = [rows[0].method for rows in methods], len(methods) <= SIDE_BY_SIDE
    lines = []
    for row, *others in zip(*methods, strict=True):
        assert all((o.set, o.image) == (row.set, row.image) for o in others)
        line = [row.set, _image(row, methods[0]), f"{row.psnr_y:.2f}"]
        for other in others:
            line += [f"{other.psnr_y:.2f}", *([f"{_difference(row, other):+.2f}"] if with_gain else [])]
        lines.append([*line, *(f"{o.ssim_y:.4f}" for o in (row, *others) if with_gain)])
    header = ["set", "image", *names]
    if with_gain:
        gains = [text for name in names[1:] for text in (f"{name} [dB]", "gain [dB]")]
        header = ["set", "image", f"{names[0]} [dB]", *gains, *(f"{name} SSIM" for name in names)]
    return _markdown(lines, header, text=(0, 1))


def notes(methods: Iterable[Sequence[Row]]) -> list[str]:
    """One line for the images that the means leave out, and one for those whose PSNR counts as `CEILING`."""
    rows = [row for rows in methods for row in rows if row.image != MEAN]
    left_out = dict.fromkeys(f"{row.image} ({row.set})" for row in rows if not row.counted)
    high = [
        f"{row.method} on {row.image} ({row.set})" for row in rows if row.counted and max(row.psnr_y, row.psnr_rgb) > CEILING
    ]
    lines = []
    if left_out:
        why = "because bicubic interpolation reproduces HR exactly there, so that its PSNR is infinite"
        lines.append(f"All means leave out {', '.join(map(printable, left_out))}, {why}.")
    if high:
        why = f"The means count a PSNR above {CEILING:g} dB, which is infinite where SR equals HR, as {CEILING:g} dB"
        lines.append(f"{why}: {', '.join(map(printable, high))}.")
    return lines


def means(methods: Sequence[Method]) -> str:
    """PSNR and SSIM on Y and RGB, means over each set, one column for each method, as Markdown.

    A method with several runs has the mean over them and their standard deviation (with n - 1).
    """
    names = {"psnr_y": "Y-PSNR [dB]", "ssim_y": "Y-SSIM", "psnr_rgb": "RGB-PSNR [dB]", "ssim_rgb": "RGB-SSIM"}
    columns = [[[row for row in rows if row.image == MEAN] for rows in method.runs] for method in methods]
    lines = []
    for index, row in enumerate(columns[0][0]):
        for key in FIGURES:
            digits = 2 if "psnr" in key else 4
            values = [[getattr(rows[index], key) for rows in runs] for runs in columns]
            lines.append([row.set, names[key], *(_with_spread(of_runs, digits) for of_runs in values)])
    return _markdown(lines, ["set", "mean", *(method.name for method in methods)], text=(0, 1))


def compare(reference: Sequence[Row], other: Sequence[Row]) -> Paired:
    """Compares `other` minus `reference`, paired by image, over the images that the means count, and as they count them."""
    from scipy import stats  # slow to import

    both = [(theirs, ours) for theirs, ours in zip(reference, other, strict=True) if theirs.image != MEAN]
    assert all((theirs.set, theirs.image) == (ours.set, ours.image) for theirs, ours in both)
    differences = np.array([capped(ours.psnr_y) - capped(theirs.psnr_y) for theirs, ours in both if theirs.counted])
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
            mean = "" if math.isnan(paired.mean) else f"{paired.mean:+.3f}"
            lines.append((f"{rows[0].method} - {first[0].method}", name, mean, interval, p, better))
    header = ["Y-PSNR difference", "set", "mean [dB]", "95 % interval", "Wilcoxon p", "better"]
    return _markdown(lines, header, text=(0, 1, 3, 4, 5))


def write(directory: AnyPath, rows: Sequence[Row], markdown: str) -> None:
    """Writes all rows to `results.json` and `results.csv`, and `markdown` to `results.md`."""
    replace_text(directory / "results.json", to_json(rows))
    replace_text(directory / "results.csv", to_csv(rows))
    replace_text(directory / "results.md", markdown)


def to_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON list. An infinite PSNR becomes null, because JSON has no infinity."""
    return json.dumps([without_infinities(row._asdict()) for row in rows], indent=1) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV, under a line with the names of their fields."""
    return "".join(f"{_csv_line(values)}\n" for values in (Row._fields, *rows))


def _csv_line(values: Sequence[Any]) -> str:
    """One record. It is quoted as if it ended with CR LF, because a CR within a name must be quoted, too."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue().removesuffix("\r\n").encode(errors="backslashreplace").decode()


def _markdown(lines: Sequence[Sequence[str]], header: Sequence[str], *, text: Sequence[int]) -> str:
    """A table of strings. The columns whose indices are in `text` are aligned left, and the others right."""
    cells = [[_text(cell) for cell in line] for line in lines]
    align = ["left" if column in text else "right" for column in range(len(header))]
    return tabulate(cells, [_text(name) for name in header], tablefmt="github", disable_numparse=True, colalign=align)


def _text(name: str) -> str:
    """A name that neither ends a cell nor a row."""
    return printable(name).replace("|", "\\|")


def _image(row: Row, rows: Sequence[Row]) -> str:
    """The name of an image. A mean says over how many images it is, unless it is over all of its set."""
    if row.image != MEAN:
        return row.image
    images = [other for other in rows if other.set == row.set and other.image != MEAN]
    return f"**{MEAN}**" if row.counted == len(images) else f"**{MEAN} of {row.counted}**"


def _difference(reference: Row, other: Row) -> float:
    """The gain in Y-PSNR [dB], which is 0 if both are infinite."""
    return 0.0 if other.psnr_y == reference.psnr_y else other.psnr_y - reference.psnr_y


def _with_spread(values: Sequence[float], digits: int) -> str:
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def _over_runs(rows: Sequence[Row]) -> Row:
    if len(rows) == 1:
        return rows[0]
    first = rows[0]
    assert all((row.set, row.image, row.counted) == (first.set, first.image, first.counted) for row in rows)
    return first._replace(**{key: float(np.mean([capped(getattr(row, key)) for row in rows])) for key in FIGURES})
