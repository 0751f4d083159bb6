"""How much memory there is."""

import os

import jax


def device_memory() -> int:
    """Returns the bytes of memory that one device has. A CPU device has the memory of its host."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
