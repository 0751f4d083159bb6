"""Random windows of a picture, in which tiles are compared with the network on the window."""

from typing import NamedTuple

import numpy as np

from sr_jax.evaluation.tiles import Span

WINDOW = 64
"""Side of the part of a window that is compared [LR pixels]."""

Slices = tuple[slice, slice]


class Window(NamedTuple):
    """A part of a picture, whose inner pixels are compared. Its edges lie far enough from them, or are those of the picture."""

    lr: Slices
    """The window in LR."""
    sr: Slices
    """The pixels that are compared, in SR."""
    within: Slices
    """The same pixels in SR of the window."""


def choose(shape: tuple[int, int], *, margin: int, scale: int, seed: int, count: int) -> list[Window]:
    """Chooses windows.

    Args:
      shape: height and width of LR.
      margin: distance between the edges of a window and the pixels that are compared [LR pixels].
    """
    rng, windows, s = np.random.default_rng(seed), [], scale
    for _ in range(count):
        places, cores, inner = [], [], []
        for size in shape:
            extent = min(size, WINDOW + 2 * margin)
            start = int(rng.integers(size - extent + 1))
            places.append(slice(start, start + extent))
            first = start if start == 0 else start + margin
            stop = size if start + extent == size else start + extent - margin
            cores.append(slice(s * first, s * stop))
            inner.append(slice(s * (first - start), s * (stop - start)))
        windows.append(Window((places[0], places[1]), (cores[0], cores[1]), (inner[0], inner[1])))
    return windows


class Watch:
    """Keeps the windows of a picture that passes in strips."""

    def __init__(self, windows: list[Window]):
        self.windows = windows
        self.lr: list[np.ndarray | None] = [None] * len(windows)
        self.sr: list[np.ndarray | None] = [None] * len(windows)

    def see_lr(self, start: int, rows: np.ndarray) -> None:
        """Takes rows of LR.

        Args:
          start: where they begin.
        """
        for i, window in enumerate(self.windows):
            self.lr[i] = _paste(self.lr[i], window.lr, (start, 0), rows)

    def see_sr(self, rows: Span, columns: Span, scale: int, values: np.ndarray) -> None:
        """Takes the kept part of a tile of SR."""
        for i, window in enumerate(self.windows):
            self.sr[i] = _paste(self.sr[i], window.sr, (scale * rows.first, scale * columns.first), values)


def _paste(part: np.ndarray | None, where: Slices, corner: tuple[int, int], values: np.ndarray) -> np.ndarray | None:
    """Copies into a part of a picture what lies in it of values that begin at a corner."""
    ours, theirs = [], []
    for place, start, size in zip(where, corner, values.shape, strict=False):
        first, stop = max(place.start, start), min(place.stop, start + size)
        if first >= stop:
            return part
        ours.append(slice(first - place.start, stop - place.start))
        theirs.append(slice(first - start, stop - start))
    if part is None:
        part = np.zeros((*(place.stop - place.start for place in where), values.shape[-1]), values.dtype)
    part[tuple(ours)] = values[tuple(theirs)]
    return part
