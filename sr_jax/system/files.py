"""Writes files whole or not at all, hashes them, and reads and writes JSON."""

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sr_jax.errors import InputError
from sr_jax.system.paths import AnyPath, is_remote

JSON_TYPES = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a truth value", type(None): "null"}


def read_json(path: AnyPath) -> dict[str, Any]:
    """Reads a file that holds one JSON object.

    Raises:
      InputError: naming the file, if it cannot be read or holds something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    return parse_json(data, str(path))


def parse_json(data: bytes | str, name: str) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
      name: where the data come from, as the message names it.

    Raises:
      InputError: if the data are something else.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:  # a wrong encoding is a ValueError, too
        raise InputError(f"{name} is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{name} holds {JSON_TYPES[type(content)]} where a JSON object belongs")
    return content


def replace_text(path: AnyPath, text: str) -> None:
    """Writes a text file whole or not at all."""
    replace_bytes(path, text.encode())


def replace_bytes(path: AnyPath, data: bytes) -> None:
    """Writes a file whole or not at all, even while another process writes the same file."""
    if is_remote(path):
        path.write_bytes(data)
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with naming(path):
            partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def probe_writing(folder: Path, *, size: int) -> None:
    """Writes `size` bytes into a folder and removes them, to learn whether that is possible.

    Raises:
      OSError: naming the folder, if it is not.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(size))
    except OSError as error:
        error.filename = str(folder)
        raise


@contextlib.contextmanager
def naming(path: AnyPath) -> Iterator[None]:
    """Puts the name of a file into errors of the file system that have none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def sha256_of(path: AnyPath) -> str:
    """Returns the hash of a file's bytes.

    Raises:
      OSError: if the file cannot be read.
    """
    if not isinstance(path, Path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def without_infinities(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the values with None in place of infinities and NaN, because JSON has no such numbers."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()}
