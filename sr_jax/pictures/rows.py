"""Rows of pictures that come in strips, from top to bottom: windows of them, and strips of several pictures side by side."""

import collections
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Num


class Rows:
    """The rows of a picture, of which only a window is kept.

    Args:
      strips: the picture, cut between rows.
    """

    def __init__(self, strips: Iterable[Num[np.ndarray, "_h w c"]]):
        self._strips = iter(strips)
        self._kept: list[np.ndarray] = []
        self._first = 0

    def between(self, start: int, stop: int) -> Num[np.ndarray, "n w c"]:
        """Returns the rows from `start` to `stop`, and forgets those before them. `start` never decreases.

        Raises:
          ValueError: if the picture ends before.
        """
        while self._kept and self._first + len(self._kept[0]) <= start:
            self._first += len(self._kept.pop(0))
        end = self._first + sum(map(len, self._kept))
        while end < stop:
            strip = next(self._strips, None)
            if strip is None:
                raise ValueError(f"the picture has {end} rows, not {stop}")
            end += len(strip)
            if end > start:
                self._kept.append(strip)
            else:
                self._first = end
        rows = self._kept[0] if len(self._kept) == 1 else np.concatenate(self._kept)
        rows = rows[start - self._first :]
        self._kept, self._first = [rows], start
        return rows[: stop - start]


def copies(strips: Iterable[np.ndarray], count: int) -> list[Iterator[np.ndarray]]:
    """Returns iterators over the same strips. A strip is held until all have passed it; `itertools.tee` holds dozens."""
    source = iter(strips)
    waiting = [collections.deque[np.ndarray]() for _ in range(count)]

    def one(own: collections.deque[np.ndarray]) -> Iterator[np.ndarray]:
        while True:
            if not own:
                strip = next(source, None)
                if strip is None:
                    return
                for each in waiting:
                    each.append(strip)
                del strip
            yield own.popleft()

    return [one(own) for own in waiting]


def in_step(pictures: Sequence[Iterable[np.ndarray]]) -> Iterator[list[np.ndarray]]:
    """Yields the same rows of several pictures of one height, whose strips may have different heights."""
    sources = [iter(picture) for picture in pictures]
    held: list[np.ndarray | None] = [None] * len(sources)
    while True:
        held = [next(source, None) if one is None else one for source, one in zip(sources, held, strict=True)]
        strips = [one for one in held if one is not None]
        if len(strips) < len(sources):
            return
        count = min(map(len, strips))
        yield [one[:count] for one in strips]
        held = [one[count:] if len(one) > count else None for one in strips]


def cut(strips: Iterable[np.ndarray], height: int) -> Iterator[np.ndarray]:
    """Yields the rows of a picture in strips of one height, of which the last one may be lower."""
    kept: list[np.ndarray] = []
    for strip in strips:
        place = 0
        while place < len(strip):
            part = strip[place : place + height - sum(map(len, kept))]
            place += len(part)
            kept.append(part)
            if sum(map(len, kept)) == height:
                yield kept[0] if len(kept) == 1 else np.concatenate(kept)
                kept = []
    if kept:
        yield kept[0] if len(kept) == 1 else np.concatenate(kept)
