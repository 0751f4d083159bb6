"""From a config to its input pipeline: the sampler, and where patches are cut."""

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from sr_jax.assembly.training_images import TrainingImages, name_and_size
from sr_jax.config import Config
from sr_jax.data import pack, pipelines
from sr_jax.data.degrade import Batch
from sr_jax.data.plan import Plan, Sampler
from sr_jax.errors import option


class Pipeline(NamedTuple):
    """How the plan of a step becomes a batch."""

    on_host: Callable[[Plan], Any]
    """Runs ahead of the devices: turns a plan into an item that is sent to them."""
    on_device: Callable[[Any, Any], Batch]
    """Runs inside the compiled step: turns (images, item) into a batch."""
    images: Any
    """The arrays that the device needs for it; empty if patches are cut on the host."""


def make_pipeline(config: Config, images: TrainingImages, *, margin: int) -> Pipeline:
    """Returns the pipeline that the config names. Both give the same bytes.

    Args:
      margin: HR pixels around a patch that its degradation needs.

    Raises:
      InputError: if the images do not fit into the memory of a device.
    """
    cut = {"patch": config.data.patch, "margin": margin, "scale": config.scale}
    if config.data.pipeline == "host":
        return Pipeline(functools.partial(pipelines.host_batch, images.packs, **cut), lambda _, batch: batch, ())
    memory = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit") or physical_memory()
    with option("data.pipeline=resident"):
        pack.check_device_memory([packed for packed in images.packs if packed], memory=memory // 2)
    return Pipeline(lambda plan: plan, functools.partial(pipelines.resident_batch, **cut), images.packs)


def make_sampler(config: Config, images: TrainingImages) -> Sampler:
    """Returns the sampler of the training images.

    Raises:
      InputError: if a patch does not fit into one of them.
    """
    hr = images.packs.hr
    with option("data.patch, data.bad_images"):
        return Sampler(
            list(zip(hr.height.tolist(), hr.width.tolist(), strict=True)),
            patch=config.data.patch,
            scale=config.scale,
            batch=config.data.batch,
            seed=config.seed,
            names=list(map(name_and_size, images.names, images.sizes)),
        )


def rows_of_this_process(batch: int) -> slice:
    """Returns the examples of a global batch that this process feeds to its devices."""
    share = batch // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def physical_memory() -> int:
    """Returns the bytes of the host's memory, which is that of its CPU devices."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
