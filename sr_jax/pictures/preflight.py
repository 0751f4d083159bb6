"""Compares what is planned with what lies in the folder of the results: what is done, what would be replaced, what has room."""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from sr_jax.errors import InputError, listing, printable
from sr_jax.pictures.names import Source
from sr_jax.pictures.records import Records
from sr_jax.pictures.report import MOST_LISTED, Shown
from sr_jax.system.files import sha256_of
from sr_jax.system.places import nearest


@runtime_checkable
class Planned(Shown, Protocol):
    """A picture or a video with its result, of which is known how large it will be."""

    @property
    def file_bytes(self) -> int:
        """Typical size of the file of the result."""
        ...


J = TypeVar("J", bound=Planned)


def without_done(
    jobs: Sequence[J],
    records: Records,
    *,
    out: Path,
    files: Callable[[J], Mapping[str, dict[str, Any]]],
    data: Mapping[Source, bytes],
    overwrite: bool,
) -> tuple[list[J], dict[J, str]]:
    """Returns those jobs whose results are not there yet, and notes on what the results of some replace.

    Args:
      files: returns the files of a job by their names, with what makes them, as in their records.
      data: the bytes of pictures that are not files.
      overwrite: whether files that this command did not write are replaced.

    Raises:
      InputError: if a result would replace an input, or a file that may not be replaced.
    """
    todo, foreign, notes = [], [], {}
    inputs = {_identity(job.source.path) for job in jobs if job.source.path}
    for job in jobs:
        made = files(job)
        paths = [out / name for name in made]
        for path in paths:
            if path.exists() and _identity(path) in inputs:
                raise InputError(f"--out {out}: {path} is an input, which is never replaced; give another folder")
        exists = any(map(os.path.lexists, paths))
        digest = hash_of(job.source, data) if exists else ""
        states = [records.state(name, input_sha256=digest, made_by=made_by) for name, made_by in made.items()]
        if {*states} == {"done"}:
            continue
        if "outdated" in states:
            notes[job] = "made again, because its input, the model or an option changed"
        for path, state in zip(paths, states, strict=True):
            if state == "foreign" and path.is_dir():
                raise InputError(f"--out {out}: {path} is a folder; give another folder for the results")
            if state == "foreign":
                foreign.append(str(path))
                notes[job] = "replaces a file"
        todo.append(job)
    if foreign and not overwrite:
        raise InputError(
            f"--out {out}: {len(foreign)} file(s) there were not written by this command, or changed since; "
            f"give another folder, or --overwrite:{listing(map(printable, foreign), most=MOST_LISTED)}"
        )
    return todo, notes


def check_disk(jobs: Sequence[Planned], out: Path) -> None:
    """Raises InputError if the disk has too little space for the results, by their typical sizes."""
    existing = nearest(out.absolute())
    if not existing.is_dir():
        raise InputError(f"--out {out}: {existing} is a file; give a folder")
    needed, free = sum(job.file_bytes for job in jobs), shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"--out {out}: the results take about {needed / 2**20:,.1f} MiB, and the disk has {free / 2**20:,.1f} MiB free; "
            "make room, give another folder, or --format webp"
        )


def content_of(source: Source, data: Mapping[Source, bytes]) -> bytes:
    """Returns the bytes of a picture's file."""
    return source.path.read_bytes() if source.path else data[source]


def hash_of(source: Source, data: Mapping[Source, bytes]) -> str:
    """Returns the hash of a picture's file, which need not fit into the memory."""
    return sha256_of(source.path) if source.path else hashlib.sha256(data[source]).hexdigest()


def _identity(path: Path) -> tuple[int, int]:
    """Returns the same for two names of one file."""
    status = path.stat()
    return status.st_dev, status.st_ino
