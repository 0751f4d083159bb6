"""The list of a folder's files with their sizes and digests. It shows damage that Orbax would restore silently."""

import hashlib
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from sr_jax.errors import InputError
from sr_jax.system.files import read_json, replace_text, sha256_of
from sr_jax.system.paths import AnyPath, files_below

MANIFEST = "manifest.json"


def write(folder: AnyPath, *, leave_out: Collection[str] = ()) -> None:
    """Writes the manifest of a folder: a JSON object with `bytes` and `sha256` of every file, by its path in the folder.

    Args:
      leave_out: paths of files that may change later.

    Raises:
      OSError: if a file cannot be read, or the manifest cannot be written.
    """
    entries = {path: _entry(folder / path) for path in files_below(folder) if path not in {MANIFEST, *leave_out}}
    replace_text(folder / MANIFEST, json.dumps(entries, indent=1))


def renew(folder: AnyPath, path: str) -> None:
    """Replaces the entry of one file that was changed on purpose.

    Raises:
      InputError: if the manifest cannot be read.
      OSError: if the file cannot be read, or the manifest cannot be written.
    """
    entries = read_json(folder / MANIFEST)
    replace_text(folder / MANIFEST, json.dumps(entries | {path: _entry(folder / path)}, indent=1))


def problem(folder: AnyPath, *, needs: Callable[[str], bool]) -> str | None:
    """Compares the files of a folder with its manifest. Files that it does not list are left alone.

    Args:
      needs: tells, from a path in the folder, whether the file must be as it was.

    Returns:
      what differs first, for a message, or None.
    """
    try:
        entries = read_json(folder / MANIFEST)
    except InputError as error:
        return str(error)
    needed = sorted(filter(needs, entries))
    if not needed:
        return f"{folder / MANIFEST} lists no files"
    return next((reason for path in needed if (reason := _difference(folder, path, entries[path]))), None)


def lists(folder: AnyPath, path: str) -> bool:
    """Returns whether the manifest of a folder can be read and lists a file."""
    try:
        return path in read_json(folder / MANIFEST)
    except InputError:
        return False


def _entry(path: AnyPath) -> dict[str, Any]:
    if isinstance(path, Path):
        return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _difference(folder: AnyPath, path: str, expected: Any) -> str | None:
    try:
        entry = _entry(folder / path)
        if isinstance(expected, dict) and entry["bytes"] != expected.get("bytes"):
            return f"{path} has {entry['bytes']:,} bytes, and not those of {MANIFEST}"
    except (OSError, ValueError) as error:  # a damaged manifest may hold a path that no system knows
        return f"{path} cannot be read ({getattr(error, 'strerror', None) or error})"
    return None if entry == expected else f"{path} differs from what {MANIFEST} says"
