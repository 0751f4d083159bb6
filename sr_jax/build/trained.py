"""Trained networks, from work directories and weights files."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax

from sr_jax import config as configs
from sr_jax.build import network as build
from sr_jax.build import workdir
from sr_jax.build.network import Network
from sr_jax.config import Config
from sr_jax.errors import InputError
from sr_jax.training import state as states
from sr_jax.training.checkpoint import Checkpoints
from sr_jax.weights import files as weights

Which = Literal["latest", "best"]
"""Which checkpoint of a work directory: the last one, or the one with the best mean Y-PSNR in the run's own evaluations."""
Parameters = Literal["ema", "raw"]
"""Which parameters of a checkpoint: their moving average, or themselves."""


class Trained(NamedTuple):
    """A network that can upscale."""

    config: Config
    network: Network
    params: Any
    """Trained ones."""
    origin: str
    """Where the parameters are from, for people and results."""
    is_converted: bool = False
    """Whether they are another implementation's: then the config knows the model and the scale alone, the rest are defaults."""


def load(place: str, *, which: Which, parameters: Parameters) -> Trained:
    """The network of a work directory, or of a weights file with its card.

    Raises:
      InputError: if there is nothing of the kind, or it cannot be read.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        return _from_work_directory(path, place, which, parameters)
    if path.suffix == weights.SUFFIX and path.is_file():
        if (which, parameters) != ("latest", "ema"):
            raise InputError(
                f"{place}: a weights file holds one state, the last moving average; "
                "--checkpoint best and --parameters raw are for work directories"
            )
        card = weights.read_card(path)
        params = weights.read(path, like=build.abstract_params(card.config), card=card)
        network = build.build_network(card.config)  # once it is known to be no larger than the file
        return Trained(card.config, network, params, f"{place}, {_origin(card)}", is_converted=card.converted is not None)
    if path.exists():
        raise InputError(
            f"{place}: neither a work directory nor a {weights.SUFFIX} file; "
            f"weights of other implementations are converted first: {weights.CONVERT}"
        )
    raise InputError(f"{place}: no such work directory or weights file (or `bicubic`)")


def _origin(card: weights.Card) -> str:
    if card.converted:
        return f"converted from {card.converted.file} ({card.converted.layout})"
    return f"step {card.step}, trained by code {card.commit}"


def _from_work_directory(path: Path, place: str, which: Which, parameters: Parameters) -> Trained:
    if not (path / workdir.CONFIG).is_file():
        raise InputError(f"{place}: holds no {workdir.CONFIG}, so it is not the work directory of a training run")
    config = configs.load(path / workdir.CONFIG)
    network = build.build_network(config)
    optimizer, _ = build.make_optimizer(config)
    with Checkpoints(path / "checkpoints", keep=config.keep, read_only=True) as checkpoints:
        step = checkpoints.latest() if which == "latest" else checkpoints.best()
        if step is None:
            raise InputError(f"{place}: has no {which} checkpoint; train it further")
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        state = checkpoints.restore(jax.device_put(states.create(network.params, optimizer), here), step)
    chosen = state.ema if parameters == "ema" else state.params
    return Trained(config, network, jax.device_get(chosen), f"{place}, step {step}, {parameters}")
