"""What Orbax says of errors, and where it says it more than once."""

import functools
import json
import logging
import os
import re
import sys
import textwrap

from absl import logging as absl_logging

REPETITIONS = ("Event loop is closed", "Encountered error while reading array index")
"""Errors of background tasks that Python prints, although the first error of the same reading or writing is raised."""


@functools.cache
def silence() -> None:
    """Leaves out what Orbax, asyncio and TensorStore print of errors that Orbax raises, too. Orbax also reports every file."""
    absl_logging.set_verbosity(absl_logging.FATAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not str(unraisable.exc_value).startswith(REPETITIONS):
            before(unraisable)

    sys.unraisablehook = hook


def is_of_cloud(error: BaseException) -> bool:
    """Returns whether an error comes from a package through which Orbax reaches a bucket. Many of them are bare exceptions."""
    return type(error).__module__.partition(".")[0] in ("gcsfs", "google", "aiohttp", "requests", "urllib3")


def reason(error: BaseException) -> str:
    """Returns the beginning of an error. Those of Orbax go on with advice about its own functions, or with whole arrays."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if number := re.search(r"os_error_code='(\d+)'", str(error)):  # TensorStore puts it behind its names of files
        return os.strerror(int(number[1]))
    if isinstance(error, UnicodeDecodeError | json.JSONDecodeError | AttributeError | TypeError | LookupError):
        return "one of its files is damaged"
    return textwrap.shorten((str(error).splitlines() or [type(error).__name__])[0], 160, placeholder=" ...")
