"""How much memory there is."""

import contextlib
import os
import re
from pathlib import Path

import jax

CONTROL_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files that hold the limit of a container."""


def device_memory() -> int:
    """Returns the bytes of memory that one device has. A CPU device has the memory of its host."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def free_memory() -> int:
    """Returns the bytes of memory that this process can still get on its host, within the limit of its container."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = total
    with contextlib.suppress(OSError):
        match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
        free = int(match[1]) * 1024 if match else free
    for file in CONTROL_GROUPS:
        with contextlib.suppress(OSError, ValueError):
            limit = int(Path(file).read_text())  # "max" is no number
            free = min(free, limit - used_memory())
    return max(0, free)


def used_memory() -> int:
    """Returns the bytes of memory that this process uses; 0 where the system does not say it."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
