"""The training step of one device, and the same for several steps in a row."""

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from sr_jax.data.degrade import Batch, Pairs
from sr_jax.ops.color import rgb_to_y, to_float
from sr_jax.training.state import State

AXIS = "data"
"""Name of the axis over which the batch is spread."""

Metrics = dict[str, Float[Array, "..."]]


def make_step(
    objective: Callable[[Any, Array, Array, dict[str, Array]], Array],
    optimizer: optax.GradientTransformation,
    degrade: Callable[[Batch], Pairs],
    *,
    channels: int,
    ema_decay: float,
    compute_dtype: DTypeLike = jnp.float32,
) -> Callable[[State, Batch], tuple[State, Metrics]]:
    """Builds `step(state, batch) -> (state, metrics)`, to run on every device of the axis `AXIS`.

    Args:
      objective: `(params, LR, HR, drawn) -> loss`, a mean over the examples; images in [0, 1], and what their degradation
        drew.
      degrade: makes LR and HR patches of a batch.
      channels: 1 to train on the Y channel, 3 on RGB.
      ema_decay: final decay of the average; earlier it is `(1 + step) / (10 + step)`, so that the start is soon forgotten.
      compute_dtype: in which the network computes; parameters, loss, gradients and averages stay float32.

    Returns:
      the step; its metrics are `loss` and `grad_norm`, scalars over the global batch.
    """

    def loss_of(params: Any, lr: Array, hr: Array, drawn: dict[str, Array]) -> Array:
        cast = jax.tree.map(lambda p: p.astype(compute_dtype), params)
        return objective(cast, lr.astype(compute_dtype), hr, drawn)

    def as_read(image: Array) -> Array:
        return rgb_to_y(to_float(image)) if channels == 1 else to_float(image)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        pairs = degrade(batch)
        value, gradients = jax.value_and_grad(loss_of)(state.params, as_read(pairs.lr), as_read(pairs.hr), pairs.drawn)
        value, gradients = lax.pmean((value, gradients), AXIS)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        decay = jnp.minimum(ema_decay, (1.0 + state.step) / (10.0 + state.step))
        ema = jax.tree.map(lambda e, p: decay * e + (1 - decay) * p, state.ema, params)
        metrics = {"loss": value, "grad_norm": optax.tree.norm(gradients)}
        return State(state.step + 1, params, ema, opt_state), metrics

    return step


def make_dispatch(
    step: Callable[[State, Batch], tuple[State, Metrics]], fetch: Callable[[Any, Any], Batch], *, unroll: bool
) -> Callable[[State, Any, Any], tuple[State, Metrics]]:
    """Builds `dispatch(state, images, items)`, which runs one step for each item along the leading axis of `items`.

    Args:
      fetch: from (images, item) to a batch: cuts windows (resident pipeline), or returns the item (host pipeline).
      unroll: repeat the step in the program instead of looping over it. For CPUs, where XLA runs convolutions inside a loop
        on one thread and by a slow path: FSRCNN's step takes 110 ms in `lax.scan` and 18 ms outside.

    Returns:
      the dispatch; its metrics have one entry for each step.
    """

    def body(state: State, images: Any, item: Any) -> tuple[State, Metrics]:
        return step(state, fetch(images, item))

    def looped(state: State, images: Any, items: Any) -> tuple[State, Metrics]:
        return lax.scan(lambda state, item: body(state, images, item), state, items)

    def unrolled(state: State, images: Any, items: Any) -> tuple[State, Metrics]:
        metrics = []
        for index in range(len(jax.tree.leaves(items)[0])):
            item = jax.tree.map(operator.itemgetter(index), items)
            state, values = body(state, images, item)
            metrics.append(values)
        return state, jax.tree.map(lambda *values: jnp.stack(values), *metrics)

    return unrolled if unroll else looped
