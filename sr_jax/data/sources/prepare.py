"""Prepares image files as array_record with a TFDS builder, without TensorFlow, and reads them image by image.

The builder gives TFDS the image *files*, byte for byte; nothing is encoded again. A prepared set holds a note about its files
and its own size, which is written last. If the note is missing or does not fit, the set is prepared again.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grain
import tensorflow_datasets as tfds
from filelock import FileLock

from sr_jax.data import images
from sr_jax.data.images import Bad, Image, decode_image
from sr_jax.data.sources import folders
from sr_jax.data.sources.download import check_space
from sr_jax.data.sources.image_set import Files, FileSet, ImageSet
from sr_jax.errors import InputError, printable, writing

PART = 2**28
"""Bytes in a part, which TFDS treats as a split. TFDS holds a split in memory, and needs TensorFlow beyond 1000 MiB."""


class ImageFiles(tfds.core.GeneratorBasedBuilder):
    """A TFDS builder of image files, unchanged and in their order."""

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


def prepare(
    title: str,
    files: Mapping[str, Path | Bad],
    *,
    kind: str,
    source: str,
    citation: str,
    licence: str,
    cache: Path,
    in_place: bool = False,
) -> ImageSet:
    """Returns the set of these files, after preparing it if that has not been done or the files have changed.

    Args:
      files: maps the name of each image to its path, or to Bad.
      kind: part of the name of the set's folder in the cache.
      source: distinguishes sets of the same kind.
      cache: folder for prepared sets.
      in_place: whether the images are read from the files themselves, so that nothing is prepared. It returns a FileSet then.

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
    names = tuple(printable(name) for name in files)
    if in_place:
        found = Files(tuple((name, Bad(name, bad[name]) if name in bad else good[name]) for name in files))
        return FileSet(title, names, fingerprint, citation, licence, found.__iter__, files=found)
    slug = "".join(letter if letter.isalnum() else "-" for letter in kind.lower())
    place = cache / f"sr_jax_{slug}-{hashlib.sha256(source.encode()).hexdigest()[:16]}"

    def make(*, anew: bool) -> Any:
        """Returns the records, for random access."""
        with writing(f"the cache folder (--cache_dir) {place}"), FileLock(f"{place}.lock"):
            if anew:
                shutil.rmtree(place, ignore_errors=True)
            try:
                return _records(_builder(place, title, good, fingerprint, citation, licence))
            except (OSError, InputError):
                raise
            except Exception:  # TFDS cannot read its own description
                if anew:
                    raise
        return make(anew=True)

    def read() -> Iterator[Image | Bad]:
        count = 0
        try:
            for item in _in_order(files, bad, make(anew=False) if good else (), start=0):
                yield item
                count += 1
        except InputError:
            raise
        except Exception:  # the prepared copy is damaged; nothing is lost by making it again
            yield from _in_order(files, bad, make(anew=True), start=count)

    if good:
        with writing(f"the cache folder (--cache_dir) {place}"):
            place.parent.mkdir(parents=True, exist_ok=True)
        make(anew=False)
    return ImageSet(title, names, fingerprint, citation, licence, read, place if good else None)


def _in_order(files: Iterable[str], bad: dict[str, str], records: Any, *, start: int) -> Iterator[Image | Bad]:
    """The images of all files from index `start` on. Files that could not be copied appear as Bad in their places."""
    names = list(files)
    skipped = sum(name not in bad for name in names[:start])
    images = iter(_decode(records, skipped) if len(records) > skipped else ())
    for name in names[start:]:
        yield Bad(printable(name), bad[name]) if name in bad else next(images)


def _decode(records: Any, start: int) -> Iterator[Image | Bad]:
    """Decodes records from index `start` on in threads, which run only a few records ahead."""

    def decode(record: dict) -> Image | Bad:
        name = record["name"].decode()
        try:
            return Image(name, decode_image(record["image"], name))
        except InputError as error:
            return Bad(name, str(error))

    threads = os.cpu_count() or 1
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    return iter(records[start:].map(decode).to_iter_dataset(options))


def _builder(
    place: Path, title: str, files: dict[str, Path], fingerprint: str, citation: str, licence: str
) -> tfds.core.DatasetBuilder:
    """A builder of exactly these files, prepared in `place`."""
    note = place / "note.json"
    if place.exists() and not (note.exists() and note.read_text() == _note(place, fingerprint)):
        shutil.rmtree(place)
    is_new = not place.exists()
    place.mkdir(exist_ok=True)
    if is_new:
        check_space(place, sum(path.stat().st_size for path in files.values()), what=f"the cache folder (--cache_dir) {place}")
    with contextlib.redirect_stdout(io.StringIO()):
        tfds.disable_progress_bar()
        terms = {"citation": citation, "licence": licence}
        builder = ImageFiles(files=files, title=title, **terms, data_dir=str(place), file_format="array_record")
        builder.download_and_prepare()
    if is_new:
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
    """The note of a complete prepared set: the fingerprint of the image files, and the size of each of its own files."""
    records = sorted(path for path in place.rglob("*") if path.is_file() and path.name != "note.json")
    return json.dumps({"files": fingerprint, "sizes": {str(p.relative_to(place)): p.stat().st_size for p in records}})


def _fingerprint(source: str, good: dict[str, Path], bad: dict[str, str]) -> str:
    """The sha256 behind `ImageSet.fingerprint`. Reasons are part of it, because they too may change."""
    digest = hashlib.sha256(f"{images.VERSION} {source}\n".encode())
    for name, reason in bad.items():
        digest.update(f"{printable(name)}\0{reason}\n".encode())
    for name, path in good.items():
        stat = path.stat()
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
