"""From a config to the parts of a run."""

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import optax
from flax import nnx
from jaxtyping import Array

from sr_jax import optim
from sr_jax.config import Config
from sr_jax.data import degrade, pack, pipelines, sources
from sr_jax.data.degrade import Batch, Degrade
from sr_jax.data.images import Image
from sr_jax.data.plan import Sampler
from sr_jax.errors import InputError
from sr_jax.evaluate import unusable
from sr_jax.losses import LOSSES
from sr_jax.models import MODELS
from sr_jax.state import State
from sr_jax.step import Metrics, make_step

MAX_UNROLLED = 8
"""More steps in one dispatch are looped on CPUs too: 100 unrolled ones would compile for minutes and take gigabytes."""


def use_compilation_cache(cache: Path) -> None:
    """Keeps compiled programs in `cache`, unless JAX_COMPILATION_CACHE_DIR names another place.

    Raises:
      InputError: if the folder cannot be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--cache_dir {cache} cannot be written ({error.strerror}); give another folder") from None
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def build_model(config: Config) -> tuple[Callable[[Any, Array], Array], Any]:
    """The network as a function `(params, LR) -> SR`, and its initial parameters, a nested dict named by attribute."""
    options = dataclasses.asdict(config.model)
    module = MODELS[options.pop("name")](scale=config.scale, **options, rngs=nnx.Rngs(config.seed))
    graph, variables = nnx.split(module, nnx.Param)
    return lambda params, lr: nnx.merge(graph, params)(lr), nnx.to_pure_dict(variables)


def make_optimizer(config: Config) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimiser and its learning rate over the steps."""
    learning_rate = optim.schedule(
        lr=config.optim.lr,
        warmup_steps=config.optim.warmup_steps,
        final_lr=config.optim.final_lr,
        steps=config.steps,
    )
    return optim.adam(learning_rate, b1=config.optim.b1, b2=config.optim.b2), learning_rate


def unrolls(config: Config) -> bool:
    """Whether the steps of a dispatch are repeated in the program: on CPUs, as long as that compiles in reasonable time."""
    return jax.default_backend() == "cpu" and config.steps_per_dispatch <= MAX_UNROLLED


def make_train_step(
    config: Config, model: Callable[[Any, Array], Array], optimizer: optax.GradientTransformation
) -> Callable[[State, Batch], tuple[State, Metrics]]:
    """The training step of one device."""
    return make_step(
        model,
        LOSSES[config.loss],
        optimizer,
        make_degrade(config),
        ema_decay=config.optim.ema_decay,
        compute_dtype=config.compute,
    )


def make_degrade(config: Config) -> Degrade:
    """What makes LR of HR.

    Raises:
      InputError: if a file of kernels cannot be used.
    """
    aligned = any(stage.name == "subsample" and stage.aligned for stage in config.stages)
    # A kernel with its middle up and to the left looks down and to the right: at the middle of the cell, not its kept pixel.
    shift = -(config.scale - 1) / 2 if aligned else 0.0
    stages = []
    for stage in config.stages:
        stages.append(_make_stage(stage, scale=config.scale, shift=shift))
        if stages[-1].scale > 1:
            shift = 0.0
    return Degrade(scale=config.scale, stages=stages)


def _make_stage(stage: Any, *, scale: int, shift: float) -> degrade.Stage:
    options = {field.name: getattr(stage, field.name) for field in dataclasses.fields(stage)}
    match options.pop("name"):
        case "bicubic":
            return degrade.bicubic(scale=scale)
        case "subsample":
            return degrade.subsample(scale=scale)
        case "second-order":
            first, second = (degrade.Order(**dataclasses.asdict(options.pop(order))) for order in ("first", "second"))
            return degrade.second_order(scale=scale, first=first, second=second, **options)
        case name if name in degrade.NOISES:
            return degrade.NOISES[name](**options)
        case name:
            return degrade.blur(degrade.BLURS[name](**options, shift=shift), stride=1)


