"""Ctrl-C while a command starts. A module that the command imports is replaced by one that waits."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT

WAITING = """
import time
try:
    print("importing", flush=True)
    time.sleep(60)
except BaseException:
    raise ImportError("initialisation failed")  # so do NumPy and JAX
"""


def interrupt(argv, modules):
    """The status, the further output and the errors of a command that is interrupted as soon as it prints something."""
    path = os.pathsep.join([str(modules), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(argv, stdout=-1, stderr=-1, text=True, env=environment, cwd=modules) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("module", "argv"),
    [
        ("tyro", ["-m", "sr_jax.train"]),  # imported before the command begins
        ("jax", ["-m", "sr_jax", "train", "--workdir", "run"]),  # imported by the run
    ],
)
def test_a_command_that_imports_ends_with_one_line(module, argv, tmp_path):
    (tmp_path / f"{module}.py").write_text(WAITING)
    assert interrupt([sys.executable, *argv], tmp_path) == (130, "", "interrupted\n")


def test_other_programs_keep_their_own_interrupt(tmp_path):
    (tmp_path / "tyro.py").write_text(WAITING)
    (tmp_path / "program.py").write_text("import sr_jax\nimport tyro\n")
    status, _, err = interrupt([sys.executable, "-m", "program"], tmp_path)
    assert status == 1
    assert "ImportError: initialisation failed" in err


def test_a_command_that_has_begun_is_interrupted_as_usual(tmp_path):
    """Its `finally` blocks run, and `exit_status` prints the line."""
    code = """
import time
from sr_jax.errors import exit_status
def command():
    try:
        print("importing", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)
import sys, sr_jax.system.interruption as interruption
interruption._is_command = lambda: True
interruption.end_quietly_while_importing()
sys.exit(exit_status(command))
"""
    (tmp_path / "program.py").write_text(code)
    assert interrupt([sys.executable, "program.py"], tmp_path) == (130, "cleaned\n", "interrupted\n")
