"""Where images come from: TFDS builders over image files, prepared as array_record, without TensorFlow.

A builder hands TFDS the image *files*, byte for byte; nothing is re-encoded. Loading prepares a set where that has not been
done yet, then reads it and decodes each image once. Images that cannot be used are found there, and named.
"""

import contextlib
import hashlib
import importlib.util
import io
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import grain
import tensorflow_datasets as tfds
from filelock import FileLock

from sr_jax.data.images import SUFFIXES, Image, decode_image
from sr_jax.errors import InputError

BadImages = Literal["refuse", "skip"]


class Photographs(NamedTuple):
    """The photographs of scikit-image, by split."""

    train: tuple[str, ...]
    test: tuple[str, ...]


# What is left out, and why, is measured by benchmarks/photographs.py and told in docs/decisions.md.
PHOTOGRAPHS = Photographs(
    train=(
        "brick.png",
        "camera.png",
        "coins.png",
        "grass.png",
        "gravel.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "rocket.jpg",
    ),
    test=("astronaut.png", "chelsea.png", "coffee.png"),
)


class _ImageFiles(tfds.core.GeneratorBasedBuilder):
    """Image files as they are, in the order of their names."""

    def __init__(self, *, files: dict[str, dict[str, Path]], source: str, **kwargs):
        self._files = files  # split -> name -> path
        self._source = source
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(None, None, None)), "name": tfds.features.Text()}
        )
        return tfds.core.DatasetInfo(builder=self, description=self._source, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager):
        del dl_manager
        return {split: self._generate_examples(files) for split, files in self._files.items()}

    def _generate_examples(self, files: dict[str, Path]) -> Iterator[tuple[int, dict[str, str]]]:
        for index, (name, path) in enumerate(files.items()):
            yield index, {"image": str(path), "name": name}


class PhotographsBuilder(_ImageFiles):
    """The photographs that scikit-image's wheel carries; public domain or CC0, but for the Middlebury motorcycle pair."""

    VERSION = tfds.core.Version("1.0.0")
    name = "sr_jax_photographs"


class FolderBuilder(_ImageFiles):
    """All images below a folder of the user's."""

    VERSION = tfds.core.Version("1.0.0")
    name = "sr_jax_folder"


def load_photographs(split: Literal["train", "test"], *, cache: Path) -> list[Image]:
    """The photographs of scikit-image, decoded; `test` are the three that are held out.

    Args:
      cache: folder for prepared sets.
    """
    folder = _scikit_image_data()
    files = {key: {name: folder / name for name in names} for key, names in PHOTOGRAPHS._asdict().items()}
    return _load(PhotographsBuilder, files, split, folder, cache, "refuse")


def load_folder(directory: str | Path, *, bad_images: BadImages, cache: Path, config_key: str = "data.dir") -> list[Image]:
    """All images below a folder, decoded, in the order of their names (the paths within the folder).

    Args:
      bad_images: `refuse` raises if any image cannot be used, `skip` says which and leaves them out.
      cache: folder for prepared sets.
      config_key: of the config, that names the folder; for error messages.

    Raises:
      InputError: naming the folder if it is missing or holds no usable image, or the images that cannot be used.
    """
    folder = Path(directory).expanduser()
    files = _list_folder(folder, config_key)
    reasons = {name: reason for name, path in files.items() if (reason := _unreadable(name, path))}
    handle_bad_images(reasons, bad_images)
    files = {name: path for name, path in files.items() if name not in reasons}
    images = _load(FolderBuilder, {"train": files}, "train", folder, cache, bad_images) if files else []
    if not images:
        raise InputError(f"{config_key}={directory} holds no usable image: all were skipped")
    return images


def handle_bad_images(reasons: dict[str, str], policy: BadImages) -> None:
    """Refuses the named images, or says that they are skipped. `reasons`: name -> what is wrong, with the name in it."""
    if not reasons:
        return
    lines = [f"\n  {reason}" for reason in reasons.values()]
    if policy == "skip":
        print(f"skipping {len(reasons)} image(s):{''.join(lines)}", file=sys.stderr)
        return
    more = f"\n  and {len(lines) - 10} more" if len(lines) > 10 else ""
    raise InputError(
        f"{len(reasons)} image(s) cannot be used (data.bad_images=skip goes on without them):{''.join(lines[:10])}{more}"
    )


