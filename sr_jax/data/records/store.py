"""Prepares a set as a store of records, part by part. What is finished stays, whatever happens."""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from sr_jax.data import pack, prepared
from sr_jax.data.ahead import ahead
from sr_jax.data.images import Bad, Image
from sr_jax.data.records import parts
from sr_jax.data.records.parts import Part, Ready
from sr_jax.data.records.progress import Progress
from sr_jax.data.records.read import Records, Store
from sr_jax.data.sources.checksums import Sum
from sr_jax.data.sources.download import check_space
from sr_jax.errors import InputError, TrainingError, is_full
from sr_jax.system.files import read_json, replace_text

INDEX = "index.json"
LEAST_PART = 2**28
MOST_PARTS = 256
"""A part has at least LEAST_PART bytes of pixels. It has more where there would be more than MOST_PARTS, each an open file."""
BUDGET = 2**28
"""Bytes of decoded images that wait to be written."""
SAMPLE = 1000
"""Images by whose sizes that of the set is estimated."""
SHARE = 0.6
"""Bytes of records for each byte of pixels. Photographs take about 0.45, and up to a quarter more where their tiles overlap."""


@runtime_checkable
class Source(Protocol):
    """Images in order, each of which can be decoded by itself."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Image | Bad: ...

    def size(self, index: int, /) -> int:
        """About how many bytes an image takes, decoded; 0 if this is unknown."""
        ...


class PreparedSet(NamedTuple):
    """A set in a store."""

    images: Records
    contents: pack.Index
    """The same as that of a pack of these images."""
    sums: dict[str, Sum]
    """Maps the name of each image that can be used to its checksum."""


def build(images: Source, *, title: str, place: Path, fingerprint: str) -> PreparedSet:
    """Opens a store. What is missing of it, or was made of other images, is made first.

    Args:
      images: read only if they are needed. Gray images get three equal channels when windows are cut.
      title: what the messages call the set.
      place: the store's folder, in the cache folder.
      fingerprint: identifies the images before they are decoded.

    Raises:
      InputError: if the folder cannot be written, or its disk has too little room.
      TrainingError: if the disk becomes full, or a file of the store is damaged.
    """
    return prepared.open_or_make(
        place,
        open_=lambda: _open(place, fingerprint),
        make=lambda: _make(images, title, place, fingerprint),
        waiting_for=f"another process, which prepares {title}",
    )


def _open(place: Path, fingerprint: str) -> PreparedSet | None:
    """The store in a folder; None if it is missing, incomplete, or made of other images.

    Raises:
      TrainingError: naming a file that has another size than it had.
    """
    try:
        index = read_json(place / INDEX)
        if (index["version"], index["of"]) != (parts.VERSION, fingerprint):
            return None
        digest, digests = index["digest"], index["parts"]
    except (InputError, KeyError):
        return None
    found = list(_finished(place, fingerprint))
    files = [file for file, _ in found]
    if [part.sha256 for _, part in found] != digests or not all(file.exists() for file in files):
        return None
    for file, part in found:
        if file.stat().st_size != part.bytes:
            raise TrainingError(
                f"{file} is damaged (it has {file.stat().st_size:,} bytes, not {part.bytes:,}); "
                "delete it, and the same command makes it again"
            )
    notes = [part for _, part in found]
    store = Store(files, [part.sizes for part in notes])
    height, width = np.array(store.sizes, np.int32).reshape(-1, 2).T
    names = tuple(itertools.chain.from_iterable(part.names for part in notes))
    bad = {name: reason for part in notes for name, reason in part.bad.items()}
    return PreparedSet(
        Records(store, np.arange(len(names), dtype=np.int32), height, width),
        pack.Index(names, tuple(store.sizes), bad, digest),
        {name: checksum for part in notes for name, checksum in part.sums.items()},
    )


def _finished(place: Path, fingerprint: str) -> Iterator[tuple[Path, Part]]:
    """The parts from the first on that have a note, whether their files are there or not."""
    first = 0
    for number in itertools.count():
        file = parts.file_of(place, number, fingerprint)
        part = parts.read_note(file, fingerprint)
        if part is None or part.first != first:
            return
        yield file, part
        first = part.last


def _make(images: Source, title: str, place: Path, fingerprint: str) -> None:
    """Writes the parts that are missing, and then the index. A store without its index is not complete."""
    finished = list(_finished(place, fingerprint))
    kept = {path for file, _ in finished for path in (file, parts.note_of(file))}
    for path in set(place.iterdir()) - kept - {place / prepared.LOCK}:
        path.unlink()
    size = _estimate(images)
    most = max(LEAST_PART, size // MOST_PARTS)
    there = [(file, part) for file, part in finished if file.exists()]
    needed = max(0, round(size * SHARE) - sum(file.stat().st_size for file, _ in there))
    _announce(title, place, images=len(images), finished=sum(len(part.names) for _, part in there), needed=needed)
    digest, notes = hashlib.sha256(), []
    try:
        with Progress(title, total=len(images)) as progress:
            options = {"fingerprint": fingerprint, "digest": digest, "progress": progress}
            for file, part in finished:
                if parts.is_whole(file, part):
                    _read_again(file, part, digest, progress)
                else:
                    print(f"{file} is missing or damaged; it is made again", file=sys.stderr, flush=True)
                    part = parts.write(_decoded(images, part.first, part.last), file, first=part.first, most=None, **options)
                notes.append(part)
            first = notes[-1].last if notes else 0
            with contextlib.closing(_decoded(images, first, len(images))) as rest:
                while first < len(images):
                    file = parts.file_of(place, len(notes), fingerprint)
                    notes.append(parts.write(rest, file, first=first, most=most, **options))
                    first = notes[-1].last
        index = {"version": parts.VERSION, "of": fingerprint, "digest": digest.hexdigest()}
        replace_text(place / INDEX, json.dumps({**index, "parts": [part.sha256 for part in notes]}) + "\n")
    except OSError as error:
        if not is_full(error):
            raise
        raise TrainingError(
            f"no space left in the cache folder (--cache_dir) {place}: all records take about {_size(round(size * SHARE))}. "
            "Finished parts stay; start again once there is room, or give another folder"
        ) from None


def _read_again(file: Path, part: Part, digest: Any, progress: Progress) -> None:
    """Adds the images of a finished part to the digest of the set, whose state cannot be stored."""
    store = Store([file], [part.sizes])
    usable = [i for i, name in enumerate(part.names) if name not in part.bad]
    decoded = ahead(
        store.image, usable, weigh=lambda i: 3 * part.sizes[i][0] * part.sizes[i][1], budget=BUDGET, threads=_threads()
    )
    for i, pixels in zip(usable, decoded, strict=True):
        pack.add_to_digest(digest, Image(part.names[i], np.ascontiguousarray(pixels)))
        progress.advance(is_old=True)
    for _ in part.bad:
        progress.advance(is_old=True)


def _decoded(images: Source, first: int, last: int) -> Generator[Ready, None, None]:
    """Decodes images in threads, with a bound on their memory."""
    return ahead(
        lambda i: parts.make_ready(images[i]), range(first, last), weigh=images.size, budget=BUDGET, threads=_threads()
    )


def _threads() -> int:
    return os.cpu_count() or 1


def _estimate(images: Source) -> int:
    """About how many bytes all images take, decoded, by the sizes of some."""
    some = range(0, len(images), -(-len(images) // SAMPLE))
    return sum(map(images.size, some)) * len(images) // len(some)


def _announce(title: str, place: Path, *, images: int, finished: int, needed: int) -> None:
    """Prints what is about to be written.

    Raises:
      InputError: if there is too little room for it.
    """
    done = f"; {finished:,} of its images are finished" if finished else ""
    free = shutil.disk_usage(place).free
    print(
        f"preparing {title} ({images:,} images) in {place}: about {_size(needed)} are needed, and {_size(free)} are free{done}",
        file=sys.stderr,
        flush=True,
    )
    check_space(place, needed, what=f"the cache folder (--cache_dir) {place}")


def _size(number: int) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.1f} MiB"
