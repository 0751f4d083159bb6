"""Watching a run: are the losses finite, and where does the time go."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from sr_jax.errors import TrainingError


class Losses:
    """The losses of a run, checked one dispatch late, so that the devices always have one more dispatch to work on.

    Args:
      describe: from a step to what was in its batch and what is safe, for the error message.
    """

    def __init__(self, describe: Callable[[int], str]):
        self._describe = describe
        self._in_flight: tuple[int, Any] | None = None
        self._since_take: list[float] = []

    def add(self, first_step: int, losses: jax.Array) -> None:
        """Takes the losses of a dispatch just begun, and checks those of the one before.

        Raises:
          TrainingError: naming the step, if a loss was not finite.
        """
        self.settle()
        self._in_flight = (first_step, losses)

    def pending(self) -> bool:
        """Whether the devices are still at work on the dispatch added last."""
        return self._in_flight is not None and not self._in_flight[1].is_ready()

    def settle(self) -> None:
        """Waits for the dispatch in flight and checks it. To be called before anything is built on the state.

        Raises:
          TrainingError: naming the step, if a loss was not finite.
        """
        if self._in_flight is None:
            return
        first_step, losses = self._in_flight
        self._in_flight = None
        values = np.asarray(losses)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            step = first_step + int(bad[0])
            raise TrainingError(f"the loss became {values[bad[0]]} in step {step}; {self._describe(step)}")
        self._since_take.extend(values.tolist())

    def take(self) -> float:
        """The mean since the last call."""
        mean = float(np.mean(self._since_take))
        self._since_take.clear()
        return mean


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
        """Begins to count, when the first step has been compiled and run."""
        self._resumed = time.monotonic()

    def stop(self) -> None:
        if self._resumed is not None:
            self.seconds += time.monotonic() - self._resumed
            self._resumed = None

    @contextlib.contextmanager
    def waiting(self, busy: Callable[[], bool]) -> Iterator[None]:
        """Around fetching the next item. It counts as waiting unless the devices are still `busy` once the item is there."""
        begin = time.monotonic()
        yield
        if self._resumed is not None and not busy():
            self.waited += time.monotonic() - begin

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self.stop()
        yield
        self.start()

    def count(self, steps: int) -> None:
        if self._resumed is not None:
            self.steps += steps

    def read(self) -> dict[str, float]:
        """Images per second and share of waiting, since the last call."""
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
        """Since the start of this session of the run."""
        return self.waited / self.seconds if self.seconds else 0.0


class CompileClock:
    """How long JAX lowers and compiles, and how many programs, while this context manager is open.

    Reading a program from the compilation cache counts, for the time it takes.
    """

    def __init__(self) -> None:
        self.seconds, self.programs = 0.0, 0

    def __enter__(self) -> "CompileClock":
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(self, *error: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **_: Any) -> None:
        compiled = event == "/jax/core/compile/backend_compile_duration"
        if compiled or event == "/jax/core/compile/jaxpr_to_mlir_module_duration":
            self.seconds += duration_secs
            self.programs += compiled
