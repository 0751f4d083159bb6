"""SIGTERM (preemption) and SIGINT (Ctrl-C) wait for the end of a dispatch."""

import contextlib
import os
import signal
from types import FrameType

from sr_jax.errors import Interrupted

STDERR = 2


class StopSignals:
    """While it is entered, the first SIGTERM or SIGINT stops a run where nothing is lost. A second one acts as usual.

    Before `defer` is called there is nothing to save, and the first signal raises `Interrupted` at once. After it, the signal
    is only stored in `received`.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._is_deferred = False
        self._before: dict[signal.Signals, object] = {}

    def defer(self) -> None:
        """From now on a signal waits until the run looks at `received`."""
        self._is_deferred = True

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores signals, and the run must go on ignoring them
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = signal.Signals(number)
        self._restore()
        if not self._is_deferred:
            raise Interrupted(f"stopped by {self.received.name} before the first step; the same command goes on")
        # The signal may have come while the progress bar writes to sys.stderr, which may not be entered twice.
        with contextlib.suppress(OSError):  # there may be nobody to read it
            os.write(STDERR, f"\n{self.received.name}: saving after this step; a second signal stops at once\n".encode())

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        self._before.clear()
