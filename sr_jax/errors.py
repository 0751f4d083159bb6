"""Errors that a command answers with one line and an exit status, because a traceback would hide the message."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator


class InputError(ValueError):
    """The user gave something that cannot be used. The message names it, its value, and what would be right. Status 2."""

    status = 2


class NotFiniteError(InputError):
    """A network returned infinite or NaN values. A training run turns this into a TrainingError, because it diverged."""


class TrainingError(RuntimeError):
    """A run cannot go on, although its input was right. The message says what is saved and where. Status 1."""

    status = 1


class Interrupted(BaseException):
    """A signal stopped a run, and nothing is lost: the same command goes on. Status 75, which launchers answer by a restart."""

    status = 75


def exit_status(command: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit status. The errors above, and those of files and memory, are printed as one line."""
    try:
        return command() or 0
    except (InputError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        return interruption.status
    except OSError as error:
        print(f"error: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}", file=sys.stderr)
        return TrainingError.status
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = next(iter(str(error).splitlines()), "")
        print(f"error: there is too little memory; use a smaller network, batch, patch or image ({reason})", file=sys.stderr)
        return TrainingError.status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def is_full(error: BaseException) -> bool:
    """Returns whether an error says that a disk is full or a quota used up. Libraries in C++ say it only in their text."""
    numbers = (errno.ENOSPC, errno.EDQUOT)
    is_number = isinstance(error, OSError) and error.errno in numbers
    return is_number or any(os.strerror(number) in str(error) for number in numbers)


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that there is too little memory, on the host or on a device."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)  # XLA's word for it


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Turns an error of the file system into an InputError, and that of a full disk into a TrainingError.

    Args:
      what: what is written, as the message names it, such as `--out results`.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise TrainingError(f"the disk is full: {what} cannot be written; make room or give another folder") from error
        raise InputError(f"{what} cannot be written ({error.strerror or error}); give another folder") from error


@contextlib.contextmanager
def option(name: str) -> Iterator[None]:
    """Puts the name of an option before the message of an InputError, because parts do not know which option they serve.

    Do not nest it: the names would add up.

    Args:
      name: the option without its value, which the message names. Examples are `--sets` and `data.dir`.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def listing(lines: Iterable[str], *, most: int | None = None) -> str:
    """Returns the lines, each indented on a line of its own. Lines beyond the first `most` are only counted."""
    lines = list(lines)
    shown = lines[:most]
    more = f"\n  and {len(lines) - len(shown)} more" if len(lines) > len(shown) else ""
    return "".join(f"\n  {line}" for line in shown) + more


def printable(text: str) -> str:
    """Returns the text in one line. What cannot be printed, such as a line break, is written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
