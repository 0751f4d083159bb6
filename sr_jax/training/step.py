"""The training step of one device, and the dispatch that runs several steps in a row."""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from sr_jax.data.degrade import Batch, Pairs
from sr_jax.ops.color import network_input
from sr_jax.training.state import State

AXIS = "data"
"""Name of the mesh axis over which the batch is spread."""

Metrics = dict[str, Float[Array, "..."]]
"""Scalars of a step by name. `loss` is always there, and the run stops where it is not finite; the log takes all of them."""


class Constants(NamedTuple):
    """What every dispatch reads and none changes. Every device holds a copy."""

    images: Any = ()
    """The training images of the resident pipeline."""
    loss: Any = ()
    """Fixed parameters of the loss, for a loss that has a network of its own."""


Objective = Callable[[Any, Array, Array, dict[str, Array], Any], tuple[Array, Metrics]]
"""`(params, LR, HR, drawn, constants of the loss) -> (loss, metrics)`, means over the examples; LR and HR are in [0, 1], and
`drawn` is what their degradation drew."""
Step = Callable[[State, Batch, Any], tuple[State, Metrics]]
"""`(state, batch, constants of the loss) -> (state, metrics)`."""
Dispatch = Callable[[State, Constants, Any], tuple[State, Metrics]]
"""`(state, constants, items) -> (state, metrics)`, one step for each item."""


def make_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    degrade: Callable[[Batch], Pairs],
    *,
    channels: int,
    ema_decay: float,
    compute_dtype: DTypeLike = jnp.float32,
    accumulate: int = 1,
    unroll: bool = False,
    skip_not_finite: bool = False,
) -> Step:
    """Builds the step that runs on every device of the axis `AXIS`.

    Args:
      degrade: makes LR and HR patches from a batch.
      channels: 1 to train on the Y channel, 3 to train on RGB.
      ema_decay: the final decay of the moving average. Earlier the decay is `(1 + step) / (10 + step)`, so that the average
        soon forgets the initial parameters.
      compute_dtype: the type in which the network computes. Parameters, loss, gradients and averages stay float32.
      accumulate: the number of equal parts of a device's batch whose gradients are computed one after another and averaged.
      unroll: repeats the computation of a part in the program instead of looping over the parts; see `make_dispatch`.
      skip_not_finite: whether a step leaves everything but its number as it was if its loss or its gradient is not finite.

    Returns:
      the step. Its metrics are `loss`, `grad_norm` and those of the objective, scalars over the global batch. If it may skip,
      `skipped` is 1 where it did.
    """

    def loss_of(params: Any, lr: Array, hr: Array, drawn: dict[str, Array], constants: Any) -> tuple[Float[Array, ""], Metrics]:
        cast = jax.tree.map(lambda p: p.astype(compute_dtype), params)
        return objective(cast, lr.astype(compute_dtype), hr, drawn, constants)

    def differentiate(params: Any, batch: Batch, constants: Any) -> Any:
        """((loss, metrics), gradients) of a batch, or of a part of it."""
        pairs = degrade(batch)
        lr, hr = (network_input(image, channels=channels) for image in (pairs.lr, pairs.hr))
        return jax.value_and_grad(loss_of, has_aux=True)(params, lr, hr, pairs.drawn, constants)

    def differentiate_in_parts(params: Any, batch: Batch, constants: Any) -> Any:
        """The same, as the mean over the parts."""
        parts = jax.tree.map(lambda a: a.reshape(accumulate, a.shape[0] // accumulate, *a.shape[1:]), batch)
        first, rest = (jax.tree.map(operator.itemgetter(i), parts) for i in (0, slice(1, None)))

        def add(total: Any, part: Batch) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, differentiate(params, part, constants)), None

        total, _ = lax.scan(add, differentiate(params, first, constants), rest, unroll=unroll)
        return jax.tree.map(lambda a: a / accumulate, total)

    def step(state: State, batch: Batch, constants: Any) -> tuple[State, Metrics]:
        compute = differentiate if accumulate == 1 else differentiate_in_parts
        (loss, metrics), gradients = lax.pmean(compute(state.params, batch, constants), AXIS)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        decay = jnp.minimum(ema_decay, (1.0 + state.step) / (10.0 + state.step))
        ema = jax.tree.map(lambda e, p: decay * e + (1 - decay) * p, state.ema, params)
        metrics = {"loss": loss, "grad_norm": optax.tree.norm(gradients), **metrics}
        new = State(state.step + 1, params, ema, opt_state)
        if skip_not_finite:
            is_good = jnp.isfinite(loss) & jnp.isfinite(metrics["grad_norm"])
            kept = jax.tree.map(lambda a, b: jnp.where(is_good, a, b), new, state)
            new, metrics["skipped"] = kept._replace(step=new.step), 1.0 - is_good
        return new, metrics

    return step


def make_dispatch(step: Step, fetch: Callable[[Any, Any], Batch], *, unroll: bool) -> Dispatch:
    """Builds the dispatch, which runs one step for each item along the leading axis of the items.

    Args:
      fetch: turns (images, item) into a batch. The resident pipeline cuts windows here; the host pipeline's items are batches
        already.
      unroll: repeats the step in the program instead of looping over it. This is for CPUs, where XLA runs convolutions inside
        a loop on one thread and by a slow path: FSRCNN's step takes 110 ms in `lax.scan` and 18 ms outside.

    Returns:
      the dispatch. Each of its metrics has one entry for each step.
    """

    def body(state: State, constants: Constants, item: Any) -> tuple[State, Metrics]:
        return step(state, fetch(constants.images, item), constants.loss)

    def looped(state: State, constants: Constants, items: Any) -> tuple[State, Metrics]:
        return lax.scan(lambda state, item: body(state, constants, item), state, items)

    def unrolled(state: State, constants: Constants, items: Any) -> tuple[State, Metrics]:
        metrics = []
        for index in range(len(jax.tree.leaves(items)[0])):
            item = jax.tree.map(operator.itemgetter(index), items)
            state, values = body(state, constants, item)
            metrics.append(values)
        return state, jax.tree.map(lambda *values: jnp.stack(values), *metrics)

    return unrolled if unroll else looped
