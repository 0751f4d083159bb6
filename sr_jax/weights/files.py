"""Weights files: the tensors of a trained network in `NAME.safetensors`, with a card beside them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sr_jax.errors import InputError
from sr_jax.system.files import replace_bytes
from sr_jax.weights.card import CONVERT, Card, card_path, identity, write_card

SUFFIX = ".safetensors"
IDENTITY = "sr_jax"
"""The one entry of the file's metadata. It is only one because safetensors writes several in any order."""
MOST_COMPLAINTS = 5


def write(path: Path, params: Any, card: Card) -> None:
    """Writes the weights, named by attribute with dots, and their card, which gets the file's hash."""
    data = save(named(params), metadata={IDENTITY: json.dumps(identity(card))})
    replace_bytes(path, data)
    write_card(path, card._replace(sha256=hashlib.sha256(data).hexdigest()))


def named(params: Any) -> dict[str, np.ndarray]:
    """The parameters by name: their attributes, joined with dots."""
    leaves, _ = jax.tree.flatten_with_path(params)
    return {_name(path): np.ascontiguousarray(jax.device_get(leaf)) for path, leaf in leaves}


def read(path: Path, *, like: Any, card: Card) -> Any:
    """Reads the weights in float32.

    Args:
      like: a tree of the parameters of the card's network, or of their shapes. The result has the same structure.

    Raises:
      InputError: naming what is wrong: the file cannot be read, it has another card, names are missing or superfluous, or
        tensors have a wrong shape or type, or values that are not finite.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            in_file = _identity_in(path, file.metadata() or {})
            tensors = {name: _tensor(path, file, name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
        sha256 = sha256_of(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error})") from None
    on_card = {**identity(card), "sha256": card.sha256}
    differences = [
        f"{key} {value}, not {on_card[key]}"
        for key, value in {**in_file, "sha256": sha256}.items()
        if key in on_card and value != on_card[key]
    ]
    if differences:
        raise InputError(
            f"{path} does not belong to the card {card_path(path).name}: it has {'; '.join(differences)}; "
            "take the file and the card of one run"
        )
    leaves, structure = jax.tree.flatten_with_path(like)
    shapes = {_name(leaf_path): leaf.shape for leaf_path, leaf in leaves}
    if complaints := _complaints(tensors, shapes):
        hidden = len(complaints) - MOST_COMPLAINTS
        more = f"; and {hidden} more" if hidden > 0 else ""
        hint = "" if tensors.keys() & shapes.keys() else f"; weights of other implementations are converted first: {CONVERT}"
        raise InputError(f"{path} does not fit the network of its card: {'; '.join(complaints[:MOST_COMPLAINTS])}{more}{hint}")
    return jax.tree.unflatten(structure, [tensors[name].astype(np.float32) for name in shapes])


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_floating(values: np.ndarray) -> bool:
    """Whether values are floating point numbers, bfloat16 included."""
    return jnp.issubdtype(values.dtype, jnp.floating)


def wrong_values(values: np.ndarray) -> str:
    """What makes values unfit to be weights in float32; empty if they are fit."""
    if not is_floating(values):
        return f"is {values.dtype}, not floating point"
    if not np.isfinite(values).all():
        return "holds values that are not finite"
    with np.errstate(over="ignore"):
        is_representable = np.isfinite(values.astype(np.float32)).all()
    return "" if is_representable else f"holds values beyond float32, up to {np.abs(values).max():.3g}"


def _complaints(tensors: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """How the tensors of a file differ from those of the network."""
    return [
        *(f"{name} is missing" for name in shapes if name not in tensors),
        *(f"{name} is not of this network" for name in tensors if name not in shapes),
        *(
            f"{name} is {tensors[name].shape}, not {shape}"
            for name, shape in shapes.items()
            if name in tensors and tensors[name].shape != shape
        ),
        *(f"{name} {wrong}" for name, value in tensors.items() if (wrong := wrong_values(value))),
    ]


def _identity_in(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """What a file repeats of its card; nothing if other software wrote it."""
    text = metadata.get(IDENTITY, "{}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: the entry {IDENTITY} of its metadata, {text:.80}, is not a JSON object; take the file as written"
        )
    return content


def _tensor(path: Path, file: Any, name: str) -> np.ndarray:
    try:
        return file.get_tensor(name)
    except (AttributeError, TypeError, KeyError):  # safetensors asks NumPy for the type by name
        kind = file.get_slice(name).get_dtype()
        raise InputError(f"{path}: {name} has the type {kind}, which NumPy lacks; save it as F32") from None


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
