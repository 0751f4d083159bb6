"""Frames of animations: how they are laid on a canvas, and what of it changes from one to the next."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Num

KEEP, CLEAR, RESTORE = 0, 1, 2
"""What becomes of a frame's area before the next one: it stays, becomes transparent, or shows again what was there before."""


SHORT = Fraction(1, 100)
"""Browsers show frames of up to this duration for a tenth of a second."""


class Layer(NamedTuple):
    """A frame as its file holds it: a part of the canvas."""

    pixels: Num[np.ndarray, "h w c"]
    """Colours, and opacity as the last channel."""
    top: int
    left: int
    is_over: bool
    """Whether it is laid over the canvas. Otherwise it replaces its area, transparency included."""
    disposal: int
    duration: Fraction
    """How long it is seen [s]."""


class Box(NamedTuple):
    """A part of a canvas."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def composite(layers: Iterator[Layer], shape: tuple[int, int]) -> Iterator[tuple[Num[np.ndarray, "h w c"], Fraction]]:
    """Yields the frames of an animation as they are seen, with their durations.

    Args:
      shape: height and width of the canvas. What exceeds it is cut off.
    """
    canvas: np.ndarray | None = None
    for layer in layers:
        if canvas is None:
            canvas = np.zeros((*shape, layer.pixels.shape[-1]), layer.pixels.dtype)
        area = canvas[layer.top : layer.top + layer.pixels.shape[0], layer.left : layer.left + layer.pixels.shape[1]]
        given = layer.pixels[: area.shape[0], : area.shape[1]]
        before = area.copy() if layer.disposal == RESTORE else 0
        area[...] = _over(given, area) if layer.is_over else given
        yield canvas.copy(), layer.duration
        if layer.disposal != KEEP:
            area[...] = before


def changes(before: Num[np.ndarray, "h w c"], now: Num[np.ndarray, "h w c"], *, even: bool) -> Box:
    """Returns the smallest part of a frame that holds all pixels that changed; one pixel if there are none.

    Args:
      even: whether its place has even coordinates.
    """
    changed = (before != now).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(rows):
        return Box(0, 0, 1, 1)
    top, left = (int(places[0]) // 2 * 2 if even else int(places[0]) for places in (rows, columns))
    return Box(top, left, int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left)


def in_units(durations: list[Fraction], per_second: int, *, most: int, least: int) -> list[int]:
    """Returns durations in whole units. Their sum is right to half a unit, unless frames are shorter than `least`.

    Args:
      per_second: units in a second.
      most: units that the format can hold.
      least: units that a frame has at least. Frames of up to a hundredth of a second, which programs show for a tenth, have at
        most one hundredth.
    """
    total, done, units = Fraction(0), 0, []
    for duration in durations:
        total += duration
        shortest = least if duration > SHORT else 1 if duration else 0
        unit = max(round(total * per_second) - done, shortest)
        unit = unit if duration > SHORT else min(unit, round(SHORT * per_second))
        units.append(min(most, unit))
        done += unit
    return units


def _over(front: np.ndarray, back: np.ndarray) -> np.ndarray:
    """One picture over another (PNG specification, third edition, section 13.16). Colours are not multiplied by opacity."""
    opacity = front[..., -1:]
    full = np.iinfo(front.dtype).max
    if ((opacity == 0) | (opacity == full)).all():
        return np.where(opacity == full, front, back)
    a, b = opacity / full, back[..., -1:] / full
    both = a + b * (1 - a)
    colours = (front[..., :-1] * a + back[..., :-1] * b * (1 - a)) / np.where(both > 0, both, 1)
    return np.floor(np.concatenate([colours, both * full], -1) + 0.5).astype(front.dtype)
