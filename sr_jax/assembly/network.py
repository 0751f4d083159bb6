"""From a config to its network, and to what that network minimises."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from sr_jax import models
from sr_jax.assembly.degradation import Degradation
from sr_jax.config import Config
from sr_jax.errors import InputError
from sr_jax.evaluation.protocol import KNOWN_BLUR
from sr_jax.models import About, Known
from sr_jax.training.losses import LOSSES
from sr_jax.training.step import Metrics, Objective


class Network(NamedTuple):
    """A network in functional form."""

    about: About
    graph: Any
    """The module without its parameters."""
    params: Any
    """A nested dict named by attribute. It holds arrays, or their shapes and types."""

    def apply(self, params: Any, lr: Array, known: Known | None = None) -> Array:
        """Returns SR for LR, b h w c in [0, 1]; `about` says how many channels, and whether the network is told the blur."""
        module = nnx.merge(self.graph, params)
        return module(lr) if known is None else module(lr, known)


def make_module(config: Config) -> Any:
    """Returns the network of a config as a Flax module, freshly initialised.

    Raises:
      InputError: if the network does not have this scale.
    """
    return models.make(config.model, scale=config.scale, seed=config.seed)


def make_network(config: Config) -> Network:
    """Returns the network of a config, freshly initialised.

    Raises:
      InputError: if the network does not have this scale.
    """
    return _split(make_module(config))


def abstract_network(config: Config) -> Network:
    """Returns the network of a config with shapes and types in place of parameters. Nothing is initialised.

    Raises:
      InputError: if the network does not have this scale.
    """
    return _split(nnx.eval_shape(lambda: make_module(config)))


def make_objective(config: Config, network: Network, degradation: Degradation) -> Objective:
    """Returns what training minimises: the loss of the config, or the network's own way of using it.

    Raises:
      InputError: if the network, or its loss, must be told a blur that the degradation does not tell.
    """
    loss = LOSSES[config.loss]
    if network.about.is_told:
        degradation.require_blur(config.model.name)
    weight = getattr(config.model, "kernel_loss", 0)
    if weight and not degradation.tells_blur:
        raise InputError(
            f"model.kernel_loss={weight:g} compares with the blur kernel, which the degradation ({degradation.title}) does not "
            f"say; {KNOWN_BLUR}; or model.kernel_loss=0"
        )

    def objective(params: Any, lr: Array, hr: Array, drawn: dict[str, Array], constants: Any) -> tuple[Array, Metrics]:
        del constants  # none of the losses has any yet
        module, known = nnx.merge(network.graph, params), degradation.known(drawn, examples=lr.shape[0])
        if hasattr(module, "objective"):
            return module.objective(lr, hr, known, loss=loss), {}
        sr = module(lr, known) if network.about.is_told else module(lr)
        return loss(sr.astype(jnp.float32), hr), {}

    return objective


def _split(module: Any) -> Network:
    graph, variables = nnx.split(module, nnx.Param)
    return Network(module.about, graph, nnx.to_pure_dict(variables))
