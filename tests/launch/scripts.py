"""Runs the shell scripts of `launch/`, with the stand-ins of `bin/` in place of the clients of clusters."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def run(script: str, *arguments: str, settings: dict[str, str], stand_ins: bool) -> subprocess.CompletedProcess[str]:
    """Runs a script with these variables of the environment only.

    Args:
      stand_ins: whether the commands of `bin/` come before those of this machine.
    """
    path = f"{HERE / 'bin'}:{os.environ['PATH']}" if stand_ins else os.environ["PATH"]
    command = ["bash", str(ROOT / "launch" / script), *arguments]
    return subprocess.run(command, env={"PATH": path, **settings}, capture_output=True, text=True, check=False)
