"""From a config to its training images: opened, checked against the evaluation images, decoded into packs or records."""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.evaluation_sets import OpenSet
from sr_jax.config import Config
from sr_jax.data import pack, pipelines, records, sources
from sr_jax.data.sources import FileSet, ImageSet, checksums, leaks
from sr_jax.errors import InputError, listing, option
from sr_jax.system.places import data_root


class TrainingImages(NamedTuple):
    """The images that a run trains on."""

    names: list[str]
    sizes: list[tuple[int, int]]
    """Height and width of each image, before it is cropped to multiples of the scale."""
    packs: pipelines.Images
    """The packs, or the stores of records with `data.pipeline=records`."""
    digest: str
    """A fingerprint of all names and pixels, and of kernel files, by which a resumed run knows again what it began with."""
    places: tuple[Path, ...] = ()
    """Their folders, and those of copies of their files."""


def load_training_images(config: Config, degradation: Degradation, held_out: Sequence[OpenSet], cache: Path) -> TrainingImages:
    """Decodes the training images into packs or records, unless the cache holds them.

    Args:
      held_out: the evaluation sets. Their images may not be trained on, unless the config allows it.

    Raises:
      InputError: if there are none, or some cannot be used and the config does not say to skip them.
    """
    data = config.data
    opened = open_training_set(config, cache)
    opened_lr = open_training_lr(config, cache) if data.lr_source == "files" else None
    places = [opened.place, place_of(config, "hr", opened, cache)]
    allow, prepared = data.leaks == "allow", cache / "prepared"
    if data.pipeline == "records":  # decoding a large set twice would take too long; the records come with checksums
        hr, index = make_stored(config, "hr", opened, cache)
        refuse_leaks(opened, held_out, allow=allow, cache=prepared)
    else:
        refuse_leaks(opened, held_out, allow=allow, cache=prepared)
        hr, index = make_stored(config, "hr", opened, cache)
    lr, digest, reasons = None, index.digest, index.bad
    if opened_lr:
        places += [opened_lr.place, place_of(config, "lr", opened_lr, cache)]
        lr, lr_index = make_stored(config, "lr", opened_lr, cache)
        with option("data.lr_source=files"):
            lr, lr_index = pack.reorder(lr, lr_index, names=index.names)
            digest = f"{digest} {lr_index.digest}"
            reasons = reasons | pack.mismatches(index, lr_index, scale=config.scale)
    with option("data.bad_images"):
        sources.handle_bad_images(reasons, data.bad_images)
    if data.bad_images == "skip":  # otherwise the sampler will name an image that is too small
        too_small = {
            name: f"{name_and_size(name, size)} is smaller than data.patch={data.patch}"
            for name, size in zip(index.names, index.sizes, strict=True)
            if name not in reasons and min(size) < data.patch
        }
        sources.handle_bad_images(too_small, "skip")
        reasons = reasons | too_small
    kept = [i for i, name in enumerate(index.names) if name not in reasons]
    if not kept:
        raise InputError(f"no training image is left: all were skipped; is data.patch={data.patch} too large?")
    packs = pipelines.Images(
        pack.crop(pack.select(hr, kept), scale=config.scale), None if lr is None else pack.select(lr, kept)
    )
    digest = " ".join([digest, *degradation.kernel_digests])
    return TrainingImages(
        [index.names[i] for i in kept], [index.sizes[i] for i in kept], packs, digest, tuple(place for place in places if place)
    )


def open_training_set(config: Config, cache: Path) -> ImageSet:
    """Opens the HR training images on disk.

    Raises:
      InputError: if there are none.
    """
    data = config.data
    patterns = {"include": data.include, "exclude": data.exclude}
    if data.name != "folder":
        with option("data.name"):
            return sources.open_set(data.name, **patterns, split="train", **_where(config, cache))
    with option("data.dir"):
        if data.lr_source == "files":
            return sources.open_hr(_only_folder(config), **patterns, **_where(config, cache))
        return sources.open_folder(data.dir, **patterns, **_how(config, cache))


def open_training_lr(config: Config, cache: Path) -> ImageSet:
    """Opens the LR files of all images of the training set. `data.include` and `data.exclude` do not count here.

    Raises:
      InputError: if there are none.
    """
    is_folder = config.data.name == "folder"
    with option("data.dir" if is_folder else "data.name"):
        place = _only_folder(config) if is_folder else config.data.name
        return sources.open_lr(place, split="train", **_where(config, cache))


def refuse_leaks(training: ImageSet, held_out: Sequence[OpenSet], *, allow: bool, cache: Path) -> None:
    """Refuses training images that are evaluation images, or prints which they are.

    Raises:
      InputError: naming them, unless they are allowed.
    """
    same = leaks.find(
        checksums.sums_of(training, fingerprint=training.fingerprint, cache=cache),
        {held.title: checksums.sums_of(held.hr, fingerprint=held.hr.fingerprint, cache=cache) for held in held_out},
    )
    if not same:
        return
    if not allow:
        raise InputError(
            f"{len(same)} training image(s) are evaluation images (data.exclude leaves them out, data.leaks=allow trains "
            f"on them):{listing(same, most=10)}"
        )
    print(f"data.leaks=allow: training on {len(same)} evaluation image(s):{listing(same, most=10)}", file=sys.stderr)


def make_stored(config: Config, kind: str, images: ImageSet, cache: Path) -> tuple[Any, pack.Index]:
    """Makes the pack or the records of an image set, or opens them. Checksums of records are kept for `refuse_leaks`."""
    place = place_of(config, kind, images, cache)
    if config.data.pipeline != "records":
        return pack.build(images, place=place, fingerprint=images.fingerprint)
    assert isinstance(images, FileSet)
    made = records.build(images.files, title=images.title, place=place, fingerprint=images.fingerprint)
    checksums.keep(made.sums, fingerprint=images.fingerprint, cache=cache / "prepared")
    return made.images, made.contents


def place_of(config: Config, kind: str, images: ImageSet, cache: Path) -> Path:
    """Returns the folder of the pack or the records of an image set.

    What the config calls the set determines the folder, so that a changed set replaces its predecessor.
    """
    data = config.data
    root = "" if data.name == "folder" else data_root(config.data.root, cache).resolve()
    title = f"{kind} {data.name} {root} {data.dir} {data.include} {data.exclude} {config.scale if kind == 'lr' else ''}"
    folder = "records" if data.pipeline == "records" else "packs"
    return cache / folder / f"{images.title}-{kind}-{hashlib.sha256(title.encode()).hexdigest()[:16]}"


def name_and_size(name: str, size: tuple[int, int]) -> str:
    """Returns for example `a.png (480x640)`."""
    return f"{name} ({size[0]}x{size[1]})"


def _where(config: Config, cache: Path) -> dict[str, Any]:
    return {"scale": config.scale, "root": data_root(config.data.root, cache), **_how(config, cache)}


def _how(config: Config, cache: Path) -> dict[str, Any]:
    """Records are made from the files themselves. A copy of them would need as much room again."""
    return {"cache": cache / "prepared", "in_place": config.data.pipeline == "records"}


def _only_folder(config: Config) -> Path:
    if len(config.data.dir) != 1:
        raise InputError(f"data.lr_source=files takes one folder, not data.dir={' '.join(config.data.dir)}")
    return Path(config.data.dir[0])
