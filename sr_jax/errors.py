"""The exceptions that a command line turns into one line and an exit status; a traceback would only hide the message."""

import signal


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
