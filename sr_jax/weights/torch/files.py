"""Weights files of other implementations: PyTorch's, safetensors, npz. Nothing in a file is ever executed."""

import hashlib
import io
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors import SafetensorError

from sr_jax.errors import InputError, listing

PYTORCH = (".pth", ".pt", ".pth.tar", ".ckpt")
SAFETENSORS = ".safetensors"
NPZ = ".npz"
DEEPEST = 20  # dicts within dicts
ENCRYPTED = 1  # among the flags of a zip file's member

WRAPPINGS = (
    *("params_ema", "ema_state_dict", "g_ema", "model_ema", "ema"),
    *("params", "state_dict", "model_state_dict", "model", "net", "netG", "generator", "g"),
)
"""Keys under which a checkpoint keeps its state dict. Of several the first is taken: a moving average, where there is one."""

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
"""Of safetensors, by the names in the files."""


class Source(NamedTuple):
    """A state dict, as it lay in a file."""

    path: Path
    size: int
    """Of the file [bytes]."""
    sha256: str
    tensors: dict[str, np.ndarray]
    notes: list[str]
    """What was chosen or left out on the way to the tensors, for people."""


def read(path: Path) -> Source:
    """The state dict of a .pth, .pt, .pth.tar or .ckpt file (with PyTorch), a .safetensors or an .npz file.

    Raises:
      InputError: naming the file and what is wrong with it: it is missing, empty, cut short, of another kind, wants code to
        be run, or holds no state dict, or several.
    """
    parse = _parser(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    if not data:
        raise InputError(f"{path} is empty")
    tensors, notes = unwrap(parse(path, data), path)
    return Source(path, len(data), hashlib.sha256(data).hexdigest(), tensors, notes)


def unwrap(value: Any, path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The state dict within what a checkpoint holds beside it, and what was chosen or left out.

    Raises:
      InputError: if there is none, or several and nothing that says which is meant.
    """
    notes = []
    while isinstance(value, Mapping) and not _arrays(value):
        full = [key for key in value if isinstance(value[key], Mapping) and value[key]]
        inner = [key for key in full if key in WRAPPINGS or _arrays(value[key])]
        known = sorted((key for key in inner if key in WRAPPINGS), key=WRAPPINGS.index)
        if not inner:
            break
        if not known and len(inner) > 1:
            raise InputError(
                f"{path} holds several sets of weights, {', '.join(map(str, inner))}; save the one to convert alone"
            )
        chosen = (known or inner)[0]
        rivals = [key for key in inner if key != chosen]
        others = [str(key) for key in value if key != chosen and key not in rivals]
        notes.append(
            f"of what the file holds, {chosen} is taken"
            + (f", not {', '.join(map(str, rivals))}" if rivals else "")
            + (f"; {', '.join(others)} ignored" if others else "")
        )
        value = value[chosen]
    found = _arrays(value)
    if not found:
        if isinstance(value, Mapping):
            held = f":{listing(map(str, value), most=10)}" if value else ": it is empty"
        else:
            held = f", but a {type(value).__name__}"
        raise InputError(f"{path} holds no state dict (names and their tensors){held}")
    if others := [str(key) for key in value if key not in found]:
        notes.append(f"{', '.join(others)} ignored: no tensors")
    return found, notes


def torch_or_error(purpose: Path) -> ModuleType:
    """PyTorch, which nothing but its own files needs.

    Raises:
      InputError: if it is not installed, or so old that its safe way of loading is not.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        raise InputError(
            f"{purpose}: PyTorch's own files need PyTorch: pip install -e '.[torch]'; {SAFETENSORS} and {NPZ} need nothing"
        ) from None
    if torch.__version__ < "2.6":  # it compares as a version: 2.10 is newer
        raise InputError(
            f"{purpose}: PyTorch {torch.__version__} can be made to run code that a file holds; install 2.6 or newer"
        )
    return torch


def _parser(path: Path) -> Callable[[Path, bytes], Any]:
    if path.name.endswith(PYTORCH):
        return _parse_torch
    if path.suffix == SAFETENSORS:
        return _parse_safetensors
    if path.suffix == NPZ:
        return _parse_npz
    kinds = ", ".join((*PYTORCH, SAFETENSORS, NPZ))
    raise InputError(f"{path}: is of no known kind; weights are read from {kinds} files")


def _parse_torch(path: Path, data: bytes) -> Any:
    """What `torch.save` wrote, its tensors as arrays; in the zipped format and the older one."""
    torch = torch_or_error(path)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_numbers()):
            warnings.simplefilter("ignore")  # about kinds of pickles and of archives, none of which is a state dict's
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken or a foreign file makes of PyTorch's readers
        message = str(error)
        wanted = re.search(r"GLOBAL ([\w.]+)", message)
        name = wanted[1].rpartition(".")[2].encode() if wanted else b""
        if wanted and name not in data[-len(name) - 1 :]:  # there the file is cut, within that very name
            kind = "NumPy arrays beside its tensors" if wanted[1].startswith("numpy.") else "more than numbers"
            reason = f"holds {kind}: it asks for {wanted[1]}. Nothing of it was run"
        elif "TorchScript" in message:
            reason = "is a TorchScript program, not weights. Nothing of it was run"
        else:
            raise InputError(f"{path} is no file of torch.save, or is cut short ({_kernel_of(error)})") from None
        raise InputError(
            f"{path} {reason}. Where you trust it, load it with the code that made it, and save its weights alone: "
            "torch.save(model.state_dict(), FILE)"
        ) from None
    return _as_arrays(path, loaded, torch, "", depth=0, seen={})


def _numbers() -> list[Any]:
    """What a pickled NumPy number asks for, such as the best PSNR beside a state dict: of NumPy 1 by an older name."""
    rebuild = np.float64().__reduce__()[0]
    names = ("numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar")
    return [*((rebuild, name) for name in names), np.dtype, *(type(np.dtype(code)) for code in "?bBhHiIlLqQefdg")]


def _kernel_of(error: Exception) -> str:
    """What PyTorch's message says of the file; it goes on with advice, in part to load it unsafely."""
    message = str(error).partition("WeightsUnpickler error:")[2] or str(error)
    line = next((line.strip() for line in message.splitlines() if line.strip()), "nothing more is known")
    return f"{type(error).__name__}: {line.partition('. ')[0]}"


def _as_arrays(path: Path, value: Any, torch: ModuleType, name: str, *, depth: int, seen: dict[int, Any]) -> Any:
    """The value with arrays for tensors.

    Args:
      depth: how many dicts lie around it. A dict may lie in itself.
      seen: what became of the dicts so far, by their ids. A dict may lie in many others.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach()
        try:
            return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
        except (TypeError, RuntimeError) as error:  # sparse, quantised, of a type that NumPy does not have
            raise InputError(f"{path}: {name} is no plain tensor ({error}); save it as dense float32") from None
    if isinstance(value, Mapping):
        if depth > DEEPEST:
            raise InputError(f"{path} holds dicts within dicts, more than {DEEPEST} deep; save the state dict alone")
        if id(value) not in seen:
            seen[id(value)] = {
                key: _as_arrays(path, member, torch, f"{name}.{key}".lstrip("."), depth=depth + 1, seen=seen)
                for key, member in value.items()
            }
        return seen[id(value)]
    return value


def _parse_safetensors(path: Path, data: bytes) -> dict[str, np.ndarray]:
    try:
        entries = safetensors.deserialize(data)
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file, or is cut short ({error})") from None
    if unknown := {entry["dtype"] for _, entry in entries} - set(TYPES):
        raise InputError(f"{path} holds tensors of the type {', '.join(sorted(unknown))}; save them as F32")
    return {name: np.frombuffer(entry["data"], TYPES[entry["dtype"]]).reshape(entry["shape"]) for name, entry in entries}


def _parse_npz(path: Path, data: bytes) -> dict[str, Any]:
    if not data.startswith(b"PK"):
        raise InputError(f"{path} is no npz file: write it with np.savez")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if locked := [entry.filename for entry in archive.infolist() if entry.flag_bits & ENCRYPTED]:
                raise InputError(f"{path} is encrypted ({locked[0]}); write it with np.savez")
            members = {entry.filename.removesuffix(".npy"): archive.read(entry) for entry in archive.infolist()}
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes of zipfile and its decompressors
        raise InputError(f"{path} is no npz file, or is cut short or damaged ({type(error).__name__}: {error})") from None
    return {name: _parse_npy(path, name, member) for name, member in members.items()}


def _parse_npy(path: Path, name: str, data: bytes) -> Any:
    """One array of an .npz file; what is none is left as it is."""
    if not data.startswith(np.lib.format.MAGIC_PREFIX):
        return data
    try:
        with warnings.catch_warnings():  # about headers that Python 2 wrote
            warnings.simplefilter("ignore")
            shape, dtype, held = _npy_header(data)
            if dtype.hasobject:  # an array of Python objects is a pickle
                raise InputError(
                    f"{path} holds more than numbers ({name} is of Python objects). Nothing of it was run; "
                    "save plain arrays alone"
                )
            if (announced := math.prod(shape) * dtype.itemsize) > held:
                raise InputError(f"{path} is cut short or damaged: {name} {shape} takes {announced:,} bytes, but has {held:,}")
            return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged header makes of NumPy's reader
        raise InputError(f"{path} is damaged: {name} is no array ({type(error).__name__}: {error})") from None


def _npy_header(data: bytes) -> tuple[tuple[int, ...], np.dtype, int]:
    """The shape and the type that a .npy file announces, and how many bytes follow."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    return shape, dtype, len(data) - file.tell()


def _arrays(value: Any) -> dict[str, np.ndarray]:
    """The tensors that lie in a dict directly."""
    if not isinstance(value, Mapping):
        return {}
    return {name: member for name, member in value.items() if isinstance(name, str) and isinstance(member, np.ndarray)}
