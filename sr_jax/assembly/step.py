"""From a config to the training step of one device."""

import optax

from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.network import Network, make_objective
from sr_jax.config import Config
from sr_jax.training.step import Step, make_step


def make_train_step(
    config: Config, network: Network, degradation: Degradation, optimizer: optax.GradientTransformation
) -> Step:
    """Returns the training step of one device.

    Raises:
      InputError: if the network, or its loss, must be told a blur that the degradation does not tell, or a file of kernels
        cannot be used.
    """
    return make_step(
        make_objective(config, network, degradation),
        optimizer,
        degradation.degrade,
        channels=network.about.channels,
        ema_decay=config.optim.ema_decay,
        compute_dtype=config.compute,
    )