def _scikit_image_data() -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("data.name=photographs needs scikit-image, which is not installed: pip install scikit-image")
    return Path(spec.submodule_search_locations[0]) / "data"


def _list_folder(folder: Path, config_key: str) -> dict[str, Path]:
    """Name -> path of all image files below a folder, but for hidden files and folders; links are followed."""
    if not folder.is_dir():
        raise InputError(f"{config_key}={folder}: " + ("not a folder" if folder.exists() else "no such folder"))

    def fail(error: OSError) -> None:
        raise InputError(f"{config_key}={folder}: {error.filename} cannot be read ({error.strerror})")

    found, seen = {}, set()
    for place, subfolders, names in os.walk(folder, followlinks=True, onerror=fail):
        real = os.path.realpath(place)
        if real in seen:  # a link led back
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                found[path.relative_to(folder).as_posix()] = path
    if not found:
        raise InputError(f"{config_key}={folder} holds no images (looked for {', '.join(SUFFIXES)}, in subfolders too)")
    return dict(sorted(found.items()))


def _unreadable(name: str, path: Path) -> str | None:
    """Why a file cannot even be copied, if so."""
    try:
        name.encode()
        with path.open("rb"):
            return None
    except UnicodeEncodeError:
        return f"{name.encode(errors='backslashreplace').decode()}: its name is not UTF-8; rename it"
    except OSError as error:
        return f"{name}: cannot be read ({error.strerror})"


def _load(
    builder_class: type[_ImageFiles],
    files: dict[str, dict[str, Path]],
    split: str,
    source: Path,
    cache: Path,
    bad_images: BadImages,
) -> list[Image]:
    """Prepares the files if that has not been done, or if they have changed since; reads and decodes a split."""
    place = cache / f"{builder_class.name}-{hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            builder = _prepare(builder_class, files, source, place)
            try:
                return _read(builder, split, bad_images)
            except InputError:
                raise
            except Exception:  # the prepared copy is damaged; nothing is lost by making it again
                shutil.rmtree(place)
                return _read(_prepare(builder_class, files, source, place), split, bad_images)
    except OSError as error:
        raise InputError(f"--cache_dir: {place} cannot be written ({error.strerror or error}); give another folder") from error


def _prepare(
    builder_class: type[_ImageFiles], files: dict[str, dict[str, Path]], source: Path, place: Path
) -> tfds.core.DatasetBuilder:
    """The builder of exactly these files, prepared in `place`."""
    fingerprint = hashlib.sha256()
    for split, named in files.items():
        for name, path in named.items():
            stat = path.stat()
            fingerprint.update(f"{split}\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    note = place / "files.sha256"
    if place.exists() and not (note.exists() and note.read_text() == fingerprint.hexdigest()):
        shutil.rmtree(place)
    place.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        tfds.disable_progress_bar()
        builder = builder_class(files=files, source=str(source), data_dir=str(place), file_format="array_record")
        builder.download_and_prepare()
    note.write_text(fingerprint.hexdigest())
    return builder


def _read(builder: tfds.core.DatasetBuilder, split: str, bad_images: BadImages) -> list[Image]:
    """Reads a prepared split through Grain and decodes each image, once."""
    as_data_source: Any = builder.as_data_source  # its decorator hides the signature from type checkers
    source = as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})

    def decode(record: dict) -> Image | tuple[str, str]:
        name = record["name"].decode()
        try:
            return Image(name, decode_image(record["image"], name))
        except InputError as error:
            return name, str(error)

    options = grain.ReadOptions(num_threads=os.cpu_count() or 1, prefetch_buffer_size=16)
    decoded = list(grain.MapDataset.source(source).map(decode).to_iter_dataset(options))
    handle_bad_images(dict(item for item in decoded if not isinstance(item, Image)), bad_images)
    return [item for item in decoded if isinstance(item, Image)]
