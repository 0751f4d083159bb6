"""Initial values of kernels, which are (kh, kw, in, out)."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Initializer = Callable[..., Array]

HE_NORMAL: Initializer = jax.nn.initializers.he_normal()
"""N(0, 2 / (kh kw in)) (He et al. 2015)."""

PYTORCH_UNIFORM: Initializer = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""U(-b, b), b = (kh kw in)^-1/2: the kernels of PyTorch's convolutions, unless a network says otherwise."""
LECUN_NORMAL: Initializer = jax.nn.initializers.lecun_normal()
"""N(0, 1 / (kh kw in)), its tails cut off (LeCun et al. 1998)."""


def identity(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:  # noqa: ARG001
    """Every channel becomes itself: 1 at the middle tap from channel to channel, of a kernel of odd size with in = out."""
    kh, kw, i, o = shape
    return jnp.zeros(shape, dtype).at[kh // 2, kw // 2].set(jnp.eye(i, o, dtype=dtype))


def bilinear_taps(kernel_size: int, *, stride: int, padding: int) -> Float[np.ndarray, " k"]:
    """The taps with which a transposed convolution interpolates bilinearly, with half-pixel centres, along one axis."""
    # Tap t of input i lands on output stride * i + t - padding, whose centre lies this far from the input's [input pixels].
    offset = (np.arange(kernel_size) - padding + 0.5) / stride - 0.5
    return np.maximum(0, 1 - np.abs(offset))


def bilinear(*, stride: int, padding: int) -> Initializer:
    """Bilinear interpolation of each channel by itself, as in LapSRN: in = out, or a depthwise kernel, with out = 1.

    Raises (the initializer does):
      ValueError: if the kernel cannot hold all taps of the interpolation, or in and out differ.
    """

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:  # noqa: ARG001
        kh, kw, i, o = shape
        if o not in (1, i):
            raise ValueError(f"bilinear interpolation keeps channels apart: {i} channels cannot become {o}")
        taps = [bilinear_taps(k, stride=stride, padding=padding) for k in (kh, kw)]
        if not all(np.allclose([t[r::stride].sum() for r in range(stride)], 1) for t in taps):
            raise ValueError(
                f"a {kh}x{kw} kernel with padding={padding} does not hold all taps of an interpolation by {stride}: use a size "
                f"of {2 * stride} with padding={stride // 2}"
            )
        kernel = np.outer(*taps)[:, :, None, None]
        channels = np.ones((i, 1)) if o == 1 else np.eye(i)
        return jnp.asarray(kernel * channels, dtype)

    return init


def icnr(scale: int, *, base: Initializer = HE_NORMAL) -> Initializer:
    """For a convolution before `depth_to_space`: all scale^2 phases of a channel start with the same kernel, drawn by `base`.

    The layer then starts as that convolution followed by nearest-neighbour enlargement, free of a checkerboard (Aitken et al.
    2017, arXiv 1707.02937).
    """

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        if shape[-1] % scale**2:
            raise ValueError(f"{shape[-1]} output channels are not a multiple of scale^2 = {scale**2}")
        kernel = base(key, (*shape[:-1], shape[-1] // scale**2), dtype)
        return jnp.tile(kernel, scale**2)

    return init
