"""Opens what is prepared in the cache folder, and prepares it first if it is not there. One process at a time does that."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from sr_jax.errors import InputError, writing

LOCK = ".lock"

Opened = TypeVar("Opened")


def open_or_make(
    place: Path, *, open_: Callable[[], Opened | None], make: Callable[[], None], waiting_for: str | None
) -> Opened:
    """Returns what `open_` returns, after `make` if that is None.

    Args:
      place: the folder in the cache folder, which `make` fills.
      waiting_for: what a process prints that it waits for while another one makes it; None to print nothing.

    Raises:
      InputError: if the folder cannot be written, or `open_` still returns None.
      TrainingError: if its disk is full.
    """
    opened = open_()
    if opened is not None:
        return opened
    with writing(f"the cache folder (--cache_dir) {place}"):
        place.mkdir(parents=True, exist_ok=True)
        with _locked(place, waiting_for):
            opened = open_()  # another process may have made it meanwhile
            if opened is not None:
                return opened
            make()
    opened = open_()
    if opened is None:
        raise InputError(f"the cache folder {place} was changed by another program while it was written; start again")
    return opened


@contextlib.contextmanager
def _locked(place: Path, waiting_for: str | None) -> Iterator[None]:
    lock = FileLock(place / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if waiting_for:
            print(f"waiting for {waiting_for}", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
