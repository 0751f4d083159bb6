"""Images prepared for scoring: LR made of them, and what is known of how."""

from collections.abc import Iterator, Sequence

import jax
import numpy as np

from sr_jax.build import network as build
from sr_jax.config import Config
from sr_jax.data.degrade.whole import degrade_images
from sr_jax.data.images import Image
from sr_jax.data.pack import crop_to_multiple
from sr_jax.evaluation.protocol import COMPUTED, Protocol, Task
from sr_jax.models import Known


def make(protocol: Protocol, images: Sequence[Image], *, set: str, scale: int, degraded_by: Config | None) -> Iterator[Task]:
    """Yields a task of each image, LR degraded as in training by that config, or by MATLAB's bicubic reduction."""
    if degraded_by is None:
        known = build.known_of(["bicubic"], {}, scale=scale, examples=1)
        for image in images:
            yield _told(protocol.task(image, set=set, scale=scale, lr=None), known)
        return
    names = [stage.name for stage in degraded_by.stages]
    rgb = [_as_rgb(image, scale) for image in images]
    for image, (lr, drawn) in zip(rgb, degrade_images(build.make_degrade(degraded_by), rgb, scale=scale), strict=True):
        known = build.known_of(names, drawn, scale=scale, examples=1)
        yield _told(protocol.task(image, set=set, scale=scale, lr=lr), known)


def degraded_by(config: Config, way: str) -> Config | None:
    """The config, if its network is evaluated on LR degraded as in training, and that is not by bicubic reduction; else None.

    Args:
      way: training, bicubic, or own: the config's.
    """
    way = config.eval.degradation if way == "own" else way
    is_degraded = config.data.lr_source == "degrade" and config.data.degradation != "bicubic"
    return config if way == "training" and is_degraded else None


def lr_source(degraded_by: Config | None) -> str:
    """Where LR comes from, for stamps."""
    return f"{COMPUTED}: {_names(degraded_by)}" if degraded_by else COMPUTED


def rgb_lr(degraded_by: Config | None) -> str:
    """Why LR must be 8-bit RGB, if it must."""
    return f"LR is made by {_names(degraded_by)}, of RGB" if degraded_by else ""


def _names(config: Config) -> str:
    return ", ".join(stage.name for stage in config.stages)


def _as_rgb(image: Image, scale: int) -> Image:
    """The image cropped to multiples of the scale; a gray one as the RGB image that looks the same."""
    pixels = crop_to_multiple(image.pixels, scale)
    return Image(image.name, np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))


def _told(task: Task, known: Known | None) -> Task:
    """The task with what is known of its one image, as arrays without the axis of the batch."""
    return task if known is None else task._replace(known=jax.tree.map(lambda x: np.asarray(x)[0], known))
