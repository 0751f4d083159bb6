"""From a config to the training step of one device."""

import jax
import optax

from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.network import Network, make_objective
from sr_jax.config import Config
from sr_jax.training.step import Step, make_step

MAX_UNROLLED = 8
"""A dispatch of more steps is a loop on CPUs, too: it takes minutes and gigabytes to compile 100 unrolled steps."""


def unrolls(count: int) -> bool:
    """Returns whether a program repeats a computation `count` times instead of looping over it, which is slow on CPUs."""
    return jax.default_backend() == "cpu" and count <= MAX_UNROLLED


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
        accumulate=config.accumulate,
        unroll=unrolls(config.accumulate),
        skip_not_finite=config.on_nan == "skip",
    )
