"""What training minimises, from the config to the gradient."""

from typing import Any

import jax
from jax import Array

from sr_jax.assembly.degradation import of_training
from sr_jax.assembly.network import make_network, make_objective
from sr_jax.config import Config


def gradient(config: Config, lr: Array, hr: Array, drawn: dict[str, Array]) -> Any:
    """The gradient of the objective at the initial parameters, named by attribute; `drawn` is what the degradation drew."""
    network = make_network(config)
    objective = make_objective(config, network, of_training(config))
    return jax.jit(jax.grad(lambda params: objective(params, lr, hr, drawn, None)[0]))(network.params)
