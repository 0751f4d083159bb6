"""From a config to the parts of a run."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from sr_jax import models
from sr_jax.config import Config, moved_blur
from sr_jax.data import degrade
from sr_jax.data.degrade import Batch, Degrade
from sr_jax.errors import InputError, writing
from sr_jax.models import MODELS, About, Known
from sr_jax.ops.resize import bicubic_kernel
from sr_jax.training import optim
from sr_jax.training.losses import LOSSES
from sr_jax.training.state import State
from sr_jax.training.step import Metrics, make_step

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


class Network(NamedTuple):
    """A network, ready to be trained or to upscale."""

    about: About
    apply: Callable[..., Array]
    """`(params, LR) -> SR`, of Y or RGB as `about` says, in [0, 1]; `(params, LR, known) -> SR` if the network is told."""
    objective: Callable[[Any, Array, Array, dict[str, Array]], Array]
    """`(params, LR, HR, drawn) -> loss`."""
    params: Any
    """Initial parameters, a nested dict named by attribute."""


def make_module(config: Config) -> Any:
    """The network of a config as a Flax module, freshly initialised.

    Raises:
      InputError: if it does not have this scale.
    """
    return models.make(config.model, scale=config.scale, seed=config.seed)


def abstract_params(config: Config) -> Any:
    """The shapes of a network's parameters, named as `Network.params` are; nothing is initialised.

    Raises:
      InputError: if it does not have this scale.
    """
    return nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: make_module(config)), nnx.Param))


def build_network(config: Config) -> Network:
    """The network of a config, freshly initialised.

    Raises:
      InputError: if it does not have this scale, or must be told what the degradation of this config does not say.
    """
    module = make_module(config)
    graph, variables = nnx.split(module, nnx.Param)
    loss = LOSSES[config.loss]
    stages = [stage.name for stage in config.stages] if config.data.lr_source == "degrade" else ["files"]
    if not _is_known(stages):
        lr = "LR files" if stages == ["files"] else f"data.degradation={_spelled(config)}"
        if module.about.is_told:
            raise InputError(
                f"{config.model.name} must be told the blur kernel and the noise, which {lr} does not say; "
                "use a blur, Subsample() and, last, GaussianNoise(), or bicubic"
            )
        if weight := getattr(config.model, "kernel_loss", 0):
            raise InputError(
                f"model.kernel_loss={weight:g} compares with the blur kernel, which {lr} does not say; "
                "use a blur, Subsample() and, last, GaussianNoise(), or bicubic; or model.kernel_loss=0"
            )

    def apply(params: Any, lr: Array, known: Known | None = None) -> Array:
        network = nnx.merge(graph, params)
        return network(lr) if known is None else network(lr, known)

    def objective(params: Any, lr: Array, hr: Array, drawn: dict[str, Array]) -> Array:
        network, known = nnx.merge(graph, params), known_of(stages, drawn, scale=config.scale, examples=lr.shape[0])
        if hasattr(network, "objective"):
            return network.objective(lr, hr, known, loss=loss)
        sr = network(lr, known) if network.about.is_told else network(lr)
        return loss(sr.astype(jnp.float32), hr)

    return Network(module.about, apply, objective, nnx.to_pure_dict(variables))


def _spelled(config: Config) -> str:
    chosen = config.data.degradation
    return chosen if isinstance(chosen, str) else f"({', '.join(stage.name for stage in chosen)})"


def known_of(stages: Sequence[str], drawn: dict[str, Any], *, scale: int, examples: int) -> Known | None:
    """The kernel and the noise of a degradation, where it is a blur, a subsampling, and Gaussian noise last; else None.

    Args:
      stages: names of the degradation's stages.
      drawn: what was drawn of each of so many examples.
    """
    match _blur_and_reduction(stages):
        case ["bicubic"]:
            kernel = bicubic_kernel(scale)
        case ["subsample"]:
            kernel = np.ones((1, 1), np.float32)
        case ["blur", "subsample"]:
            kernel = drawn["kernel"]
        case _:
            return None
    kernel = jnp.broadcast_to(kernel, (examples, *kernel.shape[-2:]))
    return Known(kernel, drawn.get("noise_sigma", jnp.zeros((examples,))) / 255)


def _blur_and_reduction(stages: Sequence[str]) -> list[str]:
    """The stages but for Gaussian noise at the end, every blur by that name. Noise elsewhere is blurred, or not all of it."""
    names = ["blur" if name in degrade.BLURS else name for name in stages]
    return names[:-1] if names[-1] == "gaussian-noise" else names


def _is_known(stages: Sequence[str]) -> bool:
    return _blur_and_reduction(stages) in (["bicubic"], ["subsample"], ["blur", "subsample"])


def make_optimizer(config: Config) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimiser and its learning rate over the steps."""
    chosen = config.optim
    learning_rate = (
        optim.cosine(lr=chosen.lr, warmup_steps=chosen.warmup_steps, final_lr=chosen.final_lr, steps=config.steps)
        if chosen.schedule == "cosine"
        else optim.drops(lr=chosen.lr, warmup_steps=chosen.warmup_steps, every=chosen.drop_every, factor=chosen.drop_to)
    )
    optimizer = optim.make(
        learning_rate,
        method=chosen.method,
        b1=chosen.b1,
        b2=chosen.b2,
        weight_decay=chosen.weight_decay,
        clip_norm=chosen.clip_norm,
        clip_value=chosen.clip_value,
        last=MODELS[config.model.name].about.last,
        last_lr=chosen.last_lr,
    )
    return optimizer, learning_rate


def unrolls(config: Config) -> bool:
    """Whether the steps of a dispatch are repeated in the program: on CPUs, as long as that compiles in reasonable time."""
    return jax.default_backend() == "cpu" and config.steps_per_dispatch <= MAX_UNROLLED


def make_train_step(
    config: Config, network: Network, optimizer: optax.GradientTransformation
) -> Callable[[State, Batch], tuple[State, Metrics]]:
    """The training step of one device."""
    return make_step(
        network.objective,
        optimizer,
        make_degrade(config),
        channels=network.about.channels,
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
