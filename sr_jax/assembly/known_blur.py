"""What a network is told about the blur and the noise of a user's pictures."""

import math
import re

import numpy as np

from sr_jax.data.degrade.kernel_files import load_kernels
from sr_jax.errors import InputError
from sr_jax.models import About, Known
from sr_jax.ops import bicubic_kernel
from sr_jax.ops.blur_kernels import gaussian

GREATEST_SIGMA = 12.0
"""Larger Gaussians do not fit into the kernels on which networks are trained."""


def known_blur(about: About, *, scale: int, kernel: str | None, noise: float | None) -> Known | None:
    """Returns the blur kernel and the noise as a network is told them, without the axis of the batch; None if it is not told.

    Args:
      kernel: `gaussian:SIGMA` [pixels of the result], `bicubic`, or a file of one kernel.
      noise: standard deviation [grey levels of 255].

    Raises:
      InputError: if a network that must be told lacks one of them, another one gets one, or the kernel cannot be used.
    """
    if not about.is_told:
        if kernel is None and noise is None:
            return None
        name = "--kernel" if kernel is not None else "--noise"
        raise InputError(f"{name}: {about.name} is not told the blur and the noise of pictures; leave the option out")
    if kernel is None or noise is None:
        raise InputError(
            f"{about.name} must be told the blur and the noise of the pictures: give --kernel (gaussian:1.6, bicubic or a "
            "file) and --noise (0 for pictures without noise)"
        )
    return Known(_kernel(kernel, scale).astype(np.float32), np.float32(noise / 255))  # pyright: ignore[reportArgumentType]


def _kernel(name: str, scale: int) -> np.ndarray:
    if name == "bicubic":
        return np.asarray(bicubic_kernel(scale))
    if match := re.fullmatch(r"gaussian:(\d+(?:\.\d*)?)", name):
        sigma = float(match[1])
        if not 0 < sigma <= GREATEST_SIGMA:
            raise InputError(f"--kernel {name}: give a standard deviation above 0, and at most {GREATEST_SIGMA:g}")
        size = 2 * math.ceil(4 * sigma + scale / 2) + 1
        return np.asarray(gaussian(size, sigma, shift=-(scale - 1) / 2))
    kernels = load_kernels(name)
    if len(kernels) > 1:
        raise InputError(f"--kernel {name}: holds {len(kernels)} kernels; give a file of one")
    return kernels[0]
