"""From a config to its images: training images as packs, evaluation sets, the sampler, the pipeline."""

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from sr_jax.build import evaluation_sets as tasks
from sr_jax.build import network as build
from sr_jax.config import Config
from sr_jax.data import pack, pipelines, sources
from sr_jax.data.degrade import file_digest
from sr_jax.data.images import Image
from sr_jax.data.plan import Sampler
from sr_jax.data.sources import ImageSet, checksums, leaks
from sr_jax.errors import InputError, listing
from sr_jax.evaluation.evaluator import Evaluator
from sr_jax.evaluation.protocol import choose
from sr_jax.evaluation.rows import Stamp, unusable
from sr_jax.evaluation.tiles import PRECISION
from sr_jax.models import About
from sr_jax.system import provenance
from sr_jax.system.places import data_root


class TrainingImages(NamedTuple):
    """What is trained on."""

    names: list[str]
    sizes: list[tuple[int, int]]
    """Height and width of each image, before it is cropped to multiples of the scale."""
    packs: pipelines.Images
    digest: str
    """Of all names and pixels, and of kernel files, by which a resumed run knows again what it began with."""


def open_training_set(config: Config, cache: Path) -> ImageSet:
    """The HR training images, on disk.

    Raises:
      InputError: if there are none, or some are evaluation images and the config does not allow it.
    """
    data, prepared = config.data, cache / "prepared"
    patterns = {"include": data.include, "exclude": data.exclude}
    if data.name != "folder":
        training = sources.open_set(data.name, **patterns, split="train", **_where(config, cache))
    elif data.lr_source == "files":
        training = sources.open_hr(_only_folder(config), **patterns, option="data.dir", **_where(config, cache))
    else:
        training = sources.open_folder(data.dir, **patterns, cache=prepared, config_key="data.dir")
    evaluation = open_evaluation_sets(config, cache)
    refuse_leaks(training, evaluation, allow=data.leaks == "allow", cache=prepared)
    return training


def open_training_lr(config: Config, cache: Path) -> ImageSet:
    """The LR files of all images of the training set, on disk: `data.include` and `data.exclude` do not count.

    Raises:
      InputError: if there are none.
    """
    place = config.data.name if config.data.name != "folder" else _only_folder(config)
    return sources.open_lr(place, option="data.dir", split="train", **_where(config, cache))


def open_evaluation_sets(config: Config, cache: Path) -> dict[str, ImageSet]:
    """Title of each evaluation set -> its HR images, on disk.

    Raises:
      InputError: if a set cannot be had, or two sets have the same title.
    """
    sets: dict[str, ImageSet] = {}
    for name in config.eval.sets:
        opened = sources.open_hr(name, option="eval.sets", **_where(config, cache))
        if opened.title in sets:
            raise InputError(f"eval.sets={' '.join(config.eval.sets)}: two sets are called {opened.title}; rename one's folder")
        sets[opened.title] = opened
    return sets


def refuse_leaks(training: ImageSet, evaluation: dict[str, ImageSet], *, allow: bool, cache: Path) -> None:
    """Refuses training images that are evaluation images, or says which they are.

    Raises:
      InputError: naming them, unless they are allowed.
    """
    found = leaks.find(
        checksums.sums_of(training, fingerprint=training.fingerprint, cache=cache),
        {title: checksums.sums_of(held, fingerprint=held.fingerprint, cache=cache) for title, held in evaluation.items()},
    )
    if not found:
        return
    if not allow:
        raise InputError(
            f"{len(found)} training image(s) are evaluation images (data.exclude leaves them out, data.leaks=allow trains "
            f"on them):{listing(found, most=10)}"
        )
    print(f"data.leaks=allow: training on {len(found)} evaluation image(s):{listing(found, most=10)}", file=sys.stderr)


def load_training_images(config: Config, cache: Path) -> TrainingImages:
    """The training images, decoded into packs; those smaller than a patch are left out if the config says so.

    Raises:
      InputError: if there are none, or some cannot be used and the config does not say to skip them.
    """
    data = config.data
    hr, index = make_pack(config, "hr", open_training_set(config, cache), cache)
    lr, digest, reasons = None, index.digest, index.bad
    if data.lr_source == "files":
        lr, lr_index = make_pack(config, "lr", open_training_lr(config, cache), cache)
        lr, lr_index = pack.reorder(lr, lr_index, names=index.names)
        digest = f"{digest} {lr_index.digest}"
        reasons = reasons | pack.mismatches(index, lr_index, scale=config.scale)
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
    digest = " ".join([digest, *(file_digest(stage.path) for stage in config.stages if stage.name == "kernel-file")])
    return TrainingImages([index.names[i] for i in kept], [index.sizes[i] for i in kept], packs, digest)


