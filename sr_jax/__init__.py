"""Image super-resolution by deconvolution, in JAX.

Commands are run as `python -m sr_jax.COMMAND`, and `python -m sr_jax` lists them. As a library, `sr_jax.ops` has functions on
arrays, `sr_jax.layers` modules with parameters, `sr_jax.models` the networks, and `sr_jax.metrics` PSNR and SSIM. `sr_jax.load`
returns a trained network that enlarges images.
"""

import os
import time
from typing import TYPE_CHECKING, Literal

from sr_jax.system.interruption import end_quietly_while_importing

if TYPE_CHECKING:
    from sr_jax.assembly.model import Model

__version__ = "0.1.0"

STARTED = time.monotonic()
"""When the package was imported [s]. A command measures its running time from here."""

end_quietly_while_importing()


def load(
    model: str | os.PathLike[str],
    *,
    checkpoint: Literal["latest", "best"] = "latest",
    kernel: str | None = None,
    noise: float | None = None,
) -> "Model":
    """Loads a trained network, with the moving average of its parameters.

    Args:
      model: the work directory of a training run, a weights file (.safetensors) with its card beside it, a name of the zoo
        such as `fsrcnn-x2`, or a repository of the Hugging Face Hub, `hf://USER/REPOSITORY@REVISION` (extra `hub`). A path that
        exists counts before a name.
      checkpoint: which one of a work directory, the last one or the one with the best score.
      kernel: for networks that are told the blur, `gaussian:SIGMA` [pixels of the result], `bicubic`, or a kernel file.
      noise: for networks that are told the noise, its standard deviation [grey levels of 255].

    Raises:
      InputError: if the model cannot be read, or lacks or does not take a kernel and a noise.

    Example:
      >>> import numpy as np, sr_jax
      >>> model = sr_jax.load("fsrcnn-x2")
      >>> model(np.zeros((24, 32, 3), np.uint8)).shape
      (48, 64, 3)
    """
    from sr_jax.assembly.model import load as load_model  # it imports JAX, which is slow

    return load_model(os.fspath(model), checkpoint=checkpoint, kernel=kernel, noise=noise)
