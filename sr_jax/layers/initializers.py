"""Initial values of kernels of shape (kh, kw, in, out)."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Initializer = Callable[..., Array]
"""A function `(key, shape, dtype) -> values`, as in `jax.nn.initializers`."""

HE_NORMAL: Initializer = jax.nn.initializers.he_normal()
"""N(0, 2 / (kh kw in)) (He et al. 2015, arXiv 1502.01852)."""

PYTORCH_UNIFORM: Initializer = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""U(-b, b) with b = (kh kw in)^-1/2, the default of PyTorch's convolutions."""

LECUN_NORMAL: Initializer = jax.nn.initializers.lecun_normal()
"""N(0, 1 / (kh kw in)) with its tails cut off (LeCun et al. 1998)."""


def identity(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:  # noqa: ARG001
    """The kernel that returns its input: 1 at the middle tap from each channel to itself, 0 elsewhere.

    `shape` is (kh, kw, in, out) with odd kh and kw, and in = out.

    Example:
      >>> import jax
      >>> from sr_jax.layers import identity
      >>> print(identity(jax.random.key(0), (1, 3, 1, 1)).ravel())
      [0. 1. 0.]
    """
    kh, kw, i, o = shape
    return jnp.zeros(shape, dtype).at[kh // 2, kw // 2].set(jnp.eye(i, o, dtype=dtype))


def bilinear_taps(kernel_size: int, *, stride: int, padding: int) -> Float[np.ndarray, " k"]:
    """The taps along one axis of a transposed convolution that interpolates bilinearly with half-pixel centres."""
    # Tap t of input i lands on output stride * i + t - padding; this is the distance of their centres [input pixels].
    offset = (np.arange(kernel_size) - padding + 0.5) / stride - 0.5
    return np.maximum(0, 1 - np.abs(offset))


def bilinear(*, stride: int, padding: int) -> Initializer:
    """Starts a transposed convolution as bilinear interpolation of each channel by itself, as in LapSRN (Lai et al. 2017).

    The kernel has in = out, or out = 1 if the convolution is depthwise.

    Args:
      stride: the stride of the transposed convolution.
      padding: its padding.

    Raises:
      ValueError: when the initializer is called, if the kernel cannot hold all taps of the interpolation, or in and out differ.

    Example:
      >>> import jax
      >>> from sr_jax.layers import bilinear
      >>> print(bilinear(stride=2, padding=1)(jax.random.key(0), (4, 4, 1, 1))[..., 0, 0])
      [[0.0625 0.1875 0.1875 0.0625]
       [0.1875 0.5625 0.5625 0.1875]
       [0.1875 0.5625 0.5625 0.1875]
       [0.0625 0.1875 0.1875 0.0625]]
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
    """Starts a convolution before `depth_to_space` with the same kernel for all scale^2 phases of an output channel.

    The layer then starts as a convolution followed by nearest-neighbour enlargement, without a checkerboard (Aitken et al.,
    2017, arXiv 1707.02937).

    Args:
      scale: the factor of the depth-to-space.
      base: draws the kernel that the phases share.

    Raises:
      ValueError: when the initializer is called, if the number of output channels is not a multiple of scale^2.

    Example:
      >>> import jax
      >>> from sr_jax.layers import icnr
      >>> kernel = icnr(2)(jax.random.key(0), (3, 3, 8, 4))
      >>> bool((kernel == kernel[..., :1]).all())
      True
    """

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        if shape[-1] % scale**2:
            raise ValueError(f"{shape[-1]} output channels are not a multiple of scale^2 = {scale**2}")
        kernel = base(key, (*shape[:-1], shape[-1] // scale**2), dtype)
        return jnp.tile(kernel, scale**2)

    return init
