"""From a config to the parts of a run."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import optax
from flax import nnx
from jaxtyping import Array

from sr_jax import optim
from sr_jax.config import Config, moved_blur
from sr_jax.data import degrade
from sr_jax.data.degrade import Batch, Degrade
from sr_jax.errors import writing
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
    with writing(f"--cache_dir {cache}"):
        cache.mkdir(parents=True, exist_ok=True)
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
    # A kernel with its middle up and to the left looks down and to the right: at the middle of the cell, not its kept pixel.
    shift, moved = -(config.scale - 1) / 2, moved_blur(config.stages)
    stages = [
        _make_stage(stage, scale=config.scale, shift=shift if index == moved else 0.0)
        for index, stage in enumerate(config.stages)
    ]
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


def rows_of_this_process(batch: int) -> slice:
    """The examples of a global batch that this process feeds to its devices."""
    share = batch // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)