def make_pack(config: Config, kind: str, images: ImageSet, cache: Path) -> tuple[pack.Pack, pack.Index]:
    """The pack of an image set. What the config calls the set has one folder, in which a changed set replaces its elder."""
    data = config.data
    root = "" if data.name == "folder" else data_root(config.data.root, cache).resolve()
    called = f"{kind} {data.name} {root} {data.dir} {data.include} {data.exclude} {config.scale if kind == 'lr' else ''}"
    place = cache / "packs" / f"{images.title}-{kind}-{hashlib.sha256(called.encode()).hexdigest()[:16]}"
    return pack.build(images, place=place, fingerprint=images.fingerprint)


def name_and_size(name: str, size: tuple[int, int]) -> str:
    return f"{name} ({size[0]}x{size[1]})"


def load_evaluation_sets(config: Config, cache: Path) -> dict[str, list[Image]]:
    """Title of each evaluation set -> its HR images, decoded, but for those that cannot be scored.

    Raises:
      InputError: if a set cannot be had or scored, or two sets have the same title.
    """
    policy = config.data.bad_images
    sets: dict[str, list[Image]] = {}
    for title, opened in open_evaluation_sets(config, cache).items():
        images = sources.usable(opened, policy)
        reasons = {image.name: reason for image in images if (reason := unusable(image, scale=config.scale))}
        sources.handle_bad_images(reasons, policy)
        if len(reasons) == len(images):
            raise InputError(f"eval.sets: {title} holds no image that can be scored")
        sets[title] = [image for image in images if image.name not in reasons]
    return sets


def make_evaluator(config: Config, about: About, cache: Path) -> Evaluator:
    """Scores the run's evaluation sets, LR computed.

    Raises:
      InputError: if a set or the protocol cannot be used.
    """
    by = tasks.degraded_by(config, "own")
    protocol = choose(config.eval.protocol, channels=[about.channels], rgb_lr=tasks.rgb_lr(by), option="eval.protocol=")
    prepared = [
        task
        for name, images in load_evaluation_sets(config, cache).items()
        for task in tasks.make(protocol, images, set=name, scale=config.scale, degraded_by=by)
    ]
    return Evaluator(protocol, prepared, stamp=Stamp(protocol.name, tasks.lr_source(by), PRECISION, "", provenance.commit()))


def make_sampler(config: Config, images: TrainingImages) -> Sampler:
    hr = images.packs.hr
    return Sampler(
        list(zip(hr.height.tolist(), hr.width.tolist(), strict=True)),
        patch=config.data.patch,
        scale=config.scale,
        batch=config.data.batch,
        seed=config.seed,
        names=list(map(name_and_size, images.names, images.sizes)),
    )


def make_pipeline(config: Config, images: pipelines.Images) -> tuple[Callable, Callable, Any]:
    """What the host does with a plan, what the device does with that, and the arrays that the device needs for it."""
    cut = {"patch": config.data.patch, "margin": build.make_degrade(config).margin, "scale": config.scale}
    if config.data.pipeline == "host":
        return functools.partial(pipelines.host_batch, images, **cut), lambda _, batch: batch, ()
    memory = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit") or physical_memory()
    pack.check_device_memory([packed for packed in images if packed], memory=memory // 2)
    return lambda plan: plan, functools.partial(pipelines.resident_batch, **cut), images


def physical_memory() -> int:
    """Bytes of the host's memory, which is that of its CPU devices."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _where(config: Config, cache: Path) -> dict[str, Any]:
    """What all openers of sets take."""
    root = data_root(config.data.root, cache)
    return {"scale": config.scale, "root": root, "root_option": "data.root", "cache": cache / "prepared"}


def _only_folder(config: Config) -> Path:
    if len(config.data.dir) != 1:
        raise InputError(f"data.lr_source=files takes one folder, not data.dir={' '.join(config.data.dir)}")
    return Path(config.data.dir[0])