def load_training_images(config: Config, cache: Path) -> list[Image]:
    """The training images; those smaller than a patch are left out if the config says so.

    Raises:
      InputError: if there are none, or some cannot be used and the config does not say to skip them.
    """
    data = config.data
    if data.name == "photographs" or data.dir is None:
        images = sources.load_photographs("train", cache=cache / "prepared")
    else:
        images = sources.load_folder(data.dir, bad_images=data.bad_images, cache=cache / "prepared")
    if data.bad_images == "refuse":
        return images  # the sampler will name an image that is too small
    margin = make_degrade(config).margin
    needs = f"data.patch={data.patch}" if data.patch >= margin else f"the {margin} pixels around a patch of data.degradation"
    too_small = {
        image.name: f"{name_and_size(image)} is smaller than {needs}"
        for image in images
        if min(pack.crop_to_multiple(image.pixels, config.scale).shape[:2]) < max(data.patch, margin)
    }
    sources.handle_bad_images(too_small, "skip")
    if len(too_small) == len(images):
        raise InputError(f"every training image is smaller than {needs}; use a smaller one")
    return [image for image in images if image.name not in too_small]


def name_and_size(image: Image) -> str:
    return f"{image.name} ({image.pixels.shape[0]}x{image.pixels.shape[1]})"


def load_evaluation_sets(config: Config, cache: Path) -> dict[str, list[Image]]:
    """Name of each set -> its images: the held-out photographs, or all that can be scored of a folder, named after it.

    Raises:
      InputError: if a folder cannot be used, or two sets have the same name.
    """
    sets: dict[str, list[Image]] = {}
    policy = config.data.bad_images
    for name in config.eval.sets:
        if name == "photographs":
            title, images = name, sources.load_photographs("test", cache=cache / "prepared")
        else:
            title = Path(name).expanduser().resolve().name
            images = sources.load_folder(name, bad_images=policy, cache=cache / "prepared", config_key="eval.sets")
        reasons = {image.name: reason for image in images if (reason := unusable(image, scale=config.scale))}
        sources.handle_bad_images(reasons, policy)
        if len(reasons) == len(images):
            raise InputError(f"eval.sets={name} holds no image that can be scored")
        if title in sets:
            raise InputError(f"eval.sets={' '.join(config.eval.sets)}: two sets are called {title}; rename one's folder")
        sets[title] = [image for image in images if image.name not in reasons]
    return sets


def make_sampler(config: Config, packed: pack.Pack, images: list[Image]) -> Sampler:
    """What draws the patches.

    Raises:
      InputError: if an image is smaller than a patch, or than the margin that is reflected at its border.
    """
    sizes = list(zip(packed.height.tolist(), packed.width.tolist(), strict=True))
    margin = make_degrade(config).margin
    smallest = min(range(len(sizes)), key=lambda i: min(sizes[i]))
    if min(sizes[smallest]) < margin:
        raise InputError(
            f"data.degradation needs {margin} pixels around a patch, and {name_and_size(images[smallest])} has too few to "
            "reflect; use smaller kernels, or data.bad_images=skip to leave out smaller images"
        )
    return Sampler(
        sizes,
        patch=config.data.patch,
        scale=config.scale,
        batch=config.data.batch,
        seed=config.seed,
        names=[name_and_size(image) for image in images],
    )


def make_pipeline(config: Config, packed: pack.Pack) -> tuple[Callable, Callable, Any]:
    """What the host does with a plan, what the device does with that, and the arrays that the device needs for it."""
    cut = {"patch": config.data.patch, "margin": make_degrade(config).margin}
    if config.data.pipeline == "host":
        return functools.partial(pipelines.host_batch, packed, **cut), lambda _, batch: batch, ()
    statistics = jax.local_devices()[0].memory_stats() or {}
    limit = statistics.get("bytes_limit")
    on_device = pack.for_device(packed, memory=limit // 2 if limit else None)
    return lambda plan: plan, functools.partial(pipelines.resident_batch, **cut), on_device


def rows_of_this_process(batch: int) -> slice:
    """The examples of a global batch that this process feeds to its devices."""
    share = batch // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)
