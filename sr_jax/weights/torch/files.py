"""Reads and writes weights of other implementations: PyTorch's files, safetensors, npz, MatConvNet's networks.

Nothing in a file is ever executed.
"""

import hashlib
import io
import math
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import save

from sr_jax.errors import InputError, listing
from sr_jax.system.archives import read_npz
from sr_jax.system.files import replace_bytes
from sr_jax.weights.files import check_header
from sr_jax.weights.torch.checkpoints import ModuleState, read_checkpoint
from sr_jax.weights.torch.matconvnet import read_matconvnet
from sr_jax.weights.torch.pickles import Name, Node, shown

PYTORCH = (".pth", ".pt", ".pth.tar", ".ckpt")
SAFETENSORS = ".safetensors"
NPZ = ".npz"
MATLAB = ".mat"
SUFFIXES = (*PYTORCH, SAFETENSORS, NPZ)
"""What is written; MATLAB's files are only read."""
MOST_KEYS = 20
"""Keys of a checkpoint that a message names."""
MOST_BYTES = 2**29
"""Largest file that is read for a small network, and the most that it may unpack to. All published networks fit in."""
BYTES_PER_PARAMETER = 64
"""The same for each parameter of a larger network: weights, their average, Adam's two moments and another network, in float64,
and then some."""

WRAPPINGS = (
    *("params_ema", "ema_state_dict", "g_ema", "model_ema", "ema"),
    *("params", "state_dict", "model_state_dict", "model", "net", "netG", "generator", "g"),
)
"""Keys under which a checkpoint keeps its state dict. The first one that is there is taken, so moving averages come first."""

TYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
"""The types of safetensors, by their names in the files."""


class Source(NamedTuple):
    """The state dict in a file."""

    path: Path
    size: int
    """Size of the file [bytes]."""
    sha256: str
    """Hash of the file."""
    tensors: dict[str, np.ndarray]
    notes: list[str]
    """What was chosen or left out on the way to the tensors, for people."""


