"""Notices when another process of a run is gone, and ends this one with a line that says so.

JAX would notice it, too, but it aborts the process and prints a stack of its own. So every process gives signs of life through
JAX's service, which runs in the first process, and the first process watches them.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any, NoReturn

import jax
from jax._src import distributed  # JAX has no public way to share data without devices, or to hear of its service's errors
from jax._src.lib import _jax  # pyright: ignore[reportPrivateImportUsage]

from sr_jax.errors import Interrupted, TrainingError

BEAT = 1.0
"""Seconds between two signs of life."""
MARGIN = 60.0
"""JAX's own limit comes this much later [s], so that it does not abort a process that can still say what happened."""
SILENCE = 10.0
"""After an error of a connection, a process without a sign of life for this time [s] is gone."""
CLOSING = 3.0
"""Seconds that the system may need to close the port of a process that is gone."""
GRACE = 20.0
"""Seconds in which a thread that has an error of its own to report may end the process, before another one does."""
ALIVE, ENDED = "alive", "ended"
"""The keys of the signs of life, and of the reason why the run has ended."""
ADVICE = "Start all processes again"
STDERR = 2

Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)


class Presence:
    """Gives signs of life, and ends this process when another one gives none. It is a context manager.

    Args:
      coordinator: HOST:PORT of JAX's service.
      timeout: seconds without a sign of life after which a process is gone.
    """

    def __init__(self, *, index: int, count: int, coordinator: str, timeout: float):
        self._client: Any = distributed.global_state.client
        self._index, self._others = index, {*range(count)} - {index}
        self._address = coordinator.rpartition(":")
        self._timeout, self._beat = timeout, min(BEAT, timeout / 5)
        self._answered = self._awake = time.monotonic()
        self._seen: dict[int, tuple[str, float]] = dict.fromkeys(self._others, ("", self._answered))
        self._left = threading.Event()
        self._alone, self._ending = threading.RLock(), threading.Lock()
        self._on_abort = Handler(self._aborted)

    def __enter__(self) -> "Presence":
        self._before = _handle_abort(ctypes.cast(self._on_abort, ctypes.c_void_p).value)
        for work in (self._live, self._watch):
            threading.Thread(target=work, daemon=True, name=f"presence: {work.__name__}").start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        _handle_abort(self._before)

    def end_alone(self) -> None:
        """Lets the calling thread end this process with its own error. Threads that find another process gone wait for it."""
        self._alone.acquire()

    def end_others(self, reason: str, *, status: int = TrainingError.status) -> None:
        """Tells the other processes why the run has ended. They end then, with this status."""
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            self._client.key_value_set(f"{ENDED}/{self._index}", f"{status} {reason}")
            if self._index == 0:
                time.sleep(3 * self._beat)  # JAX's service must answer until the others have read it

    def explain_lost_connection(self) -> None:
        """Ends this process if another one is gone. It returns if all are alive."""
        silent, until = {*self._others}, time.monotonic() + SILENCE
        try:
            before = self._signs()
            while silent and time.monotonic() < until:
                time.sleep(self._beat)
                silent -= {i for i, sign in self._signs().items() if sign != before.get(i)}
        except jax.errors.JaxRuntimeError:
            self._end_if_service_is_gone()
            return
        if silent:
            self._end_with_others(silent, SILENCE)

    def _live(self) -> None:
        """Gives signs of life, and reads those of the others and the reason why the run has ended."""
        number = 0
        while not self._left.wait(self._beat):
            number += 1
            try:
                self._client.key_value_set(f"{ALIVE}/{self._index}", str(number), allow_overwrite=True)
                signs = self._signs() if self._index == 0 else {}
                reasons = self._client.key_value_dir_get(f"{ENDED}/")
            except jax.errors.JaxRuntimeError:
                self._end_if_service_is_gone()
                continue
            self._answered = now = time.monotonic()
            self._seen.update({i: (sign, now) for i, sign in signs.items() if i in self._seen and sign != self._seen[i][0]})
            for key, reason in reasons:
                if key != f"{ENDED}/{self._index}":
                    status, _, text = reason.partition(" ")
                    self._end(text, status=int(status))

    def _watch(self) -> None:
        """Measures the time since the last signs of life, also while the other thread waits for JAX's service."""
        looked = time.monotonic()
        while not self._left.wait(self._beat):
            now, before = time.monotonic(), looked
            looked = now
            if now - before > 5 * self._beat + 1:  # this process was suspended, too
                self._awake = now
            if self._index == 0:
                silent = {i for i, (_, at) in self._seen.items() if now - max(at, self._awake) > self._timeout}
                if silent:
                    self._end_with_others(silent, self._timeout)
            elif now - max(self._answered, self._awake) > self._timeout:
                self._end(_silent({0}, self._timeout))

    def _signs(self) -> dict[int, str]:
        return {int(key.rpartition("/")[2]): sign for key, sign in self._client.key_value_dir_get(f"{ALIVE}/")}

    def _end_with_others(self, silent: Collection[int], seconds: float) -> NoReturn:
        reason = _silent(silent, seconds)
        self.end_others(reason)
        self._end(reason)

    def _end_if_service_is_gone(self) -> None:
        if not self._left.is_set() and self._index and not self._reaches_service():
            self._end(f"process 0 is gone: JAX's service, which runs in it, takes no connection any more. {ADVICE}")

    def _reaches_service(self) -> bool:
        """Whether JAX's service takes a connection, also after the system had time to close its port."""
        until = time.monotonic() + CLOSING
        host, _, port = self._address
        while time.monotonic() < until:
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=CLOSING).close()
            except OSError:
                return False
            time.sleep(0.1)
        return True

    def _aborted(self, number: int) -> None:
        """Handles SIGABRT. JAX aborts this process when its service breaks off, which may be before `_live` sees it."""
        del number
        self._end_if_service_is_gone()

    def _end(self, reason: str, *, status: int = TrainingError.status) -> NoReturn:
        self._alone.acquire(timeout=GRACE)  # the other thread may wait forever for JAX's service
        self._ending.acquire()  # only one thread says why, and the others wait here for the end
        with contextlib.suppress(OSError):
            os.write(STDERR, f"{'' if status == Interrupted.status else 'error: '}{reason}\n".encode())
        flush = threading.Thread(target=_flush, daemon=True)  # another thread may hold it forever
        flush.start()
        flush.join(timeout=1)
        os._exit(status)


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError):  # it may be closed
        sys.stdout.flush()


