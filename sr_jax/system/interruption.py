"""Ctrl-C while a command still imports what it needs."""

import os
import signal
import sys
from itertools import pairwise
from types import FrameType

RUNS = os.path.join("sr_jax", "runs", "")
STDERR = 2


def end_quietly_while_importing() -> None:
    """Makes Ctrl-C end a command with one line while it imports. Later it raises KeyboardInterrupt as usual.

    A KeyboardInterrupt within an import becomes a traceback, an ImportError, or nothing, and there is nothing to save yet. In
    processes that are not commands of this package nothing changes.
    """
    if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _is_command() -> bool:
    """Whether this process is starting as `python -m sr_jax.COMMAND` or `sr-jax COMMAND`."""
    is_module = any(flag == "-m" and name.partition(".")[0] == "sr_jax" for flag, name in pairwise(sys.orig_argv))
    return (is_module and sys.argv[:1] == ["-m"]) or os.path.basename(sys.argv[0]) == "sr-jax"


def _interrupt(number: int, frame: FrameType | None) -> None:
    innermost, codes = frame, []
    while frame:
        codes.append(frame.f_code)
        frame = frame.f_back
    has_begun = any(code.co_name == "exit_status" for code in codes)
    is_run = any(RUNS in code.co_filename and code.co_name != "<module>" for code in codes)
    is_import = any("importlib" in code.co_filename for code in codes)
    if not has_begun or (is_import and not is_run):
        os.write(STDERR, b"interrupted\n")
        os._exit(128 + number)
    signal.default_int_handler(number, innermost)
