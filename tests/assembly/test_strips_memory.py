import subprocess
import sys
from pathlib import Path

import pytest

from sr_jax.pictures import read
from tests.assembly import strips_memory

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux's /proc")
def test_memory_does_not_grow_with_the_height(tmp_path):
    """While the same picture as a whole takes more than its samples, by which the measurement is known to see them."""
    grown = {}
    for kind in ("strips", "whole"):
        command = [sys.executable, "-m", "tests.assembly.strips_memory", str(tmp_path), kind]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
        grown[kind] = int(done.stdout)
    samples = 3 * 4 * strips_memory.WIDTH * (strips_memory.HIGH - strips_memory.LOW)
    assert grown["whole"] > samples
    assert grown["strips"] < samples / 4
    ours, theirs = (read.decode(tmp_path / f"{strips_memory.HIGH}_{kind}.png", kind) for kind in ("strips", "whole"))
    assert (ours.pixels == theirs.pixels).all()
