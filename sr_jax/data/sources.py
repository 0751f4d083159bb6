"""Where images come from: TFDS builders over image files, prepared as array_record, without TensorFlow.

A builder hands TFDS the image *files*, byte for byte; nothing is re-encoded. Loading prepares a set where that has not been
done yet, then reads it and decodes each image once. Images that cannot be used are found there, and named.
"""

import contextlib
import hashlib
import importlib.util
import io
import os
import warnings
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


# Which of scikit-image's images train, and which are left out, is measured in benchmarks/photographs.py.
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


def load_photographs(split: Literal["train", "test"], *, cache: str | Path) -> list[Image]:
    """The photographs of scikit-image, decoded; `test` are the three that are held out.

    Args:
      cache: folder for prepared sets.
    """
    folder = _scikit_image_data()
    files = {key: {name: folder / name for name in names} for key, names in PHOTOGRAPHS._asdict().items()}
    return _read(_prepare(PhotographsBuilder, files, "Photographs of scikit-image", cache), split, "refuse")


def load_folder(directory: str | Path, *, bad_images: BadImages, cache: str | Path, key: str = "data.dir") -> list[Image]:
    """All images below a folder, decoded, in the order of their names (the paths within the folder).

    Args:
      bad_images: `refuse` raises if any image cannot be used, `skip` warns and leaves those out.
      cache: folder for prepared sets.
      key: of the config, that names the folder; for error messages.

    Raises:
      InputError: naming the folder if it is missing or holds no usable image, or the images that cannot be used.
    """
    files = _list_folder(Path(directory), key)
    images = _read(_prepare(FolderBuilder, {"train": files}, str(directory), cache), "train", bad_images)
    if not images:
        raise InputError(f"{key}={directory} holds no usable image: all were skipped")
    return images


def _scikit_image_data() -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("data.name=photographs needs scikit-image, which is not installed: pip install scikit-image")
    return Path(spec.submodule_search_locations[0]) / "data"


def _list_folder(directory: Path, key: str) -> dict[str, Path]:
    if not directory.is_dir():
        raise InputError(f"{key}={directory}: " + ("not a folder" if directory.exists() else "no such folder"))
    paths = sorted(path for path in directory.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    files = {path.relative_to(directory).as_posix(): path for path in paths if not path.name.startswith(".")}
    if not files:
        raise InputError(f"{key}={directory} holds no images (looked for {', '.join(SUFFIXES)}, in subfolders too)")
    return files


def handle_bad_images(reasons: dict[str, str], policy: BadImages) -> None:
    """Refuses the named images, or warns that they are skipped. `reasons`: name -> what is wrong."""
    if not reasons:
        return
    shown = list(reasons.values())[:10]
    more = f"\n  and {len(reasons) - len(shown)} more" if len(reasons) > len(shown) else ""
    lines = "".join(f"\n  {line}" for line in shown) + more
    if policy == "refuse":
        raise InputError(f"{len(reasons)} image(s) cannot be used (data.bad_images=skip goes on without them):{lines}")
    warnings.warn(f"skipping {len(reasons)} image(s):{lines}", stacklevel=2)


def _prepare(
    builder_class: type[_ImageFiles], files: dict[str, dict[str, Path]], source: str, cache: str | Path
) -> tfds.core.DatasetBuilder:
    """The builder of exactly these files, prepared. A change to any of them makes another prepared set."""
    fingerprint = hashlib.sha256()
    for split, named in files.items():
        for name, path in named.items():
            stat = path.stat()
            fingerprint.update(f"{split}\0{name}\0{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    data_dir = Path(cache) / fingerprint.hexdigest()[:16]
    data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(data_dir / "prepare.lock"), contextlib.redirect_stdout(io.StringIO()):
        tfds.disable_progress_bar()
        builder = builder_class(files=files, source=source, data_dir=str(data_dir), file_format="array_record")
        builder.download_and_prepare()
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
