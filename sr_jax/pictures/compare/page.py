"""Makes the page: one HTML file that holds its pictures and scripts, and refers to nothing outside."""

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from sr_jax.pictures import write
from sr_jax.pictures.picture import GRAY, RGB, Metadata, Picture

FOLDER = Path(__file__).parent
ERROR = ((0.0, "#000004"), (0.13, "#1b0c41"), (0.25, "#4a0c6b"), (0.38, "#781c6d"), (0.5, "#a52c60"))
ERROR += ((0.63, "#cf4446"), (0.75, "#ed6925"), (0.88, "#fb9b06"), (1.0, "#fcffa4"))
"""Colours from no error to the greatest one that is shown, like matplotlib's `inferno`."""
DIFFERENCE = ((0.0, "#053061"), (0.25, "#4393c3"), (0.5, "#f7f7f7"), (0.75, "#d6604d"), (1.0, "#67001f"))
"""Colours from darker over equal to brighter, like matplotlib's `RdBu_r`."""
TOPS = (2, 5, 10, 20, 50, 100, 255)
"""Values at the ends of the scale of colours, of which one is chosen [grey levels of 255]."""
SHARE = 98
"""Percentile of the errors that the scale reaches at least."""

Colours = tuple[tuple[float, str], ...]


class View(NamedTuple):
    """One of the pictures of the page."""

    name: str
    """Its name in the script: input, bicubic, sr, hr or another one."""
    title: str
    """On its button."""
    caption: str
    """What follows the title in the picture itself, such as its PSNR; may be empty."""
    png: bytes
    is_error: bool = False


class Score(NamedTuple):
    """A row of the table."""

    method: str
    figures: tuple[float, float, float, float]
    """PSNR [dB] and SSIM of Y, PSNR and SSIM of RGB."""


class Legend(NamedTuple):
    """What the colours of the error maps mean."""

    text: str
    colours: Colours
    ticks: tuple[str, ...]


class Page(NamedTuple):
    """What a page shows."""

    title: str
    subtitle: str
    size: tuple[int, int]
    """Height and width of the part of the result that is shown [pixels]."""
    views: Sequence[View]
    scores: Sequence[Score]
    protocol: str
    """What the scores are; one sentence."""
    legend: Legend
    notes: Sequence[str]


def to_html(page: Page) -> bytes:
    """Returns the file."""
    height, width = page.size
    values = {
        "title": html.escape(page.title),
        "subtitle": html.escape(page.subtitle),
        "width": str(width),
        "height": str(height),
        "views": "\n".join(_figure(view, page.size) for view in page.views),
        "scores": _table(page.scores, page.protocol),
        "legend": _legend(page.legend),
        "notes": "\n".join(f"<li>{html.escape(note)}</li>" for note in page.notes),
        "css": _read("page.css"),
        "component": _read("img-comparison-slider.js").replace("//# sourceMappingURL=index.js.map", ""),
        "script": _read("page.js"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _read("page.html")).encode()


def png(pixels: UInt8[np.ndarray, "h w c"], *, icc: bytes | None) -> bytes:
    """Returns a PNG file of a gray or RGB picture.

    Args:
      icc: its colour profile, which the browser applies.
    """
    space = GRAY if pixels.shape[-1] == 1 else RGB
    return write.encode(Picture(pixels.copy(), None, space, Metadata(icc=icc), "png"), "png", quality=None)


def top(errors: Sequence[Float[np.ndarray, "h w 1"]]) -> int:
    """Returns the end of the scale of colours for these maps [grey levels of 255]."""
    greatest = max(float(np.percentile(np.abs(error), SHARE)) for error in errors)
    return next(value for value in TOPS if greatest <= value or value == TOPS[-1])


def coloured(error: Float[np.ndarray, "h w 1"], colours: Colours, *, low: float, high: float) -> UInt8[np.ndarray, "h w 3"]:
    """Returns a map in colours, which go from `low` to `high`. Values beyond them get the last colour."""
    places = np.array([place for place, _ in colours])
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for _, colour in colours])
    table = np.stack([np.interp(np.linspace(0, 1, 256), places, stops[:, c]) for c in range(3)], -1).round().astype(np.uint8)
    share = np.clip((error[..., 0] - low) / (high - low), 0, 1)
    return table[np.round(255 * share).astype(np.uint8)]


def error_legend(high: int) -> Legend:
    """The legend of maps of the error against HR."""
    text = "Error maps: the absolute difference of Y from HR [grey levels of 255]."
    return Legend(text, ERROR, ("0", f"{high / 2:g}", _and_more(high)))


def difference_legend(high: int, *, method: str) -> Legend:
    """The legend of the map of the difference from bicubic interpolation."""
    text = f"No HR is given, so the map shows the difference {method} − bicubic of Y [grey levels of 255]. It is not an error."
    return Legend(text, DIFFERENCE, (f"−{_and_more(high)}", "0 equal", _and_more(high)))


def _and_more(high: int) -> str:
    return f"{high}" if high == TOPS[-1] else f"{high} and more"


def _figure(view: View, size: tuple[int, int]) -> str:
    label = html.escape(f"{view.title} · {view.caption}" if view.caption else view.title)
    kind = "error" if view.is_error else "picture"
    data = base64.b64encode(view.png).decode()
    return (
        f'<figure data-name="{view.name}" data-label="{label}" data-kind="{kind}">'
        f'<img alt="{label}" width="{size[1]}" height="{size[0]}" src="data:image/png;base64,{data}">'
        f"<figcaption>{label}</figcaption></figure>"
    )


def _table(scores: Sequence[Score], protocol: str) -> str:
    if not scores:
        return ""
    heads = ("method", "PSNR of Y [dB]", "SSIM of Y", "PSNR of RGB [dB]", "SSIM of RGB")
    best = [max(score.figures[i] for score in scores) for i in range(4)]
    rows = []
    for score in scores:
        cells = [
            f"<td{' class=best' if value == best[i] else ''}>{value:.{2 if i % 2 == 0 else 4}f}</td>"
            for i, value in enumerate(score.figures)
        ]
        rows.append(f'<tr><th scope="row">{html.escape(score.method)}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        f"<table><caption>{html.escape(protocol)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _legend(legend: Legend) -> str:
    stops = ", ".join(f"{colour} {100 * place:g}%" for place, colour in legend.colours)
    ticks = "".join(f"<span>{html.escape(tick)}</span>" for tick in legend.ticks)
    return (
        f'<div class="legend">{html.escape(legend.text)}'
        f'<div class="bar" style="background: linear-gradient(to right, {stops})"></div><div class="ticks">{ticks}</div></div>'
    )


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
