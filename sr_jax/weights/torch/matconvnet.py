"""Reads the parameters of MatConvNet's networks from MATLAB files.

`net.params` of a DagNN is a struct array with the fields `name` and `value`. MATLAB's arrays lack trailing axes of length 1.

Source: `DagNN.saveobj` of MatConvNet.
"""

from pathlib import Path

import numpy as np

from sr_jax.errors import InputError
from sr_jax.system.mat_files import read_mat_structs
from sr_jax.weights.torch.pickles import shown

HDF5 = b"\x89HDF\r\n\x1a\n"
VERSION_7_3 = b"MATLAB 7.3"
"""How a MATLAB file of version 7.3 begins; it is an HDF5 file."""


def read_matconvnet(path: Path, data: bytes, *, most: int) -> dict[str, np.ndarray]:
    """Reads the parameters of a network by name. They are single in MatConvNet, so that integers become float32.

    Args:
      path: the file's name, for error messages.
      most: bytes that the file may unpack to, and that the parameters may have.

    Raises:
      InputError: if the file is damaged, of another version or larger than `most`, or holds no network.
    """
    if data.startswith((HDF5, VERSION_7_3)):
        raise InputError(f"{path} is a MATLAB file of version 7.3, which is HDF5; save it with -v7")
    try:
        variables = read_mat_structs(data, most=most)
    except ValueError as error:
        raise InputError(f"{path} cannot be read: {shown(str(error))}") from None
    match variables:
        case {"net": [{"params": [_, *_] as entries}]}:
            pass
        case _:
            raise InputError(
                f"{path} holds no network of MatConvNet's DagNN: there is no net.params; it has {_names(variables)}"
            )
    params: dict[str, np.ndarray] = {}
    size = 0
    for entry in entries:
        match entry:
            case {"name": str(name), "value": np.ndarray() as value} if value.dtype != object:
                if name in params:
                    raise InputError(f"{path} has two parameters called {shown(name)}")
                size += 4 * value.size
                if size > most:
                    raise InputError(f"{path} has parameters of more than {most:,} bytes in float32")
                params[name] = value if value.dtype.kind == "f" else value.astype(np.float32)
            case _:
                raise InputError(f"{path} is damaged: an entry of net.params lacks a name or a value")
    return params


def _names(variables: dict[str, object]) -> str:
    return ", ".join(shown(name) for name in list(variables)[:5]) or "nothing"
