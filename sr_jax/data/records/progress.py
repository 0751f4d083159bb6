"""The progress of a preparation on standard error: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm

from sr_jax.system.remaining import time_left

EVERY = 10.0
"""Seconds between two lines."""


class Progress:
    """A progress bar on a terminal, plain lines elsewhere. Standard output is that of one process of a run only.

    Args:
      title: what is prepared.
      total: the number of its images.
      terminal: whether to draw a bar; by default, whether standard error is a terminal.
    """

    def __init__(self, title: str, *, total: int, terminal: bool | None = None):
        terminal = sys.stderr.isatty() if terminal is None else terminal
        self._title, self._total = title, total
        self._bar = tqdm(total=total, desc=title, unit=" images", file=sys.stderr, dynamic_ncols=True) if terminal else None
        self._done = self._old = 0
        self._began = self._said = time.monotonic()

    def advance(self, *, is_old: bool = False) -> None:
        """Counts an image. One that is old was prepared before, and says nothing about the time that is left."""
        self._done += 1
        if is_old:
            self._old, self._began = self._done, time.monotonic()
        if self._bar is not None:
            self._bar.update()
        elif time.monotonic() - self._said >= EVERY and self._done < self._total:
            self._said = time.monotonic()
            print(f"{self._title}: {self._done:,} of {self._total:,} images, {self._left()} left", file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _left(self) -> str:
        return time_left(time.monotonic() - self._began, done=self._done - self._old, rest=self._total - self._done)
