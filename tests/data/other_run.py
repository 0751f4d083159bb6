"""Another process that decodes the same images."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT


@contextlib.contextmanager
def decoding(code: str, place: Path) -> Iterator[None]:
    """Starts code that prints `decoding`, waits for a line, and decodes. It is decoding when the body begins.

    Leaving it waits for the end of the process, which must be a good one.
    """
    with subprocess.Popen([sys.executable, "-c", code, str(place)], stdin=-1, stdout=-1, text=True, cwd=ROOT) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "decoding\n"
        other.stdin.write("\n")
        other.stdin.flush()
        yield
        assert other.wait(timeout=60) == 0
