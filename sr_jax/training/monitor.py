"""Watches a run: whether its losses are finite, and where the time goes."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from sr_jax.errors import TrainingError
from sr_jax.system.memory import used_memory

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

    def add(self, first_step: int, metrics: dict[str, Any]) -> int:
        """Takes the metrics of a dispatch that has just begun, and checks those of the dispatch before it.

        Returns:
          what `settle` returns.

        Raises:
          TrainingError: as `settle` does.
        """
        settled = self.settle()
        self._in_flight = (first_step, metrics)
        return settled

    def pending(self) -> bool:
        """Returns whether the devices still work on the dispatch that was added last."""
        return self._in_flight is not None and not self._in_flight[1]["loss"].is_ready()

    def settle(self) -> int:
        """Waits for the dispatch in flight and checks it. Call this before anything is built on the state.

        Returns:
          the number of its steps; 0 if no dispatch was in flight.

        Raises:
          TrainingError: naming the step, if a loss was not finite and the step was not skipped, or if too many were skipped.
        """
        if self._in_flight is None:
            return 0
        first_step, metrics = self._in_flight
        self._in_flight = None
        values = jax.device_get(metrics)
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
        return len(values["loss"])

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
    """Measures images per second, the time of a step, and the share of time in which the devices idle because the next item is
    not there. Evaluations and checkpoints do not count.

    The host runs ahead of the devices, so the time of one call says nothing. What is measured is the time from the end of one
    dispatch to the end of the next, as the host learns of it, divided by the steps of a dispatch.
    """

    def __init__(self, batch: int):
        self._batch = batch
        self.steps, self.seconds, self.waited = 0, 0.0, 0.0
        self._last = (0, 0.0, 0.0)
        self._resumed: float | None = None
        self._settled: float | None = None
        self._step_times: list[float] = []

    def start(self) -> None:
        """Begins to count. Call this when the first step has been compiled and run, and no dispatch is in flight."""
        self._resumed = self._settled = time.monotonic()

    def stop(self) -> None:
        """Stops counting until the next `start`."""
        if self._resumed is not None:
            self.seconds += time.monotonic() - self._resumed
            self._resumed = self._settled = None

    @contextlib.contextmanager
    def waiting(self, busy: Callable[[], bool]) -> Iterator[None]:
        """Goes around fetching the next item. This counts as waiting unless the devices are still `busy` at its end."""
        begin = time.monotonic()
        yield
        if self._resumed is not None and not busy():
            self.waited += time.monotonic() - begin

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Goes around what does not count. No dispatch may be in flight."""
        is_counting = self._resumed is not None
        self.stop()
        yield
        if is_counting:
            self.start()

    def count(self, steps: int) -> None:
        """Notes that a dispatch of so many steps has ended; 0 if none has."""
        if self._settled is None or not steps:
            return
        now = time.monotonic()
        self.steps += steps
        self._step_times.append((now - self._settled) / steps)
        self._settled = now

    def read(self) -> dict[str, float]:
        """Returns `images_per_s`, `wait_share` and the times of a step [s] since the last call; nothing if no step was counted.

        The times are median, percentiles and maximum over the dispatches.
        """
        if self._resumed is not None:
            now = time.monotonic()
            self.seconds += now - self._resumed
            self._resumed = now
        now = (self.steps, self.seconds, self.waited)
        steps, seconds, waited = (a - b for a, b in zip(now, self._last, strict=True))
        self._last = now
        times, self._step_times = self._step_times, []
        if not times:
            return {}
        median, p90, p99 = np.percentile(times, (50, 90, 99)).tolist()
        return {
            "images_per_s": self._batch * steps / seconds,
            "wait_share": waited / seconds,
            "step_s_median": median,
            "step_s_p90": p90,
            "step_s_p99": p99,
            "step_s_max": max(times),
        }

    @property
    def wait_share(self) -> float:
        """The share of waiting since this process began to train."""
        return self.waited / self.seconds if self.seconds else 0.0


def memory_in_use() -> dict[str, int]:
    """Returns the bytes of memory in use now, by name. It waits for no device. What is unknown is left out.

    `device_bytes` is what arrays and programs take on the fullest device of this process, and `device_bytes_peak` the most that
    they ever took on one. CPU devices do not count theirs. `host_bytes` is the resident memory of the process.
    """
    statistics = [device.memory_stats() or {} for device in jax.local_devices()]
    names = {"device_bytes": "bytes_in_use", "device_bytes_peak": "peak_bytes_in_use"}
    values = {ours: [known[theirs] for known in statistics if theirs in known] for ours, theirs in names.items()}
    in_use = {name: max(found) for name, found in values.items() if found}
    if host := used_memory():
        in_use["host_bytes"] = host
    return in_use
