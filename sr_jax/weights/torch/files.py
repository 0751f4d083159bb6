"""Reads and writes state dicts of other implementations: PyTorch's files, safetensors, npz.

Nothing in a file is ever executed.
"""

import hashlib
import io
import math
import re
import stat
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import save

from sr_jax.errors import InputError, listing
from sr_jax.system.archives import check_zip, read_npz
from sr_jax.system.files import replace_bytes
from sr_jax.weights.files import check_header

PYTORCH = (".pth", ".pt", ".pth.tar", ".ckpt")
SAFETENSORS = ".safetensors"
NPZ = ".npz"
SUFFIXES = (*PYTORCH, SAFETENSORS, NPZ)
MAX_DEPTH = 20
"""Dicts within dicts."""
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
    """Reads the state dict in a .pth, .pt, .pth.tar or .ckpt file (this needs PyTorch), a .safetensors or an .npz file.

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
        filled = [key for key in content if isinstance(content[key], Mapping) and content[key]]
        candidates = [key for key in filled if key in WRAPPINGS or _arrays(content[key])]
        familiar = sorted((key for key in candidates if key in WRAPPINGS), key=WRAPPINGS.index)
        if not candidates:
            break
        if not familiar and len(candidates) > 1:
            raise InputError(
                f"{path} holds several sets of weights, {', '.join(map(str, candidates))}; save only the one to convert"
            )
        choice = (familiar or candidates)[0]
        rivals = [key for key in candidates if key != choice]
        rest = [str(key) for key in content if key != choice and key not in rivals]
        notes.append(
            f"{choice} is taken from the file"
            + (f", not {', '.join(map(str, rivals))}" if rivals else "")
            + (f"; ignored: {', '.join(rest)}" if rest else "")
        )
        content = content[choice]
    tensors = _arrays(content)
    if not tensors:
        if isinstance(content, Mapping):
            detail = f":{listing(map(str, content), most=10)}" if content else ": it is empty"
        else:
            detail = f", but a {type(content).__name__}"
        raise InputError(f"{path} holds no state dict (names and their tensors){detail}")
    if rest := [str(key) for key in content if key not in tensors]:
        notes.append(f"ignored, as not tensors: {', '.join(rest)}")
    return tensors, notes


def import_torch(path: Path) -> ModuleType:
    """Imports PyTorch, to read or write the file at `path`.

    Raises:
      InputError: if it is not installed, or too old to load files safely.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        raise InputError(
            f"{path}: PyTorch's own files need PyTorch: pip install -e '.[torch]'; {SAFETENSORS} and {NPZ} need nothing"
        ) from None
    version = torch.__version__  # pyright: ignore[reportAttributeAccessIssue]  # it may take this folder for PyTorch
    if version < "2.6":  # it compares as a version: 2.10 is newer
        raise InputError(f"{path}: PyTorch {version} can be made to run code that a file holds; install 2.6 or newer")
    return torch


def _parser(path: Path) -> Callable[..., Any]:
    if path.name.endswith(PYTORCH):
        return _parse_torch
    if path.suffix == SAFETENSORS:
        return _parse_safetensors
    if path.suffix == NPZ:
        return read_npz
    raise InputError(f"{path} is of an unknown kind: weights are read from files that end in {', '.join(SUFFIXES)}")


def _parse_torch(path: Path, data: bytes, *, most: int) -> Any:
    """Parses what `torch.save` wrote, in its zip format or the older one. Tensors become arrays."""
    torch = import_torch(path)
    check_zip(path, data, most=most)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_number_types()):
            warnings.simplefilter("ignore")  # they are about kinds of pickles and archives that do not hold state dicts
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file makes PyTorch's readers raise anything
        message = str(error)
        request = re.search(r"GLOBAL ([\w.]+)", message)
        name = request[1].rpartition(".")[2].encode() if request else b""
        is_cut_within_name = name in data[-len(name) - 1 :]
        if request and not is_cut_within_name:
            kind = "NumPy arrays beside its tensors" if request[1].startswith("numpy.") else "more than numbers"
            reason = f"holds {kind}: it asks for {request[1]}. Nothing of it was run"
        elif "TorchScript" in message:
            reason = "is a TorchScript program, not weights. Nothing of it was run"
        else:
            raise InputError(f"{path} was not written by torch.save, or is cut short ({_first_sentence(error)})") from None
        raise InputError(
            f"{path} {reason}. If you trust it, load it with the code that made it, and save only its weights: "
            "torch.save(model.state_dict(), FILE)"
        ) from None
    return _as_arrays(path, content, torch, "", most=most, depth=0, seen={})


def _number_types() -> list[Any]:
    """What a pickled NumPy number needs, such as the best PSNR beside a state dict. NumPy 1 has an older name for it."""
    rebuild = np.float64().__reduce__()[0]
    names = ("numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar")
    return [*((rebuild, name) for name in names), np.dtype, *(type(np.dtype(code)) for code in "?bBhHiIlLqQefdg")]


def _first_sentence(error: Exception) -> str:
    """What PyTorch's message says about the file. It goes on with advice, such as to load the file unsafely."""
    message = str(error).partition("WeightsUnpickler error:")[2] or str(error)
    line = next((line.strip() for line in message.splitlines() if line.strip()), "nothing more is known")
    return f"{type(error).__name__}: {line.partition('. ')[0]}"


def _as_arrays(path: Path, value: Any, torch: ModuleType, name: str, *, most: int, depth: int, seen: dict[int, Any]) -> Any:
    """Returns the value with arrays in place of tensors.

    Args:
      most: the bytes that a tensor may have. It can claim more than it stores, if it repeats its values.
      depth: how many dicts are around it. A dict may contain itself.
      seen: the results for the dicts so far, by id. A dict may be in many others.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach()
        if (needed := value.numel() * value.element_size()) > most:
            raise InputError(
                f"{path}: {name} {tuple(value.shape)} takes {needed:,} bytes; at most {most:,} are read for this network"
            )
        try:
            return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
        except (TypeError, RuntimeError) as error:  # sparse, quantised, or of a type that NumPy lacks
            raise InputError(f"{path}: {name} is not a plain tensor ({error}); save it as dense float32") from None
    if isinstance(value, Mapping):
        if depth > MAX_DEPTH:
            raise InputError(f"{path} holds dicts within dicts, more than {MAX_DEPTH} deep; save only the state dict")
        if id(value) not in seen:
            seen[id(value)] = {
                key: _as_arrays(path, member, torch, f"{name}.{key}".lstrip("."), most=most, depth=depth + 1, seen=seen)
                for key, member in value.items()
            }
        return seen[id(value)]
    return value


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
