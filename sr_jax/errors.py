"""The exceptions that a command line turns into one line and an exit status; a traceback would only hide the message."""

import signal
import sys
from collections.abc import Callable


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
