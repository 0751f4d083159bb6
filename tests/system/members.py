"""Starts several processes that join each other; see `member`."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from tests.conftest import ROOT
from tests.ports import free_port


@contextlib.contextmanager
def members(action: str, count: int, *, started: int | None = None) -> Iterator[list[subprocess.Popen]]:
    """Starts the processes of a run. Leaving it ends them.

    Args:
      started: the number of those that are started, if not all are.
    """
    port = free_port()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.system.member", str(port), str(count), str(i), action],
            cwd=ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(started or count)
    ]
    try:
        yield running
    finally:
        for member in running:
            member.kill()
            member.communicate()
