"""The list of a folder's files with their sizes and digests. It shows damage that Orbax would restore silently."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from sr_jax.errors import InputError
from sr_jax.system.files import read_json, replace_text, sha256_of

MANIFEST = "manifest.json"


def write(folder: Path, *, leave_out: Collection[str] = ()) -> None:
    """Writes the manifest of a folder: a JSON object with `bytes` and `sha256` of every file, by its path in the folder.

    Args:
      leave_out: paths of files that may change later.

    Raises:
      OSError: if a file cannot be read, or the manifest cannot be written.
    """
    paths = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())
    entries = {path: _entry(folder / path) for path in paths if path not in {MANIFEST, *leave_out}}
    replace_text(folder / MANIFEST, json.dumps(entries, indent=1))


def renew(folder: Path, path: str) -> None:
    """Replaces the entry of one file that was changed on purpose.

    Raises:
      InputError: if the manifest cannot be read.
      OSError: if the file cannot be read, or the manifest cannot be written.
    """
    entries = read_json(folder / MANIFEST)
    replace_text(folder / MANIFEST, json.dumps(entries | {path: _entry(folder / path)}, indent=1))


def problem(folder: Path, *, needs: Callable[[str], bool]) -> str | None:
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


def lists(folder: Path, path: str) -> bool:
    """Returns whether the manifest of a folder can be read and lists a file."""
    try:
        return path in read_json(folder / MANIFEST)
    except InputError:
        return False


def _entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _difference(folder: Path, path: str, expected: Any) -> str | None:
    try:
        size = (folder / path).stat().st_size
        if isinstance(expected, dict) and size != expected.get("bytes"):
            return f"{path} has {size:,} bytes, and not those of {MANIFEST}"
        entry = _entry(folder / path)
    except (OSError, ValueError) as error:  # a damaged manifest may hold a path that no system knows
        return f"{path} cannot be read ({getattr(error, 'strerror', None) or error})"
    return None if entry == expected else f"{path} differs from what {MANIFEST} says"
