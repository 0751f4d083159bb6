"""The state of a training run: everything that a checkpoint holds."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int32


class State(NamedTuple):
    """A pytree. It holds no random state, because sampling is a pure function of the seed and `step`.

    The trees belong to the step that makes them: a step that also trains a discriminator keeps both networks in `params` and
    both optimisers' states in `opt_state`. Evaluation reads `ema`; for `--parameters raw` it reads `params`.
    """

    step: Int32[Array, ""]
    """Number of finished steps."""
    params: Any
    ema: Any
    """Exponential moving average of the parameters of the network that is evaluated."""
    opt_state: Any


def create(params: Any, optimizer: optax.GradientTransformation) -> State:
    """Returns the state before the first step."""
    return State(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params), optimizer.init(params))


def parameter_name(path: Any) -> str:
    """Returns the name of a parameter, with dots, from its path in a tree."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def by_name(params: Any) -> dict[str, Any]:
    """Returns the parameters by their names, with dots."""
    return {parameter_name(path): leaf for path, leaf in jax.tree.leaves_with_path(params)}


def count(params: Any) -> int:
    """Returns the number of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
