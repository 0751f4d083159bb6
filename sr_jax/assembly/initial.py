"""The parameters that a run starts from: those of `config.init` where they fit, and freshly initialised ones."""

import hashlib
import json
from typing import Any, NamedTuple

import jax
import numpy as np

from sr_jax.assembly import trained
from sr_jax.assembly.network import Network
from sr_jax.config import Config
from sr_jax.errors import InputError, option
from sr_jax.system.files import read_json, replace_text
from sr_jax.system.paths import AnyPath
from sr_jax.training.state import by_name, parameter_name

RECORD = "init.json"


class Start(NamedTuple):
    """The parameters of a run before its first step, and where they come from."""

    params: Any
    origin: str
    """The trained network that they come from; empty if all are freshly initialised."""
    taken: tuple[str, ...]
    """The names of the parameters that are taken from it."""
    fresh: tuple[str, ...]
    """The names of the parameters that are not."""
    digest: str
    """The fingerprint of the parameters that are taken."""


def make_start(config: Config, network: Network, directory: AnyPath, *, step: int) -> Start:
    """Takes from `config.init` all parameters that fit by name and shape.

    Args:
      directory: the work directory. Its record says what was taken, once the run has begun.
      step: the step from which the run goes on. `config.init` is only read at step 0.

    Raises:
      InputError: if `config.init` cannot be read, has changed since the run began, or less than half of the network fits.
    """
    names = tuple(by_name(network.params))
    if not config.init:
        return Start(network.params, "", (), names, "")
    path = directory / RECORD
    if step:
        record = read_json(path)
        taken = tuple(name for name in names if name in record.get("taken", ()))
        fresh = tuple(name for name in names if name not in taken)
        return Start(network.params, str(record.get("origin")), taken, fresh, str(record.get("sha256")))
    start = _take(config.init, network)
    if path.exists() and read_json(path).get("sha256") != start.digest:
        raise InputError(
            f"init={config.init}: the network there has changed since the run in --workdir {directory} began; "
            "restore it or take another directory"
        )
    return start


def record(start: Start, directory: AnyPath) -> None:
    """Writes into a work directory what was taken, so that the run can resume without `config.init`."""
    if start.origin:
        content = {"origin": start.origin, "sha256": start.digest, "taken": start.taken, "initialised": start.fresh}
        replace_text(directory / RECORD, json.dumps(content, indent=1) + "\n")


def _take(place: str, network: Network) -> Start:
    with option("init"):
        source = trained.load(place, which="latest", parameters="ema")
    theirs, ours = by_name(source.network.params), by_name(network.params)
    taken = tuple(name for name, leaf in ours.items() if name in theirs and theirs[name].shape == leaf.shape)
    fresh = tuple(name for name in ours if name not in taken)
    fitting, total = (sum(ours[name].size for name in names) for names in (taken, ours))
    if 2 * fitting < total:
        other = ", ".join(f"{name} {_shape(ours[name])} (there {_shape(theirs.get(name))})" for name in fresh[:3])
        raise InputError(
            f"init={place}: only {fitting:,} of {total:,} parameters fit by name and shape, and at least half of them must; "
            f"for example, these do not: {other}. Choose the network that was trained there"
        )
    params = jax.tree.map_with_path(
        lambda path, leaf: np.asarray(theirs[name]) if (name := parameter_name(path)) in taken else leaf, network.params
    )
    hashed = hashlib.sha256()
    for name in taken:
        hashed.update(name.encode() + np.asarray(theirs[name]).tobytes())
    return Start(params, source.origin, taken, fresh, hashed.hexdigest())


def _shape(array: Any) -> str:
    return "none" if array is None else "x".join(map(str, array.shape))
