"""Image files prepared as array_record by a TFDS builder, without TensorFlow, and read again image by image.

The builder hands TFDS the image *files*, byte for byte; nothing is re-encoded. A prepared set carries a note of its files and
of its own size, written last: without it, or with another, it is prepared again.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grain
import tensorflow_datasets as tfds
from filelock import FileLock

from sr_jax.data.images import Bad, Image, decode_image
from sr_jax.data.sources import folders
from sr_jax.data.sources.download import check_space
from sr_jax.errors import InputError, writing

PART = 2**28
"""Bytes of a part, which is a split to TFDS. TFDS holds a split in memory, and beyond 1000 MiB it needs TensorFlow."""


class ImageFiles(tfds.core.GeneratorBasedBuilder):
    """Image files as they are, in the order given."""

    VERSION = tfds.core.Version("2.0.0")
    name = "sr_jax_images"

    def __init__(self, *, files: dict[str, Path], title: str, citation: str, licence: str, **kwargs: Any):
        self._files, self._title, self._citation, self._licence = files, title, citation, licence
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"image": tfds.features.Image(shape=(None, None, None)), "name": tfds.features.Text()}
        return tfds.core.DatasetInfo(
            builder=self,
            description=self._title,
            features=tfds.features.FeaturesDict(features),
            citation=self._citation,
            license=self._licence,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, str]]]]:
        del dl_manager
        return {f"part{i:04}": self._generate_examples(part) for i, part in enumerate(_parts(self._files))}

    def _generate_examples(self, files: dict[str, Path]) -> Iterator[tuple[int, dict[str, str]]]:
        for index, (name, path) in enumerate(files.items()):
            yield index, {"image": str(path), "name": name}


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """A set of images on disk, in order. Iterating decodes one after another and never holds more than a few.

    An image that cannot be used comes as Bad in its place, and those behind it still come.
    """

    title: str
    names: tuple[str, ...]
    fingerprint: str
    """sha256 of what tells these files from others: names, sizes, times of change, why some cannot be read, source, split."""
    citation: str
    licence: str
    read: Callable[[], Iterator[Image | Bad]] = dataclasses.field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Image | Bad]:
        return self.read()


def prepare(
    title: str, files: Mapping[str, Path | Bad], *, kind: str, source: str, citation: str, licence: str, cache: Path
) -> ImageSet:
    """The set of these files, prepared if that has not been done or if they have changed since.

    Args:
      files: name -> path, or why there is none.
      kind: names its folder in the cache.
      source: tells one set from another of the same kind.
      cache: folder for prepared sets.

    Raises:
      InputError: if `cache` cannot be written.
    """
    bad, good = {}, {}
    for name, path in files.items():
        reason = path.reason if isinstance(path, Bad) else folders.unreadable(name, path)
        if reason or isinstance(path, Bad):
            bad[name] = reason
        else:
            good[name] = path
    fingerprint = _fingerprint(source, good, bad)
    slug = "".join(letter if letter.isalnum() else "-" for letter in kind.lower())
    place = cache / f"sr_jax_{slug}-{hashlib.sha256(source.encode()).hexdigest()[:16]}"

    def make(*, anew: bool) -> Any:
        """The records, for random access."""
        with writing(f"--cache_dir: {place}"), FileLock(f"{place}.lock"):
            if anew:
                shutil.rmtree(place, ignore_errors=True)
            try:
                return _records(_prepared(place, title, good, fingerprint, citation, licence))
            except (OSError, InputError):
                raise
            except Exception:  # TFDS cannot read its own description
                if anew:
                    raise
        return make(anew=True)

    def read() -> Iterator[Image | Bad]:
        done = 0
        try:
            for item in _in_order(files, bad, make(anew=False) if good else (), start=0):
                yield item
                done += 1
        except InputError:
            raise
        except Exception:  # the prepared copy is damaged; nothing is lost by making it again
            yield from _in_order(files, bad, make(anew=True), start=done)

    if good:
        with writing(f"--cache_dir: {place}"):
            place.parent.mkdir(parents=True, exist_ok=True)
        make(anew=False)
    names = tuple(folders.printable(name) for name in files)
    return ImageSet(title, names, fingerprint, citation, licence, read)


def _in_order(files: Iterable[str], bad: dict[str, str], records: Any, *, start: int) -> Iterator[Image | Bad]:
    """The images of all files from the start-th on; those that could not be copied stand where they belong."""
    names = list(files)
    skipped = sum(name not in bad for name in names[:start])
    decoded = iter(_decoded(records, skipped) if len(records) > skipped else ())
    for name in names[start:]:
        yield Bad(folders.printable(name), bad[name]) if name in bad else next(decoded)


def _decoded(records: Any, start: int) -> Iterator[Image | Bad]:
    """Decodes records from the start-th on, several at a time, in threads; none is read before it is asked for."""

    def decode(record: dict) -> Image | Bad:
        name = record["name"].decode()
        try:
            return Image(name, decode_image(record["image"], name))
        except InputError as error:
            return Bad(name, str(error))

    threads = os.cpu_count() or 1
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    return iter(records[start:].map(decode).to_iter_dataset(options))


def _prepared(
    place: Path, title: str, files: dict[str, Path], fingerprint: str, citation: str, licence: str
) -> tfds.core.DatasetBuilder:
    """The builder of exactly these files, prepared in `place`."""
    note = place / "note.json"
    if place.exists() and not (note.exists() and note.read_text() == _note(place, fingerprint)):
        shutil.rmtree(place)
    fresh = not place.exists()
    place.mkdir(exist_ok=True)
    if fresh:
        check_space(place, sum(path.stat().st_size for path in files.values()), what=f"--cache_dir: {place}")
    with contextlib.redirect_stdout(io.StringIO()):
        tfds.disable_progress_bar()
        terms = {"citation": citation, "licence": licence}
        builder = ImageFiles(files=files, title=title, **terms, data_dir=str(place), file_format="array_record")
        builder.download_and_prepare()
    if fresh:
        note.write_text(_note(place, fingerprint))
    return builder


def _records(builder: tfds.core.DatasetBuilder) -> Any:
    as_data_source: Any = builder.as_data_source  # its decorator hides the signature from type checkers
    parts = as_data_source(sorted(builder.info.splits), decoders={"image": tfds.decode.SkipDecoding()})
    return grain.MapDataset.concatenate([grain.MapDataset.source(part) for part in parts])


def _parts(files: dict[str, Path]) -> Iterator[dict[str, Path]]:
    """The files in groups of at most PART bytes."""
    part, size = {}, 0
    for name, path in files.items():
        length = path.stat().st_size
        if part and size + length > PART:
            yield part
            part, size = {}, 0
        part[name] = path
        size += length
    yield part


def _note(place: Path, fingerprint: str) -> str:
    """What a whole prepared set says of itself: whose it is, and how long each of its files is."""
    records = sorted(path for path in place.rglob("*") if path.is_file() and path.name != "note.json")
    return json.dumps({"files": fingerprint, "sizes": {str(p.relative_to(place)): p.stat().st_size for p in records}})


def _fingerprint(source: str, good: dict[str, Path], bad: dict[str, str]) -> str:
    """Of the source, and of each file what tells it from another, or why it cannot be read: that too may change."""
    total = hashlib.sha256(f"{source}\n".encode())
    for name, reason in bad.items():
        total.update(f"{folders.printable(name)}\0{reason}\n".encode())
    for name, path in good.items():
        stat = path.stat()
        total.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return total.hexdigest()
