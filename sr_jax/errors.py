"""The exceptions that a command line turns into one line and an exit status; a traceback would only hide the message."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterable, Iterator


class InputError(ValueError):
    """Something the user gave cannot be used. The message names the thing, its value and what would be right. Status 2."""

    status = 2


class TrainingError(RuntimeError):
    """A run that cannot go on, through no wrong input. The message says what is safe and where. Status 1."""

    status = 1


class Interrupted(Exception):
    """A run stopped by a signal, with everything saved. Status 128 + the signal's number."""

    def __init__(self, message: str, number: signal.Signals):
        super().__init__(message)
        self.status = 128 + number


def exit_status(command: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit status; what went wrong in a way the user should know of is said in one line."""
    try:
        return command() or 0
    except (InputError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        return stopped.status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Turns an error of the file system into one that says what could not be written, and asks for another folder."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{what} cannot be written ({error.strerror or error}); give another folder") from error


@contextlib.contextmanager
def option(name: str) -> Iterator[None]:
    """Puts the name of an option before the message of an InputError, for parts that do not know which option they serve.

    Args:
      name: without the value, which the message names: `--sets`, `data.dir`. Do not nest: the names would add up.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def listing(lines: Iterable[str], *, most: int | None = None) -> str:
    """The lines, indented, each on a line of its own; at most `most` of them, and how many more there are."""
    lines = list(lines)
    shown = lines[:most]
    more = f"\n  and {len(lines) - len(shown)} more" if len(lines) > len(shown) else ""
    return "".join(f"\n  {line}" for line in shown) + more
