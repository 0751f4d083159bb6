import os
from pathlib import Path

import pytest

from sr_jax.system import memory
from sr_jax.system.memory import device_memory, free_memory, used_memory


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="only Linux has this file")
def test_a_cpu_has_the_memory_of_its_host():
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert device_memory() == pytest.approx(int(total.split()[1]) * 1024, rel=0.01)


def test_free_memory_is_a_part_of_all_and_used_memory_grows():
    before = used_memory()
    held = bytearray(2**26)
    held[:: 2**12] = bytes(len(held[:: 2**12])).replace(b"\0", b"x")
    assert 0.9 * 2**26 < used_memory() - before < 2**28
    assert 0 < free_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_container_limits_free_memory(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CONTROL_GROUPS", (str(limit),))
    everything = free_memory()
    limit.write_text("max\n")
    assert free_memory() == pytest.approx(everything, rel=0.05)
    limit.write_text(f"{used_memory() + 2**20}\n")
    assert free_memory() < 2**25
    limit.write_text("0\n")
    assert free_memory() == 0
