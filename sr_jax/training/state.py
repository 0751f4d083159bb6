"""Everything that a training run must remember: what a checkpoint holds."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int32


class State(NamedTuple):
    """A pytree. There is no random state: sampling is a pure function of the seed and `step`."""

    step: Int32[Array, ""]
    """Steps done."""
    params: Any
    ema: Any
    """Exponential moving average of `params`."""
    opt_state: Any


def create(params: Any, optimizer: optax.GradientTransformation) -> State:
    """The state before the first step."""
    return State(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params), optimizer.init(params))


def count(params: Any) -> int:
    """Number of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
