"""Where a user may say that a model lies: a path, a name of the zoo, or a repository of the Hugging Face Hub."""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from sr_jax.config import workdir
from sr_jax.errors import InputError
from sr_jax.system.paths import AnyPath, to_path
from sr_jax.weights import hub, zoo
from sr_jax.weights.card import HUB_WEIGHTS

BICUBIC = "bicubic"


class Place(NamedTuple):
    """Where a model lies."""

    path: AnyPath
    """A work directory or a weights file. It may also be something else that exists."""
    name: str
    """What the user called it. A repository has its revision in the name."""


def find(model: str, *, others: Sequence[str] = ()) -> Place:
    """Finds a model. A path that exists counts before a name of the zoo, and a line on standard error says so.

    Args:
      others: words that the caller takes beside models, so that a misspelling of them can be named.

    Raises:
      InputError: if there is no such model, or it cannot be downloaded.
      OSError: if the path cannot be read.
    """
    if model.startswith(hub.SCHEME):
        downloaded = hub.download(model)
        return Place(downloaded.path, downloaded.name)
    path, named = to_path(model), zoo.files().get(model)
    if path.exists():
        if named:
            print(f"note: {model} is taken to be {path.absolute()}; the network of the zoo is {named}", file=sys.stderr)
        return Place(path / HUB_WEIGHTS if _is_hub_folder(path) else path, model)
    if named:
        return Place(named, model)
    raise InputError(f"{model}: no such work directory or weights file{_advice(model, others)}")


def path_of(word: str) -> AnyPath:
    """Returns the path that a word stands for where it may be a model or something else. It need not exist.

    Raises:
      InputError: if it is a model that cannot be downloaded.
    """
    if word.startswith(hub.SCHEME) or word in zoo.files():
        return find(word).path
    path = to_path(word)
    return path / HUB_WEIGHTS if _is_hub_folder(path) else path


def _is_hub_folder(path: AnyPath) -> bool:
    """Whether a folder is laid out as a repository of the hub. Weights in a work directory do not make it one."""
    return path.is_dir() and (path / HUB_WEIGHTS).is_file() and not (path / workdir.CHECKPOINTS).exists()


def _advice(model: str, others: Sequence[str]) -> str:
    if model == BICUBIC:
        return "; bicubic interpolation has no weights"
    return "" if os.sep in model else f"; {zoo.unknown(model, others=others)}"
