"""From a config to the parts of a run."""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import optax
from flax import nnx
from jaxtyping import Array

from sr_jax import optim, provenance
from sr_jax.config import Config
from sr_jax.data import pack, pipelines, sources
from sr_jax.data.degrade import Batch, Degrade
from sr_jax.data.images import Image
from sr_jax.data.plan import Sampler
from sr_jax.data.sources import ImageSet, checksums, leaks
from sr_jax.errors import InputError
from sr_jax.evaluation.evaluator import Evaluator
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.evaluation.rows import Stamp, unusable
from sr_jax.evaluation.upscale import PRECISION
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
    return Degrade(scale=config.scale)


def data_root(config: Config, cache: Path) -> Path:
    """The folder that holds the named sets."""
    return Path(config.data.root or os.environ.get("SR_JAX_DATA") or cache / "datasets").expanduser()


def open_training_set(config: Config, cache: Path) -> ImageSet:
    """The training images, on disk.

    Raises:
      InputError: if there are none, or some are evaluation images and the config does not allow it.
    """
    data, prepared = config.data, cache / "prepared"
    patterns = {"include": data.include, "exclude": data.exclude}
    if data.name == "folder":
        training = sources.open_folder(data.dir, **patterns, cache=prepared, config_key="data.dir")
    else:
        root = data_root(config, cache)
        training = sources.open_set(data.name, **patterns, split="train", scale=config.scale, root=root, cache=prepared)
    evaluation = open_evaluation_sets(config, cache)
    refuse_leaks(training, evaluation, allow=data.leaks == "allow", cache=prepared)
    return training


def open_evaluation_sets(config: Config, cache: Path) -> dict[str, ImageSet]:
    """Title of each evaluation set -> its HR images, on disk.

    Raises:
      InputError: if a set cannot be had, or two sets have the same title.
    """
    sets: dict[str, ImageSet] = {}
    for name in config.eval.sets:
        opened = sources.open_hr(name, scale=config.scale, root=data_root(config, cache), cache=cache / "prepared")
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
            f"on them):{leaks.explain(found)}"
        )
    print(f"data.leaks=allow: training on {len(found)} evaluation image(s):{leaks.explain(found)}", file=sys.stderr)


def load_training_images(config: Config, cache: Path) -> list[Image]:
    """The training images, decoded; those smaller than a patch are left out if the config says so.

    Raises:
      InputError: if there are none, or some cannot be used and the config does not say to skip them.
    """
    data = config.data
    images = sources.usable(open_training_set(config, cache), data.bad_images)
    if data.bad_images == "refuse":
        return images  # the sampler will name an image that is too small
    too_small = {
        image.name: f"{name_and_size(image)} is smaller than data.patch={data.patch}"
        for image in images
        if min(pack.crop_to_multiple(image.pixels, config.scale).shape[:2]) < data.patch
    }
    sources.handle_bad_images(too_small, "skip")
    if len(too_small) == len(images):
        raise InputError(f"every training image is smaller than data.patch={data.patch}; use a smaller patch")
    return [image for image in images if image.name not in too_small]


def name_and_size(image: Image) -> str:
    return f"{image.name} ({image.pixels.shape[0]}x{image.pixels.shape[1]})"


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


def make_evaluator(config: Config, cache: Path) -> Evaluator:
    """Scores the run's evaluation sets, LR computed."""
    protocol = PROTOCOLS[config.eval.protocol]
    tasks = [
        protocol.task(image, set=name, scale=config.scale, lr=None)
        for name, images in load_evaluation_sets(config, cache).items()
        for image in images
    ]
    return Evaluator(protocol, tasks, stamp=Stamp(protocol.name, "computed", PRECISION, "", provenance.commit()))


def make_sampler(config: Config, packed: pack.Pack, images: list[Image]) -> Sampler:
    return Sampler(
        list(zip(packed.height.tolist(), packed.width.tolist(), strict=True)),
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