def most_bytes(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The most bytes that a file for a network may have or unpack to, by the shapes of its parameters."""
    return max(MOST_BYTES, BYTES_PER_PARAMETER * sum(map(math.prod, shapes.values())))


def read(path: Path, *, most: int = MOST_BYTES) -> Source:
    """Reads the state dict in a .pth, .pt, .pth.tar or .ckpt file of PyTorch, a .safetensors, .npz or .mat file.

    Args:
      most: bytes that the file may have, and that it may unpack to. Both are known before anything is unpacked.

    Raises:
      InputError: naming the file and what is wrong: it is missing, empty, too large, cut short or of another kind, it wants
        code to be run, it names something twice, or it holds no state dict, or several.
    """
    parse = _parser(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not path.is_dir():  # opening a pipe would block for ever
            raise InputError(f"{path} is not a regular file")
        if status.st_size > most:
            raise InputError(
                f"{path} has {status.st_size:,} bytes; at most {most:,} are read for this network; save only its state dict"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    if not data:
        raise InputError(f"{path} is empty")
    tensors, notes = unwrap(parse(path, data, most=most), path)
    return Source(path, len(data), hashlib.sha256(data).hexdigest(), tensors, notes)


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a state dict, in the format that the suffix of the path names.

    Raises:
      InputError: if the format needs PyTorch, and it is not installed.
    """
    if path.suffix == SAFETENSORS:
        data = save(dict(tensors), metadata={"format": "pt"})
    else:
        buffer = io.BytesIO()
        if path.suffix == NPZ:
            np.savez(buffer, allow_pickle=False, **tensors)
        else:
            torch = import_torch(path)
            torch.save({key: torch.from_numpy(value.copy()) for key, value in tensors.items()}, buffer)
        data = buffer.getvalue()
    replace_bytes(path, data)


def unwrap(content: Any, path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Finds the state dict in a checkpoint. Returns it with notes on what was chosen or left out.

    Raises:
      InputError: if there is none, or if there are several and nothing tells which one to take.
    """
    notes = []
    while isinstance(content, Mapping) and not _arrays(content):
        members = {id(member): member for member in content.values()}  # many keys may have one member
        weights = {key for key, member in members.items() if _arrays(member)}
        filled = [key for key in content if isinstance(content[key], Mapping) and content[key]]
        candidates = [key for key in filled if key in WRAPPINGS or id(content[key]) in weights]
        familiar = sorted((key for key in candidates if key in WRAPPINGS), key=WRAPPINGS.index)
        if not candidates:
            break
        if not familiar and len(candidates) > 1:
            raise InputError(f"{path} holds several sets of weights, {_keys(candidates)}; save only the one to convert")
        choice = (familiar or candidates)[0]
        chosen = set(candidates)
        rivals = [key for key in candidates if key != choice]
        rest = [key for key in content if key not in chosen]
        notes.append(
            f"{_keys([choice])} is taken from the file"
            + (f", not {_keys(rivals)}" if rivals else "")
            + (f"; ignored: {_keys(rest)}" if rest else "")
        )
        content = content[choice]
    tensors = _arrays(content)
    if not tensors:
        if isinstance(content, Mapping):
            detail = f":{listing([shown(str(key)) for key in content], most=10)}" if content else ": it is empty"
        else:
            detail = f", but a {content if isinstance(content, Node | Name) else type(content).__name__}"
        raise InputError(f"{path} holds no state dict (names and their tensors){detail}")
    if isinstance(content, ModuleState):
        notes.append(f"the tensors are those of a whole pickled module, a {content.kind}; nothing of it was run")
    if rest := [key for key in content if key not in tensors]:
        notes.append(f"ignored, as not tensors: {_keys(rest)}")
    if strange := next((name for name in tensors if not name.isprintable()), None):
        raise InputError(f"{path} has a tensor whose name cannot be printed, {shown(strange)}; rename it")
    return tensors, notes


def _keys(keys: Sequence[Any]) -> str:
    """Keys of a checkpoint, in a line."""
    more = f" and {len(keys) - MOST_KEYS} more" if len(keys) > MOST_KEYS else ""
    return ", ".join(shown(str(key)) for key in keys[:MOST_KEYS]) + more


def import_torch(path: Path) -> ModuleType:
    """Imports PyTorch, to write the file at `path`.

    Raises:
      InputError: if it is not installed.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        raise InputError(
            f"{path}: PyTorch's own files need PyTorch to be written: pip install -e '.[torch]'; {SAFETENSORS} and {NPZ} need "
            "nothing"
        ) from None
    return torch


def _parser(path: Path) -> Callable[..., Any]:
    if path.name.endswith(PYTORCH):
        return read_checkpoint
    if path.suffix == SAFETENSORS:
        return _parse_safetensors
    if path.suffix == NPZ:
        return read_npz
    if path.suffix == MATLAB:
        return read_matconvnet
    names = ", ".join((*SUFFIXES, MATLAB))
    raise InputError(f"{path} is of an unknown kind: weights are read from files that end in {names}")


def _parse_safetensors(path: Path, data: bytes, *, most: int) -> dict[str, np.ndarray]:
    del most  # nothing is packed
    try:
        check_header(path, io.BytesIO(data))
        entries = safetensors.deserialize(data)
        if unknown := {entry["dtype"] for _, entry in entries} - set(TYPES):
            raise InputError(f"{path} holds tensors of the type {', '.join(sorted(unknown))}; save them as F32")
        return {name: np.frombuffer(entry["data"], TYPES[entry["dtype"]]).reshape(entry["shape"]) for name, entry in entries}
    except InputError:
        raise
    except (SafetensorError, ValueError) as error:  # NumPy refuses some shapes without elements
        raise InputError(f"{path} is not a safetensors file, or is cut short ({error})") from None


def _arrays(value: Any) -> dict[str, np.ndarray]:
    """The tensors directly in a dict."""
    if not isinstance(value, Mapping):
        return {}
    return {name: member for name, member in value.items() if isinstance(name, str) and isinstance(member, np.ndarray)}
