from pathlib import Path

import pytest

from sr_jax.system.memory import device_memory


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="only Linux has this file")
def test_a_cpu_has_the_memory_of_its_host():
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert device_memory() == pytest.approx(int(total.split()[1]) * 1024, rel=0.01)
