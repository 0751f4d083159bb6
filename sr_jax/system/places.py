"""Where things lie on a machine, unless the user says otherwise."""

import os
from pathlib import Path

import platformdirs


def cache_folder(given: Path | None) -> Path:
    """For compiled programs and prepared images: what was given, else `sr_jax` in the user's cache folder."""
    return given.expanduser() if given else platformdirs.user_cache_path("sr_jax")


def data_root(given: str | Path | None, cache: Path) -> Path:
    """The folder that holds the named sets: what was given, else the environment's SR_JAX_DATA, else in the cache folder."""
    return Path(given or os.environ.get("SR_JAX_DATA") or cache / "datasets").expanduser()
