import re
import subprocess
import sys

from tests.conftest import ROOT

STEPS = """
import sys, time
from sr_jax.training.watchdog import Watchdog
with Watchdog(patience=10, floor=0.3, poll=0.05) as watchdog:
    for step in range(5):
        time.sleep(0.02)
        watchdog.beat(step)
    {then}
print("reached the end")
"""


def run(then: str) -> subprocess.CompletedProcess:
    code = STEPS.replace("{then}", then)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def test_a_stuck_process_ends_with_its_stacks():
    result = run("time.sleep(30)")
    assert result.returncode == 1
    assert re.search(
        r"error: no step has ended for \d+ s after step 4, and a dispatch takes 0\.0\d+ s; the run is stuck", result.stderr
    )
    assert 'File "<string>", line' in result.stderr
    assert "reached" not in result.stdout


def test_what_does_not_count():
    """Neither an evaluation, nor the time before the first dispatch, nor a slow dispatch among quick ones."""
    result = run("with watchdog.paused(): time.sleep(1)\n    time.sleep(0.1); watchdog.beat(5)")
    assert (result.returncode, result.stdout) == (0, "reached the end\n"), result.stderr
    code = STEPS.replace("range(5)", "range(0)").replace("{then}", "time.sleep(1)")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_a_process_that_was_suspended_as_a_whole_is_not_stuck():
    code = """
import os, signal, subprocess, sys
resume = f"import os, signal, time; time.sleep(2.5); os.kill({os.getpid()}, signal.SIGCONT)"
subprocess.Popen([sys.executable, "-c", resume])
os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(0.1); watchdog.beat(5)
"""
    result = run("exec(" + repr(code) + ", globals())")
    assert (result.returncode, result.stdout) == (0, "reached the end\n"), result.stderr
