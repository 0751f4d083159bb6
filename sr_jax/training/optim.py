"""Optimisers and learning-rate schedules."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from sr_jax.training import state as states


def cosine(*, lr: float, warmup_steps: int, final_lr: float, steps: int) -> optax.Schedule:
    """Returns a learning rate that rises linearly to `lr`, and then falls along half a cosine to `final_lr` at `steps`."""
    return optax.warmup_cosine_decay_schedule(0.0, lr, warmup_steps, steps, final_lr)


def drops(*, lr: float, warmup_steps: int, every: int, factor: float) -> optax.Schedule:
    """Returns a learning rate that rises linearly to `lr`, and is multiplied by `factor` every `every` steps."""
    decay = optax.exponential_decay(lr, every, factor, staircase=True)
    if not warmup_steps:
        return decay
    warmup = optax.linear_schedule(0.0, lr, warmup_steps)
    return lambda step: jnp.where(jnp.less(step, warmup_steps), warmup(step), decay(step))


def begin_at(start: int, schedule: optax.Schedule) -> optax.Schedule:
    """Returns a schedule that begins at the step `start`."""
    return lambda step: schedule(jnp.maximum(step - start, 0))


def make(
    learning_rate: optax.Schedule,
    *,
    method: str,
    b1: float,
    b2: float,
    weight_decay: float,
    clip_norm: float | None,
    clip_value: float | None,
    factors: dict[str, float],
) -> optax.GradientTransformation:
    """Returns Adam (Kingma & Ba 2015), or SGD with momentum, for parameters in a nested dict.

    Args:
      method: `adam` or `sgd`.
      b1: the decay of Adam's first moment, or the momentum of SGD.
      b2: the decay of Adam's second moment.
      weight_decay: the share of each kernel that is added to its gradient.
      clip_norm: the largest global norm of a gradient; None for no limit.
      clip_value: every number of a gradient is clipped to this value divided by the learning rate; None for no limit.
      factors: the name of a parameter, with dots -> the factor on its learning rate, where that is not 1.
    """
    parts = [
        *([optax.clip_by_global_norm(clip_norm)] if clip_norm else []),
        *([_clip_steps(learning_rate, clip_value)] if clip_value else []),
        *([optax.add_decayed_weights(weight_decay, _is_kernel)] if weight_decay else []),
        optax.scale_by_adam(b1, b2) if method == "adam" else optax.trace(b1),
        *([_scale(factors)] if factors else []),
        optax.scale_by_learning_rate(learning_rate),
    ]
    return optax.chain(*parts)


def _clip_steps(learning_rate: optax.Schedule, largest: float) -> optax.GradientTransformation:
    """Clips gradients to +-`largest` / learning rate (VDSR, section 3.2)."""

    def init(params: Any) -> Any:
        del params
        return optax.ScaleByScheduleState(count=jnp.zeros([], jnp.int32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        limit = largest / jnp.maximum(learning_rate(state.count), jnp.finfo(jnp.float32).tiny)
        updates = jax.tree.map(lambda g: jnp.clip(g, -limit, limit), updates)
        return updates, optax.ScaleByScheduleState(count=state.count + 1)

    return optax.GradientTransformation(init, update)


def _scale(factors: dict[str, float]) -> optax.GradientTransformation:
    """Multiplies the updates of some parameters by factors of their own."""

    def scale(updates: Any, params: Any = None) -> Any:
        del params
        return jax.tree.map_with_path(
            lambda path, u: factors[name] * u if (name := states.parameter_name(path)) in factors else u, updates
        )

    return optax.stateless(scale)


def _is_kernel(params: Any) -> Any:
    return jax.tree.map_with_path(lambda path, _: path[-1].key == "kernel", params)
