"""What computed a result: the commit of the code, versions, devices."""

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import sr_jax

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "pillow")


@functools.cache
def commit() -> str:
    """Returns the commit of the code, with `-dirty` if files of the package differ from it; outside a checkout, the version."""
    package = Path(sr_jax.__file__).parent
    head = _git(package, "rev-parse", "--short=12", "HEAD")
    if not head or not _git(package, "ls-files", "--error-unmatch", "__init__.py"):  # this may be another repository
        return f"version {sr_jax.__version__}"
    return f"{head}-dirty" if _git(package, "status", "--porcelain", "--", ".") else head


def describe() -> dict[str, Any]:
    """Returns the commit, versions and devices as plain data for JSON."""
    import jax

    return {
        "commit": commit(),
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}},
        "devices": sorted({device.device_kind for device in jax.local_devices()}),
        "device_count": jax.local_device_count(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _git(folder: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
