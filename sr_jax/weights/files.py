"""Weights files: the tensors of a trained network in `NAME.safetensors`, with a card beside them."""

import collections
import hashlib
import io
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sr_jax.errors import InputError
from sr_jax.system.files import replace_bytes, sha256_of
from sr_jax.system.paths import AnyPath, local_copy
from sr_jax.weights.card import CONVERT, Card, existing_card, identity, write_card

SUFFIX = ".safetensors"
IDENTITY = "sr_jax"
"""The one entry of the file's metadata. It is only one because safetensors writes several in any order."""
MOST_COMPLAINTS = 5
MOST_HEADER = 2**24
"""Bytes of a header: more than a hundred thousand tensors."""
LIBRARY_HEADER = 100_000_000
"""Bytes of a header that the library refuses itself."""
NUMPY_TYPES = {*("F64", "F32", "F16", "BF16", "C64", "BOOL"), *(f"{sign}{bits}" for sign in "IU" for bits in (8, 16, 32, 64))}
"""The types of safetensors that NumPy has, with ml_dtypes, by their names in the files."""

Shapes = dict[str, tuple[int, ...]]


def write(path: AnyPath, params: Any, card: Card) -> None:
    """Writes the weights, named by attribute with dots, and their card, which gets the file's hash."""
    data = save(named(params), metadata={IDENTITY: json.dumps(identity(card))})
    replace_bytes(path, data)
    write_card(path, card._replace(sha256=hashlib.sha256(data).hexdigest()))


def named(params: Any) -> dict[str, np.ndarray]:
    """The parameters by name: their attributes, joined with dots."""
    leaves, _ = jax.tree.flatten_with_path(params)
    return {_name(path): np.ascontiguousarray(jax.device_get(leaf)) for path, leaf in leaves}


def read(path: AnyPath, *, like: Any, card: Card) -> Any:
    """Reads the weights in float32.

    Args:
      like: a tree of the parameters of the card's network, or of their shapes. The result has the same structure.

    Raises:
      InputError: naming what is wrong: the file cannot be read, it has another card, names are missing or superfluous, or
        tensors have a wrong shape or type, or values that are not finite.
    """
    leaves, structure = jax.tree.flatten_with_path(like)
    shapes = {_name(leaf_path): leaf.shape for leaf_path, leaf in leaves}
    try:
        with local_copy(path) as copy:
            with copy.open("rb") as stream:
                check_header(path, stream)
            with safe_open(copy, framework="numpy") as file:
                _check_belongs(path, _identity_in(path, file.metadata() or {}), card)
                slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
                _check_types(path, {name: part.get_dtype() for name, part in slices.items()})
                in_file = {name: tuple(part.get_shape()) for name, part in slices.items()}
                _check_complaints(path, in_file, shapes, _wrong_shapes(in_file, shapes))  # before any tensor is read
                tensors = {name: file.get_tensor(name) for name in shapes}
            _check_belongs(path, {"sha256": sha256_of(copy)}, card)
    except InputError:
        raise
    except (OSError, SafetensorError, ValueError) as error:  # NumPy refuses some shapes without elements
        raise InputError(f"{path} cannot be read as safetensors ({error})") from None
    wrong = [f"{name} {reason}" for name, value in tensors.items() if (reason := wrong_values(value))]
    _check_complaints(path, in_file, shapes, wrong)
    return jax.tree.unflatten(structure, [tensors[name].astype(np.float32) for name in shapes])


def check_header(path: AnyPath, file: io.BufferedIOBase) -> None:
    """Checks the header of a safetensors file for what the library overlooks. What it notices is left to it.

    Raises:
      InputError: if the header is too large, or has a name twice, of which the library would take one.
    """
    size = int.from_bytes(file.read(8), "little")
    if MOST_HEADER < size <= LIBRARY_HEADER:
        raise InputError(f"{path} has a header of {size:,} bytes; at most {MOST_HEADER:,} are read; save only the weights")
    if size > LIBRARY_HEADER:
        return

    def check_names(pairs: list[tuple[str, Any]]) -> None:
        names = collections.Counter(name for name, _ in pairs)
        if doubles := [name for name, count in names.items() if count > 1]:
            raise InputError(
                f"{path} has {doubles[0]!r} twice in its header, so it is unclear which one is meant; save it again"
            )

    try:
        json.loads(file.read(size), object_pairs_hook=check_names)
    except InputError:
        raise
    except (ValueError, RecursionError):
        return


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


def _check_belongs(path: AnyPath, in_file: dict[str, Any], card: Card) -> None:
    """Raises InputError if the file says of itself something else than its card does."""
    on_card = {**identity(card), "sha256": card.sha256}
    differences = [
        f"{key} {value}, not {on_card[key]}" for key, value in in_file.items() if key in on_card and value != on_card[key]
    ]
    if differences:
        raise InputError(
            f"{path} does not belong to the card {existing_card(path).name}: it has {'; '.join(differences)}; "
            "take the file and the card of one run"
        )


def _wrong_shapes(in_file: Shapes, shapes: Shapes) -> list[str]:
    """How the names and shapes in a file differ from those of the network."""
    return [
        *(f"{name} is missing" for name in shapes if name not in in_file),
        *(f"{_printable(name)} is not of this network" for name in in_file if name not in shapes),
        *(f"{name} is {in_file[name]}, not {shape}" for name, shape in shapes.items() if in_file.get(name, shape) != shape),
    ]


def _printable(name: str) -> str:
    """The name, in quotes and with escapes if it does not fit into one line."""
    return name if name.isprintable() else repr(name)


def _check_complaints(path: AnyPath, in_file: Shapes, shapes: Shapes, complaints: list[str]) -> None:
    """Raises InputError if there are complaints, with the first of them."""
    if not complaints:
        return
    hidden = len(complaints) - MOST_COMPLAINTS
    more = f"; and {hidden} more" if hidden > 0 else ""
    hint = "" if in_file.keys() & shapes.keys() else f"; weights of other implementations are converted first: {CONVERT}"
    raise InputError(f"{path} does not fit the network of its card: {'; '.join(complaints[:MOST_COMPLAINTS])}{more}{hint}")


def _identity_in(path: AnyPath, metadata: dict[str, str]) -> dict[str, Any]:
    """What a file repeats of its card; nothing if other software wrote it."""
    text = metadata.get(IDENTITY, "{}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: the entry {IDENTITY} of its metadata, {text!r:.80}, is not a JSON object; take the file as written"
        )
    return content


def _check_types(path: AnyPath, types: dict[str, str]) -> None:
    """Raises InputError if a tensor has a type that NumPy lacks."""
    for name, kind in types.items():
        if kind not in NUMPY_TYPES:
            raise InputError(f"{path}: {name} has the type {kind}, which NumPy lacks; save it as F32")


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
