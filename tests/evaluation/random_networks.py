"""Networks with random parameters, in functional form."""

import math
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from sr_jax.models import About, make


class RandomNetwork(NamedTuple):
    """A network in functional form, and parameters in float64."""

    about: About
    apply: Any
    params: Any


def draw(network: Any, scale: int) -> RandomNetwork:
    """Draws all parameters: biases, slopes of PReLU and whatever else starts at a constant are random too."""
    module = nnx.eval_shape(lambda: make(network, scale=scale, seed=0))  # initialising it would take seconds
    graph, variables = nnx.split(module, nnx.Param)
    rng = np.random.default_rng(1)

    def values(p: Any) -> np.ndarray:
        return rng.normal(scale=1 / math.sqrt(max(2, math.prod(p.shape[:-1]))), size=p.shape)

    def apply(params: Any, lr: jax.Array, *known: Any) -> jax.Array:
        return nnx.merge(graph, params)(lr, *known)

    return RandomNetwork(module.about, apply, jax.tree.map(values, nnx.to_pure_dict(variables)))
