"""Folders on this machine, and their defaults."""

import os
from pathlib import Path

import platformdirs


def cache_folder(folder: Path | None) -> Path:
    """Returns the folder for compiled programs and prepared images. The default is `sr_jax` in the user's cache folder."""
    return folder.expanduser() if folder else platformdirs.user_cache_path("sr_jax")


def data_root(folder: str | Path | None, cache: Path) -> Path:
    """Returns the folder that holds the named sets.

    The default is the folder that the environment variable SR_JAX_DATA names, and without it `datasets` in the cache folder.
    """
    return Path(folder or os.environ.get("SR_JAX_DATA") or cache / "datasets").expanduser()


def nearest(place: Path) -> Path:
    """Returns the path itself or the nearest folder above it, whichever exists. So it says on which disk the path will lie."""
    while not place.exists():
        place = place.parent
    return place
