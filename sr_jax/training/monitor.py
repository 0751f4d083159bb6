"""Watches a run: whether its losses are finite, and where the time goes."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sr_jax.errors import TrainingError

MOST_SKIPPED = 100
"""More skipped steps in a row than this end the run: it does not train any more."""


class Metrics:
    """Collects what the steps return, by name. Losses are checked one dispatch late, so that the devices never run dry.

    Args:
      describe: turns a step into the part of an error message that says what was in its batch and what is safe.
    """

    def __init__(self, describe: Callable[[int], str]):
        self._describe = describe
        self._in_flight: tuple[int, dict[str, Any]] | None = None
        self._collected: dict[str, list[float]] = {}
        self._skipped_in_a_row = 0

    def add(self, first_step: int, metrics: dict[str, Any]) -> None:
        """Takes the metrics of a dispatch that has just begun, and checks those of the dispatch before it.

        Raises:
          TrainingError: as `settle` does.
        """
        self.settle()
        self._in_flight = (first_step, metrics)

    def pending(self) -> bool:
        """Returns whether the devices still work on the dispatch that was added last."""
        return self._in_flight is not None and not self._in_flight[1]["loss"].is_ready()

    def settle(self) -> None:
        """Waits for the dispatch in flight and checks it. Call this before anything is built on the state.

        Raises:
          TrainingError: naming the step, if a loss was not finite and the step was not skipped, or if too many were skipped.
        """
        if self._in_flight is None:
            return
        first_step, metrics = self._in_flight
        self._in_flight = None
        values = {name: np.asarray(array) for name, array in metrics.items()}
        skipped = values.get("skipped", np.zeros_like(values["loss"])) > 0
        bad = np.flatnonzero(~np.isfinite(values["loss"]) & ~skipped)
        if bad.size:
            step = first_step + int(bad[0])
            raise TrainingError(f"the loss became {values['loss'][bad[0]]} in step {step}; {self._describe(step)}")
        for index, was_skipped in enumerate(skipped):
            self._skipped_in_a_row = self._skipped_in_a_row + 1 if was_skipped else 0
            if self._skipped_in_a_row > MOST_SKIPPED:
                step = first_step + index
                raise TrainingError(
                    f"{self._skipped_in_a_row} steps in a row were skipped, because their losses or gradients were not finite; "
                    f"the last one was step {step}; {self._describe(step - MOST_SKIPPED)}"
                )
        for name, array in values.items():
            kept = array if name == "skipped" else array[~skipped]
            self._collected.setdefault(name, []).extend(kept.tolist())

    def take(self) -> dict[str, float]:
        """Returns the mean of each metric since the last call over the steps that were not skipped, the loss first.

        `skipped` is the number of the others; it is there only if steps may be skipped.
        """
        names = sorted(self._collected, key=lambda name: name != "loss")
        means = {name: float(np.mean(values)) if (values := self._collected[name]) else math.nan for name in names}
        if "skipped" in means:
            means["skipped"] = float(np.sum(self._collected["skipped"]))
        self._collected.clear()
        return means


class Meter:
    """Measures images per second, and the share of time in which the devices idle because the next item is not there.

    Evaluations and checkpoints do not count.
    """

    def __init__(self, batch: int):
        self._batch = batch
        self.steps, self.seconds, self.waited = 0, 0.0, 0.0
        self._last = (0, 0.0, 0.0)
        self._resumed: float | None = None

    def start(self) -> None:
        """Begins to count. Call this when the first step has been compiled and run."""
        self._resumed = time.monotonic()

    def stop(self) -> None:
        """Stops counting until the next `start`."""
        if self._resumed is not None:
            self.seconds += time.monotonic() - self._resumed
            self._resumed = None

    @contextlib.contextmanager
    def waiting(self, busy: Callable[[], bool]) -> Iterator[None]:
        """Goes around fetching the next item. This counts as waiting unless the devices are still `busy` at its end."""
        begin = time.monotonic()
        yield
        if self._resumed is not None and not busy():
            self.waited += time.monotonic() - begin

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Goes around what does not count."""
        self.stop()
        yield
        self.start()

    def count(self, steps: int) -> None:
        """Adds steps."""
        if self._resumed is not None:
            self.steps += steps

    def read(self) -> dict[str, float]:
        """Returns `images_per_s` and `wait_share` since the last call."""
        if self._resumed is not None:
            self.stop()
            self.start()
        now = (self.steps, self.seconds, self.waited)
        steps, seconds, waited = (a - b for a, b in zip(now, self._last, strict=True))
        self._last = now
        return {
            "images_per_s": self._batch * steps / seconds if seconds else 0.0,
            "wait_share": waited / seconds if seconds else 0.0,
        }

    @property
    def wait_share(self) -> float:
        """The share of waiting since this process began to train."""
        return self.waited / self.seconds if self.seconds else 0.0
