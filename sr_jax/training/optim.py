"""Optimisers and their schedules."""

from typing import Any

import jax
import jax.numpy as jnp
import optax


def cosine(*, lr: float, warmup_steps: int, final_lr: float, steps: int) -> optax.Schedule:
    """From 0 to `lr` linearly over `warmup_steps`, then to `final_lr` along half a cosine at `steps`."""
    return optax.warmup_cosine_decay_schedule(0.0, lr, warmup_steps, steps, final_lr)


def drops(*, lr: float, warmup_steps: int, every: int, factor: float) -> optax.Schedule:
    """From 0 to `lr` linearly over `warmup_steps`; times `factor` after each `every` steps since the start."""
    falling = optax.exponential_decay(lr, every, factor, staircase=True)
    if not warmup_steps:
        return falling
    rising = optax.linear_schedule(0.0, lr, warmup_steps)
    return lambda step: jnp.where(jnp.less(step, warmup_steps), rising(step), falling(step))


def make(
    learning_rate: optax.Schedule,
    *,
    method: str,
    b1: float,
    b2: float,
    weight_decay: float,
    clip_norm: float | None,
    clip_value: float | None,
    last: str,
    last_lr: float,
) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015), or SGD with momentum, of a nested dict of parameters.

    Args:
      method: adam or sgd.
      b1: of Adam; of SGD the momentum.
      weight_decay: times each kernel, added to its gradient.
      clip_norm: largest global norm of a gradient.
      clip_value: gradients are cut to this divided by the learning rate, number by number.
      last: name of the layer, with dots, whose learning rate is `last_lr` times that of the others.
    """
    parts = [
        *([optax.clip_by_global_norm(clip_norm)] if clip_norm else []),
        *([_clip_steps(learning_rate, clip_value)] if clip_value else []),
        *([optax.add_decayed_weights(weight_decay, _is_kernel)] if weight_decay else []),
        optax.scale_by_adam(b1, b2) if method == "adam" else optax.trace(b1),
        *([_scale_layer(last, last_lr)] if last_lr != 1 else []),
        optax.scale_by_learning_rate(learning_rate),
    ]
    return optax.chain(*parts)


def _clip_steps(learning_rate: optax.Schedule, largest: float) -> optax.GradientTransformation:
    """Cuts gradients to +-`largest` / learning rate (VDSR, section 3.2)."""

    def init(params: Any) -> Any:
        del params
        return optax.ScaleByScheduleState(count=jnp.zeros([], jnp.int32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        limit = largest / jnp.maximum(learning_rate(state.count), jnp.finfo(jnp.float32).tiny)
        cut = jax.tree.map(lambda g: jnp.clip(g, -limit, limit), updates)
        return cut, optax.ScaleByScheduleState(count=state.count + 1)

    return optax.GradientTransformation(init, update)


def _scale_layer(name: str, factor: float) -> optax.GradientTransformation:
    layer = name.split(".")

    def scale(updates: Any, params: Any = None) -> Any:
        del params
        return jax.tree.map_with_path(
            lambda path, u: factor * u if [str(key.key) for key in path[: len(layer)]] == layer else u, updates
        )

    return optax.stateless(scale)


def _is_kernel(params: Any) -> Any:
    return jax.tree.map_with_path(lambda path, _: path[-1].key == "kernel", params)
