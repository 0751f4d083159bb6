"""The lock of a folder that is written to, which one live run at a time holds.

On a file system it is a lock of the operating system, which ends with its process. A bucket has no such locks. There it is an
object that is created only if it does not exist. It says who holds it, and its holder renews it. Times are compared by the
clock of the cloud, because those of two machines may differ.
"""

import contextlib
import email.utils
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import filelock

from sr_jax.errors import TrainingError
from sr_jax.system.paths import AnyPath

if TYPE_CHECKING:
    from sr_jax.system.bucket import BucketPath

RENEW_AFTER = 20.0
"""Seconds between two renewals."""
DEAD_AFTER = 180.0
"""Seconds without a renewal after which the holder of a lock counts as dead."""


class InUse(Exception):
    """Another run holds the lock. The message says which, for parentheses; it may be empty."""


@contextlib.contextmanager
def held(path: AnyPath) -> Iterator[None]:
    """Holds a lock.

    In a bucket, this waits until a holder renews the lock, which is then in use, or counts as dead. If the lock is lost while
    it is held, the process ends at once, because another run writes to the same directory.

    Args:
      path: the file of the lock.

    Raises:
      InUse: if another process holds it.
      OSError: if it cannot be written.
    """
    if isinstance(path, Path):
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise InUse("") from None
        try:
            yield
        finally:
            lock.release()
        return
    from sr_jax.system.bucket import BucketPath  # it is not always installed

    assert isinstance(path, BucketPath)
    with held_in_bucket(path):
        yield


class Holder(NamedTuple):
    """Who holds a lock."""

    token: str
    """Is different for every lock that was ever taken."""
    host: str
    process: int
    since: str
    machine: str
    """Is the same for processes that can see each other; empty if unknown."""
    began: str
    """When the process began, by the clock of its machine; empty if unknown."""

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


class Seen(NamedTuple):
    """A lock as it was seen in the bucket."""

    holder: Holder | None
    """None if what it says cannot be read."""
    generation: str
    """Is different for every lock that was ever taken."""
    renewed: str
    """When it was renewed last."""
    age: float
    """Seconds since then."""

    def __str__(self) -> str:
        return f"{self.holder or 'an unknown process'}; it was last seen {max(0, self.age):.0f} s ago"


@contextlib.contextmanager
def held_in_bucket(
    path: "BucketPath",
    *,
    renew_after: float = RENEW_AFTER,
    dead_after: float = DEAD_AFTER,
    on_lost: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Holds a lock in a bucket; see `held`.

    Args:
      renew_after: seconds between two renewals.
      dead_after: seconds without a renewal after which a holder counts as dead.
      on_lost: is called with the reason if the lock is lost; by default the process ends.
    """
    generation = _take(path, renew_after=renew_after, dead_after=dead_after)
    released = threading.Event()

    def renew() -> None:
        while not released.wait(renew_after):
            try:
                path.ask("PATCH", ifGenerationMatch=generation, json={"metadata": {"renewed": f"{time.time():.0f}"}})
            except (FileNotFoundError, FileExistsError):
                if not released.is_set():
                    (on_lost or _end)(f"{path} was taken over by another run ({_look(path) or 'it is gone'})")
                return
            except OSError:
                continue  # as long as the cloud cannot be reached, nothing can be written either

    thread = threading.Thread(target=renew, daemon=True, name="lock")
    thread.start()
    try:
        yield
    finally:
        released.set()
        thread.join(timeout=5)
        with contextlib.suppress(OSError):  # then it will count as dead
            path.ask("DELETE", ifGenerationMatch=generation)


def _take(path: "BucketPath", *, renew_after: float, dead_after: float) -> str:
    """Creates the object of a lock, and returns its generation."""
    holder = Holder(uuid.uuid4().hex, socket.gethostname(), os.getpid(), _now(), _machine(), _began(os.getpid()) or "")
    first: Seen | None = None
    while True:
        with contextlib.suppress(FileExistsError):
            path.create(json.dumps(holder._asdict()).encode())
        seen = _look(path)
        if seen is None:
            continue  # its holder has just removed it
        if seen.holder == holder:
            return seen.generation
        if seen.age > dead_after or _is_known_to_be_dead(seen.holder):
            print(f"{path} is left from a run that is dead ({seen}); it is taken over", file=sys.stderr)
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                path.ask("DELETE", ifGenerationMatch=seen.generation)
            continue
        if _is_known_to_live(seen.holder) or (first and first.renewed != seen.renewed):
            raise InUse(str(seen))
        if first is None:
            print(f"{path} is held by {seen}; waiting for a sign of life", file=sys.stderr, flush=True)
        first = first or seen
        time.sleep(min(1.0, renew_after / 4))


def _look(path: "BucketPath") -> Seen | None:
    try:
        headers, about = path.ask("GET")
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    entry = json.loads(about)
    now = email.utils.parsedate_to_datetime(headers["Date"])
    age = (now - datetime.fromisoformat(entry["updated"])).total_seconds()
    return Seen(_read(content), entry["generation"], entry["updated"], age)


def _read(content: bytes) -> Holder | None:
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return None


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _machine() -> str:
    """Identifies the machine since it was started, and the processes on it that this one can see."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _began(process: int) -> str | None:
    """When a process of this machine began; None if there is none, or this is unknown."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _is_known_to_be_dead(holder: Holder | None) -> bool:
    return bool(holder and holder.machine and holder.machine == _machine() and _began(holder.process) != holder.began)


def _is_known_to_live(holder: Holder | None) -> bool:
    return bool(holder and holder.machine and holder.machine == _machine() and _began(holder.process) == holder.began)


def _end(reason: str) -> Any:
    print(f"error: {reason}; this run ends, so that only one writes to the directory", file=sys.stderr, flush=True)
    os._exit(TrainingError.status)
