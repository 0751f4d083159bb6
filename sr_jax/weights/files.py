"""Trained weights as files: `NAME.safetensors`, and beside it the card `NAME.json` that says what they are."""

import hashlib
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
from sr_jax.system.files import replace_bytes, replace_text

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
    sha256: str | None = None
    """Of the weights file's bytes; `write` finds it out. None in older cards."""


def write(path: Path, params: Any, card: Card) -> None:
    """Writes the weights, named by attribute with dots, and their card."""
    data = save(named(params), metadata={IDENTITY: json.dumps(_identity(card))})
    replace_bytes(path, data)
    config = json.loads(configs.to_json(card.config))
    config["data"]["root"] = None  # a place of the machine that trained
    plain = {
        "model": card.config.model.name,
        "scale": card.config.scale,
        "step": card.step,
        "commit": card.commit,
        "sha256": hashlib.sha256(data).hexdigest(),
        "table": card.table,
        "converted": card.converted._asdict() if card.converted else None,
        "config": {key: config[key] for key in ("scale", "model")} if card.converted else config,
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
        origin = Converted(**converted) if converted else None
        card = Card(config, plain["step"], plain["commit"], plain["table"], origin, plain.get("sha256"))
        said = {"model": plain["model"], "scale": plain["scale"]}
    except FileNotFoundError:
        raise InputError(
            f"{path}: its card, {place.name}, which says what they are for, is not beside it; "
            f"weights of other implementations are converted first: {CONVERT}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{place} is not the card of a weights file ({type(error).__name__}: {error})") from None
    meant = {"model": config.model.name, "scale": config.scale}
    if differing := [
        f"its {key} is {said[key]}, but that of its config {meant[key]}" for key in said if said[key] != meant[key]
    ]:
        raise InputError(f"{place} contradicts itself: {'; '.join(differing)}; take the card as it was written")
    return card


def sha256_of(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path, *, like: Any, card: Card) -> Any:
    """The weights in float32, as a tree like `like`, the parameters of the network that the card names, or their shapes.

    Raises:
      InputError: naming what is wrong: the file, another card, missing or superfluous names, shapes, types, values that are
        not finite.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            noted = _noted(path, file.metadata() or {})
            tensors = {name: _tensor(path, file, name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        sha256 = sha256_of(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error})") from None
    differing = [f"{key} {noted[key]}, not {value}" for key, value in _identity(card).items() if noted.get(key, value) != value]
    if differing:
        raise InputError(f"{path} has another card than {path.with_suffix('.json').name}: it is of {'; '.join(differing)}")
    if card.sha256 not in (None, sha256):
        raise InputError(
            f"{path} has another card than {path.with_suffix('.json').name}: its sha256 is {sha256}, not {card.sha256}; "
            "take the file and the card of one run"
        )
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
        *(f"{name} {wrong}" for name, value in tensors.items() if (wrong := wrong_values(value))),
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


def _noted(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """What a file says of its card; older ones have an entry for each part."""
    if IDENTITY not in metadata:
        return metadata
    try:
        noted = json.loads(metadata[IDENTITY])
    except (ValueError, RecursionError):
        noted = None
    if not isinstance(noted, dict):
        raise InputError(
            f"{path}: what its metadata say of its card, {metadata[IDENTITY]:.80}, is no JSON object; take the file as written"
        )
    return noted


def _tensor(path: Path, file: Any, name: str) -> np.ndarray:
    try:
        return file.get_tensor(name)
    except (AttributeError, TypeError, KeyError):  # safetensors asks NumPy for the type by name
        kind = file.get_slice(name).get_dtype()
        raise InputError(f"{path}: {name} is of the type {kind}, which NumPy lacks; save it as F32") from None


def is_floating(values: np.ndarray) -> bool:
    """Whether values are real numbers, of bfloat16 too."""
    return jnp.issubdtype(values.dtype, jnp.floating)


def wrong_values(values: np.ndarray) -> str:
    """What makes values unfit to be weights in float32, or nothing."""
    if not is_floating(values):
        return f"is {values.dtype}, not floating point"
    if not np.isfinite(values).all():
        return "holds values that are not finite"
    with np.errstate(over="ignore"):
        is_representable = np.isfinite(values.astype(np.float32)).all()
    return "" if is_representable else f"holds values beyond float32, up to {np.abs(values).max():.3g}"


def _name(where: Any) -> str:
    return ".".join(str(getattr(key, "key", key)) for key in where)