@contextlib.contextmanager
def abort_without_stack() -> Iterator[None]:
    """Within it, JAX joins a run so that an error of its service calls `abort`, which `Presence` handles.

    JAX's own callback prints a stack, and takes away the handler of SIGABRT. jaxlib 0.10 to 0.12 cannot call a callback in
    Python, because it cannot convert its argument, and aborts instead. That serves as well.
    """
    module: Any = _jax
    make = module.get_distributed_runtime_client

    def make_with_callback(*args: Any, **kwargs: Any) -> Any:
        try:
            return make(*args, **kwargs, missed_heartbeat_callback=lambda _: os.abort())
        except TypeError:  # a version without this argument
            return make(*args, **kwargs)

    module.get_distributed_runtime_client = make_with_callback
    try:
        yield
    finally:
        module.get_distributed_runtime_client = make


def listed(numbers: Collection[int]) -> str:
    """Returns the numbers of processes for a message."""
    return f"process{'es' * (len(numbers) > 1)} {', '.join(map(str, sorted(numbers)))}"


def _silent(numbers: Collection[int], seconds: float) -> str:
    return f"no sign of life of {listed(numbers)} for {seconds:g} s; it may be killed or frozen, or its host lost. {ADVICE}"


def _handle_abort(handler: int | None) -> int | None:
    """Sets the handler of SIGABRT. Python's own handlers run in the main thread, which is too late. Returns the one before."""
    libc: Any = ctypes.CDLL(None)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    return libc.signal(signal.SIGABRT, handler)
