"""Evaluation sets, for training runs and for `evaluate`: opened, loaded, and prepared as tasks."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from sr_jax.assembly.degradation import Degradation
from sr_jax.data import sources
from sr_jax.data.degrade.whole import degrade_images
from sr_jax.data.images import Image
from sr_jax.data.pack import crop_to_multiple
from sr_jax.data.sources import ImageSet
from sr_jax.errors import InputError
from sr_jax.evaluation.protocol import Protocol, Task
from sr_jax.evaluation.rows import unusable
from sr_jax.models import Known


class OpenSet(NamedTuple):
    """A set on disk. Its images are decoded when it is loaded."""

    title: str
    hr: ImageSet
    lr: ImageSet | None
    """LR files; None if LR is computed."""


class EvaluationSet(NamedTuple):
    """The images of a set that can be scored."""

    title: str
    images: list[Image]
    lrs: list[Image] | None
    """The LR files of the images; None if LR is computed."""
    reasons: dict[str, str]
    """Name -> why this image cannot be scored."""


def open_sets(names: Sequence[str], *, scale: int, root: Path, cache: Path, lr_files: bool = False) -> list[OpenSet]:
    """Opens named sets, or folders of HR images.

    Args:
      root: the folder that holds the named sets.
      cache: the folder for compiled programs and prepared images.
      lr_files: whether LR comes from the files beside the sets.

    Raises:
      InputError: if a set is unknown or missing, lacks LR files that are asked for, or has the title of another one.
    """
    where = {"scale": scale, "root": root, "cache": cache / "prepared"}
    opened = [
        OpenSet(hr.title, hr, sources.open_lr(name, **where) if lr_files else None)
        for name in names
        for hr in (sources.open_hr(name, **where),)
    ]
    for (name, one), (other, two) in itertools.combinations(zip(names, opened, strict=True), 2):
        if one.title == two.title:  # their rows could not be told apart
            raise InputError(f"{name} and {other} are both called {one.title}; leave one out, or rename its folder")
    return opened


def load_set(opened: OpenSet, *, scale: int) -> EvaluationSet:
    """Decodes the images of a set. What to do about those that cannot be scored is the caller's decision."""

    def check(image: Image) -> str | None:
        return unusable(image, scale=scale)

    if opened.lr is None:
        images, reasons = sources.split_usable(opened.hr, check=check)
        return EvaluationSet(opened.title, images, None, reasons)
    pairs, reasons = sources.split_usable_pairs(opened.hr, opened.lr, scale=scale, check=check)
    return EvaluationSet(opened.title, [hr for hr, _ in pairs], [lr for _, lr in pairs], reasons)


def make_tasks(protocol: Protocol, loaded: EvaluationSet, degradation: Degradation) -> list[Task]:
    """Makes the LR of every image, by the degradation or from its file, and adds what is known of its blur."""
    scale = degradation.scale
    if loaded.lrs is not None:
        pairs = zip(loaded.images, loaded.lrs, strict=True)
        return [protocol.task(image, set=loaded.title, scale=scale, lr=lr.pixels) for image, lr in pairs]
    if degradation.is_bicubic:  # the protocol itself computes it, of Y or of RGB
        known = degradation.known({}, examples=1)
        tasks = [protocol.task(image, set=loaded.title, scale=scale, lr=None) for image in loaded.images]
        return [_with_blur(task, known) for task in tasks]
    images = [_as_rgb(image, scale) for image in loaded.images]
    degraded = degrade_images(degradation.degrade, images, scale=scale)
    return [
        _with_blur(protocol.task(image, set=loaded.title, scale=scale, lr=lr), degradation.known(drawn, examples=1))
        for image, (lr, drawn) in zip(images, degraded, strict=True)
    ]


def matlab_lr_note(protocol: Protocol, loaded: EvaluationSet, *, scale: int) -> str:
    """Returns how many of a set's LR files equal MATLAB's bicubic reduction byte for byte."""
    equal = 0
    for image, lr in zip(loaded.images, loaded.lrs or [], strict=True):
        computed = protocol.task(image, set=loaded.title, scale=scale, lr=None).lr
        equal += computed.shape == lr.pixels.shape and bool((computed == lr.pixels).all())
    return f"{loaded.title}: {equal} of {len(loaded.images)} equal MATLAB's bicubic byte for byte"


def _as_rgb(image: Image, scale: int) -> Image:
    """Crops an image to multiples of the scale, and repeats a gray one in three channels."""
    pixels = crop_to_multiple(image.pixels, scale)
    return Image(image.name, np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))


def _with_blur(task: Task, known: Known | None) -> Task:
    """Adds what is known of a task's one image, as arrays without the axis of the batch."""
    return task if known is None else task._replace(known=jax.tree.map(lambda x: np.asarray(x)[0], known))
