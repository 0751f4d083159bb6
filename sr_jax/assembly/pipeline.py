"""From a config to its input pipeline: the sampler, and where patches are cut."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from sr_jax.assembly.training_images import TrainingImages, name_and_size
from sr_jax.config import Config
from sr_jax.data import pack, pipelines
from sr_jax.data.degrade import Batch
from sr_jax.data.plan import Plan, Sampler
from sr_jax.errors import InputError, option
from sr_jax.system.memory import device_memory

BYTES_PER_PIXEL = 12
"""RGB in float32."""


class Pipeline(NamedTuple):
    """How the plan of a step becomes a batch."""

    on_host: Callable[[Plan], Any]
    """Runs ahead of the devices: turns a plan into an item that is sent to them."""
    on_device: Callable[[Any, Any], Batch]
    """Runs inside the compiled step: turns (images, item) into a batch."""
    images: Any
    """The arrays that the device needs for it; empty if patches are cut on the host."""


def make_pipeline(config: Config, images: TrainingImages, *, margin: int) -> Pipeline:
    """Returns the pipeline that the config names. All give the same bytes.

    Args:
      margin: HR pixels around a patch that its degradation needs.

    Raises:
      InputError: if a batch, or the images, cannot fit into the memory of a device.
    """
    _check_batch(config, memory=device_memory())
    cut = {"patch": config.data.patch, "margin": margin, "scale": config.scale}
    if config.data.pipeline != "resident":
        return Pipeline(functools.partial(pipelines.host_batch, images.packs, **cut), lambda _, batch: batch, ())
    with option("data.pipeline=resident"):
        pack.check_device_memory(
            [packed for packed in images.packs if isinstance(packed, pack.Pack)], memory=device_memory() // 2
        )
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


def _check_batch(config: Config, *, memory: int) -> None:
    """Refuses a batch whose HR patches fill the memory of a device. A smaller batch may still need too much."""
    patches = -(-config.data.batch // (jax.device_count() * config.accumulate))
    size = patches * config.data.patch**2 * BYTES_PER_PIXEL
    if size > memory:
        raise InputError(
            f"data.batch={config.data.batch}: its HR patches take {size / 2**30:.0f} GiB on a device, which has "
            f"{memory / 2**30:.0f} GiB; use a smaller batch or patch, or a larger `accumulate`"
        )
