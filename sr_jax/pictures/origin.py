"""What made a result, as its file says, or the record beside it."""

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sr_jax.errors import InputError
from sr_jax.pictures.metadata import read_stamp
from sr_jax.pictures.names import RECORDS
from sr_jax.pictures.records import Records

HINT = "results that were made with --strip_metadata, and formats without XMP, have only their record in .sr_jax"


class Origin(NamedTuple):
    """What made a result."""

    software: str
    model: str
    """Name of the model, for people."""
    model_sha256: str
    input_sha256: str
    options: Mapping[str, Any]
    """Those options that were not the defaults, by their names."""


def read_origin(result: Path) -> Origin:
    """Returns what made a result.

    Raises:
      InputError: if there is no such file, or nothing says what made it.
    """
    try:
        note = _note(result)
    except OSError as error:
        raise InputError(f"{result}: cannot be read ({error.strerror})") from None
    note = note if note is not None else _record(result)
    if note is None:
        raise InputError(f"{result}: neither the file nor a record beside it says what made it; {HINT}")
    try:
        origin = from_note(note)
    except (KeyError, TypeError) as error:
        raise InputError(f"{result}: its note of what made it is not complete ({error})") from None
    if not isinstance(origin.options, dict) or not all(isinstance(value, str) for value in origin[:4]):
        raise InputError(f"{result}: its note of what made it is damaged")
    return origin


def from_note(note: Mapping[str, Any]) -> Origin:
    """Returns what a note says, or raises KeyError."""
    return Origin(*(note[name] for name in Origin._fields))


def _note(result: Path) -> dict[str, Any] | None:
    """The note in the file. All formats keep XMP as it is, so that it is found without decoding the file."""
    with result.open("rb") as file:
        if not result.stat().st_size:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return read_stamp(content)
            except (ValueError, RecursionError, json.JSONDecodeError):
                raise InputError(f"{result}: its note of what made it is damaged") from None


def _record(result: Path) -> dict[str, Any] | None:
    """The record of the nearest folder above that has one of this result."""
    for folder in result.absolute().parents:
        if not (folder / RECORDS).is_dir():
            continue
        for record in Records(folder).all():
            if folder / record.output == result.absolute():
                return {**record.made_by, "input_sha256": record.input_sha256}
    return None
