"""Trained networks, from work directories, weights files, the zoo and the Hugging Face Hub."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from sr_jax import config as configs
from sr_jax.assembly.network import Network, abstract_network
from sr_jax.config import Config, workdir
from sr_jax.errors import InputError, option
from sr_jax.system.paths import AnyPath
from sr_jax.weights import card as cards
from sr_jax.weights import files, hub, places

Which = Literal["latest", "best"]
"""Which checkpoint of a work directory: the last one, or the one with the best mean Y-PSNR in the run's own evaluations."""
Parameters = Literal["ema", "raw"]
"""Which parameters of a checkpoint: their moving average, or themselves."""


class Trained(NamedTuple):
    """A trained network and where it comes from."""

    config: Config
    network: Network
    origin: str
    """Where the parameters come from, for people and result files."""
    step: int | None = None
    """Steps that the parameters were trained for; None if another implementation trained them."""
    is_converted: bool = False
    """Whether another implementation trained it. Then only the model and the scale of the config are true."""
    card: cards.Card | None = None
    """The card of its weights file, if it comes from one."""
    commit: str = ""
    """Its place with the commit, if it comes from a repository of the hub."""


def load(place: str, *, which: Which, parameters: Parameters, others: Sequence[str] = ()) -> Trained:
    """Loads a trained network.

    Args:
      place: a work directory, a weights file with its card, a name of the zoo, or a repository of the Hugging Face Hub.
      others: words that the caller takes beside these, so that a misspelling of them can be named.

    Raises:
      InputError: if there is no such place, or it cannot be read.
    """
    try:
        return from_place(places.find(place, others=others), which=which, parameters=parameters)
    except OSError as error:
        raise InputError(f"{place}: cannot be read ({error.strerror or error})") from error


def from_place(found: places.Place, *, which: Which, parameters: Parameters) -> Trained:
    """Loads a trained network from a place that was found; see `load`."""
    path, place = found
    if path.is_dir():
        return _from_work_directory(path, place, which, parameters)
    if path.suffix == files.SUFFIX and path.is_file():
        if (which, parameters) != ("latest", "ema"):
            raise InputError(
                f"{place}: a weights file holds one state, the last moving average; "
                "--checkpoint best and --parameters raw are for work directories"
            )
        card = cards.read_card(path)
        network = abstract_network(card.config)
        network = network._replace(params=files.read(path, like=network.params, card=card))
        step = None if card.converted else card.step
        origin = f"{place}, {_origin(card)}"
        commit = place if place.startswith(hub.SCHEME) else ""
        return Trained(card.config, network, origin, step, is_converted=card.converted is not None, card=card, commit=commit)
    raise InputError(
        f"{place}: is neither a work directory nor a {files.SUFFIX} file; "
        f"weights of other implementations are converted first: {files.CONVERT}"
    )


def _origin(card: cards.Card) -> str:
    if card.converted:
        return f"converted from {card.converted.file} ({card.converted.layout})"
    return f"step {card.step}, trained by code {card.commit}"


def _from_work_directory(path: AnyPath, place: str, which: Which, parameters: Parameters) -> Trained:
    from sr_jax.training.checkpoint import Checkpoints  # it imports Orbax, which is slow, and which weights files do not need

    with option(place):
        file = workdir.config_file(path)
    config = configs.load(file)
    network = abstract_network(config)
    evaluation = workdir.evaluation(config)
    with Checkpoints(path / workdir.CHECKPOINTS, keep=config.keep, read_only=True, evaluation=evaluation) as checkpoints:
        step = checkpoints.latest() if which == "latest" else checkpoints.best()
        if step is None:
            raise InputError(f"{place}: has no {which} checkpoint; train it further")
        field = "ema" if parameters == "ema" else "params"
        network = network._replace(params=checkpoints.restore_params(field, step, like=network.params))
    return Trained(config, network, f"{place}, step {step}, {parameters}", step)
