"""Trained weights as files: `NAME.safetensors`, and beside it the card `NAME.json` that says what they are."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.errors import InputError
from sr_jax.files import replace_bytes, replace_text

SUFFIX = ".safetensors"
IDENTITY = "sr_jax"
"""Under this name the file says of which card it is. One entry: safetensors writes several in any order."""
CONVERT = "python -m sr_jax.convert --help"


class Converted(NamedTuple):
    """Where converted weights are from."""

    file: str
    """Its name."""
    sha256: str
    layout: str


class Card(NamedTuple):
    """What weights are."""

    config: Config
    """With which they were trained; of converted ones only the model and the scale are known."""
    step: int | None
    """After how many steps; None if it is not known."""
    commit: str
    """Of the code that trained or converted them."""
    table: list[dict[str, Any]]
    """Rows of the evaluation at the end of training."""
    converted: Converted | None = None
    """None: they were trained here."""


def write(path: Path, params: Any, card: Card) -> None:
    """Writes the weights, named by attribute with dots, and their card."""
    replace_bytes(path, save(named(params), metadata={IDENTITY: json.dumps(_identity(card))}))
    plain = {
        "model": card.config.model.name,
        "scale": card.config.scale,
        "step": card.step,
        "commit": card.commit,
        "table": card.table,
        "converted": card.converted._asdict() if card.converted else None,
        "config": json.loads(configs.to_json(card.config)),
    }
    replace_text(path.with_suffix(".json"), json.dumps(plain, indent=1) + "\n")


def named(params: Any) -> dict[str, np.ndarray]:
    """The parameters by their names: attributes, with dots."""
    leaves, _ = jax.tree.flatten_with_path(params)
    return {_name(where): np.ascontiguousarray(jax.device_get(leaf)) for where, leaf in leaves}


def read_card(path: Path) -> Card:
    """The card of a weights file.

    Raises:
      InputError: naming the file, if there is none, or it is not a card.
    """
    place = path.with_suffix(".json")
    try:
        plain = json.loads(place.read_text())
        config, converted = configs.from_json(json.dumps(plain["config"])), plain.get("converted")
        return Card(config, plain["step"], plain["commit"], plain["table"], Converted(**converted) if converted else None)
    except FileNotFoundError:
        raise InputError(
            f"{path}: its card, {place.name}, which says what they are for, is not beside it; "
            f"weights of other implementations are converted first: {CONVERT}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{place} is not the card of a weights file ({type(error).__name__}: {error})") from None


def read(path: Path, *, like: Any, card: Card) -> Any:
    """The weights in float32, as a tree like `like`, the parameters of the network that the card names.

    Raises:
      InputError: naming what is wrong: the file, another card, missing or superfluous names, shapes, types, values that are
        not finite.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            noted = _noted(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error})") from None
    differing = [f"{key} {noted[key]}, not {value}" for key, value in _identity(card).items() if noted.get(key, value) != value]
    if differing:
        raise InputError(f"{path} has another card than {path.with_suffix('.json').name}: it is of {'; '.join(differing)}")
    leaves, structure = jax.tree.flatten_with_path(like)
    expected = {_name(where): leaf.shape for where, leaf in leaves}
    complaints = [
        *(f"{name} is missing" for name in expected if name not in tensors),
        *(f"{name} is not of this network" for name in tensors if name not in expected),
        *(
            f"{name} is {tensors[name].shape}, not {shape}"
            for name, shape in expected.items()
            if name in tensors and tensors[name].shape != shape
        ),
        *(f"{name} is {v.dtype}, not floating point" for name, v in tensors.items() if not _is_floating(v)),
        *(f"{name} holds values that are not finite" for name, v in tensors.items() if _is_floating(v) and not _is_finite(v)),
    ]
    if complaints:
        more = f"; and {len(complaints) - 5} more" if len(complaints) > 5 else ""
        hint = "" if tensors.keys() & expected.keys() else f"; weights of other implementations are converted first: {CONVERT}"
        raise InputError(f"{path} does not fit the network of its card: {'; '.join(complaints[:5])}{more}{hint}")
    return jax.tree.unflatten(structure, [tensors[name].astype(np.float32) for name in expected])


def _identity(card: Card) -> dict[str, str]:
    """What the weights themselves say of which card is theirs."""
    of = {"model": card.config.model.name, "scale": str(card.config.scale), "step": str(card.step)}
    return {**of, "converted from": card.converted.sha256} if card.converted else of


def _noted(metadata: dict[str, str]) -> dict[str, str]:
    """What a file says of its card; older ones have an entry for each part."""
    return json.loads(metadata[IDENTITY]) if IDENTITY in metadata else metadata


def _is_finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values.astype(np.float32)).all())


def _is_floating(values: np.ndarray) -> bool:
    return jnp.issubdtype(values.dtype, jnp.floating)  # of bfloat16 too


def _name(where: Any) -> str:
    return ".".join(str(getattr(key, "key", key)) for key in where)
