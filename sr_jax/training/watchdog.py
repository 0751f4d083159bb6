"""Ends a process that is alive but stuck: a collective that waits forever, a file system that hangs. No heartbeat sees that."""

import contextlib
import faulthandler
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator

from sr_jax.errors import TrainingError

FLOOR = 60.0
"""A run with shorter steps counts as stuck only after this time [s]: the machine may be busy with something else."""
MEMORY = 100
"""The number of latest steps whose median counts."""


class Watchdog:
    """Prints the stacks of all threads and ends the process if no dispatch ends for `patience` times the median of the others.

    It is a context manager. Nothing counts before the first `beat`, because compiling takes long, and nothing in `paused`.

    Args:
      patience: the factor on the median time of a dispatch.
      floor: the least time [s].
      poll: how often to look [s].
    """

    def __init__(self, *, patience: float, floor: float = FLOOR, poll: float = 1.0):
        self._patience, self._floor, self._poll = patience, floor, poll
        self._times: list[float] = []
        self._last: float | None = None
        self._step = 0
        self._ended = threading.Event()

    def beat(self, step: int) -> None:
        """Notes that a dispatch has ended, after `step` steps."""
        now = time.monotonic()
        if self._last is not None:
            self._times = [*self._times[1 - MEMORY :], now - self._last]
        self._last, self._step = now, step

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Goes around what is not a step, such as an evaluation."""
        self._last = None
        yield
        self._last = time.monotonic()

    def __enter__(self) -> "Watchdog":
        threading.Thread(target=self._watch, daemon=True, name="watchdog").start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()

    def _limit(self) -> float:
        """The time [s] after which the run counts as stuck."""
        return max(self._floor, self._patience * statistics.median(self._times)) if self._times else float("inf")

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._ended.wait(self._poll):
            now, before, last = time.monotonic(), looked, self._last
            looked = now
            if now - before > 5 * self._poll + 1 and last is not None:
                self._last = now  # this thread was stopped, too: the whole process was suspended
            elif last is not None and now - last > self._limit():
                self._end(now - last)

    def _end(self, seconds: float) -> None:
        faulthandler.dump_traceback(all_threads=True)
        print(
            f"error: no step has ended for {seconds:.0f} s after step {self._step}, and a dispatch takes "
            f"{statistics.median(self._times):.2g} s; the run is stuck (the stacks of its threads are above). "
            "The same command goes on from the last checkpoint",
            file=sys.stderr,
            flush=True,
        )
        os._exit(TrainingError.status)
