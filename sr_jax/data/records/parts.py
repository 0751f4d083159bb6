"""Writes parts of a store. A part is an ArrayRecord file of the tiles of some images, and a note about them.

The file gets its name when it is complete, and the note is written after it. A part without its note does not count.
"""

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from array_record.python.array_record_module import ArrayRecordWriter

from sr_jax.data import pack
from sr_jax.data.images import Bad, Image
from sr_jax.data.records import tiles
from sr_jax.data.records.progress import Progress
from sr_jax.data.sources.checksums import Sum, pixel_sum
from sr_jax.errors import InputError, is_full
from sr_jax.system.files import naming, read_json, replace_text, sha256_of

VERSION = 1
OPTIONS = "group_size:1,zstd:1,max_parallelism:2"
"""A record is compressed by itself, so that it can be read by itself. Two threads compress; decoding the files takes longer."""


class Part(NamedTuple):
    """The note about a part, whose images follow each other in their set."""

    first: int
    """The index of the first image."""
    names: list[str]
    sizes: list[tuple[int, int]]
    """Height and width of each image; 0 and 0 if it cannot be used."""
    bad: dict[str, str]
    """Maps the name of each image that cannot be used to the reason."""
    sums: dict[str, Sum]
    """Maps the names of the other images to their checksums."""
    bytes: int
    sha256: str
    """Size and digest of the file."""

    @property
    def last(self) -> int:
        """The index after that of the last image."""
        return self.first + len(self.names)


class Ready(NamedTuple):
    """A decoded image, ready to be written."""

    image: Image | Bad
    sum: Sum | None
    """None if the image cannot be used."""


def make_ready(image: Image | Bad) -> Ready:
    """Computes the checksum of an image."""
    return Ready(image, None if isinstance(image, Bad) else pixel_sum(image))


def file_of(place: Path, number: int, fingerprint: str) -> Path:
    """Returns the file of a part. Its name depends on the images, so that a run never reads those of other images."""
    return place / f"part-{number:05}-{fingerprint[:8]}.array_record"


def note_of(file: Path) -> Path:
    """Returns the file with the note about a part."""
    return file.with_suffix(".json")


def read_note(file: Path, fingerprint: str) -> Part | None:
    """Reads the note about a part; None if there is none, or it is of other images."""
    try:
        note = read_json(note_of(file))
        if (note.pop("version"), note.pop("of")) != (VERSION, fingerprint):
            return None
        part = Part(**note)
        sums = {name: Sum(*values) for name, values in part.sums.items()}
        return part._replace(sizes=[(height, width) for height, width in part.sizes], sums=sums)
    except (InputError, KeyError, TypeError, ValueError):
        return None


def is_whole(file: Path, part: Part) -> bool:
    """Whether the file of a part is there, and unchanged to the last byte."""
    try:
        return file.stat().st_size == part.bytes and sha256_of(file) == part.sha256
    except OSError:
        return False


def write(
    images: Iterable[Ready], file: Path, *, first: int, most: int | None, fingerprint: str, digest: Any, progress: Progress
) -> Part:
    """Writes a part.

    Args:
      images: images are taken from it until `most` bytes of pixels are written, or, if it is None, until it ends.
      first: the index of the first of them.
      digest: the hash of all images of the set, to which these are added.

    Raises:
      OSError: if it cannot be written. Nothing of it is left then.
    """
    partial = file.with_name(f"{file.name}.partial")
    names, sizes, bad, sums = [], [], {}, {}
    taken = 0
    try:
        with naming(partial):
            partial.open("wb").close()  # ArrayRecord has no error for each reason why it cannot
        with _errors_of(partial):
            writer = ArrayRecordWriter(str(partial), OPTIONS)
        for image, checksum in images:
            names.append(image.name)
            if isinstance(image, Bad):
                bad[image.name] = image.reason
                sizes.append((0, 0))
            else:
                with _errors_of(partial):
                    for record in tiles.split(image.pixels):
                        writer.write(record)
                pack.add_to_digest(digest, image)
                sums[image.name] = checksum
                sizes.append(image.pixels.shape[:2])
                taken += image.pixels.nbytes
            progress.advance()
            if most is not None and taken >= most:
                break
        with _errors_of(partial):
            writer.close()
        _flush(partial)
        part = Part(first, names, sizes, bad, sums, partial.stat().st_size, sha256_of(partial))
        partial.replace(file)
        replace_text(note_of(file), json.dumps({"version": VERSION, "of": fingerprint, **part._asdict()}) + "\n")
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return part


def _flush(path: Path) -> None:
    """Waits until a file is on the disk."""
    with naming(path), path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turns errors of ArrayRecord's writer, which have their reason only in their text, into an OSError."""
    try:
        yield
    except RuntimeError as error:
        number = errno.ENOSPC if is_full(error) else errno.EIO
        raise OSError(number, next(iter(str(error).splitlines()), ""), str(path)) from error
