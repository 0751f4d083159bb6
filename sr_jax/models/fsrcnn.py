"""FSRCNN: Dong, Loy, Tang, "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016.

Structure of FSRCNN(d, s, m), on the Y channel, with PReLU after every convolution:

    Conv(5, d, 1) - Conv(1, s, d) - m x Conv(3, s, s) - Conv(1, d, s) - DeConv(9, 1, d)

FSRCNN(56, 12, 4) has 12,464 weights, as published, 173 biases, and 172 slopes: one for each channel of each PReLU. The middle
of the deconvolution's kernel lies on the first HR pixel of each cell, as in the public weights, not in the middle of the cell.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import Deconvolution, PReLU
from sr_jax.layers.initializers import bilinear_taps
from sr_jax.models.about import About

KERNEL_SIZE = 9  # of the deconvolution
SLOPE = 0.25  # initial slope of the PReLUs


class FSRCNN(nnx.Module):
    """FSRCNN (Dong et al. 2016): maps the Y channel of LR images (b, h, w, 1) to SR (b, scale h, scale w, 1), values in [0, 1].

    Borders are padded with zeros. Kernels start as in the paper, with He's initialisation for PReLU and N(0, 0.001^2) for the
    deconvolution, except on channel 0. That channel starts as an identity from the input to the deconvolution, whose kernel for
    it is bilinear. The network therefore starts as bilinear interpolation, and learns in minutes what takes hours from the
    paper's random start.

    Args:
      scale: the super-resolution factor.
      d, s, m: as in `sr_jax.config.FSRCNNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `FSRCNN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import FSRCNNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
      >>> jax.eval_shape(lambda lr: make(FSRCNNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 1)
    """

    about = About(
        name="FSRCNN",
        paper="Dong, Loy, Tang: Accelerating the Super-Resolution Convolutional Neural Network, ECCV 2016",
        year=2016,
        upsampler="transposed convolution 9x9",
        channels=1,
        scales=(2, 3, 4),
        last="deconvolution",
    )

    def __init__(self, *, scale: int, d: int, s: int, m: int, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.feature_extraction = _conv(1, d, 5, rngs)
        self.feature_activation = PReLU(d, slope=SLOPE)
        self.shrinking = _conv(d, s, 1, rngs)
        self.shrinking_activation = PReLU(s, slope=SLOPE)
        self.mapping = nnx.List([_conv(s, s, 3, rngs) for _ in range(m)])
        self.mapping_activations = nnx.List([PReLU(s, slope=SLOPE) for _ in range(m)])
        self.expanding = _conv(s, d, 1, rngs)
        self.expanding_activation = PReLU(d, slope=SLOPE)
        padding, init = KERNEL_SIZE // 2, _deconvolution_init(scale, KERNEL_SIZE // 2)
        self.deconvolution = Deconvolution(d, 1, KERNEL_SIZE, scale, padding, scale - 1, kernel_init=init, rngs=rngs)

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        x = self.feature_activation(self.feature_extraction(lr))
        x = self.shrinking_activation(self.shrinking(x))
        for conv, activation in zip(self.mapping, self.mapping_activations, strict=True):
            x = activation(conv(x))
        x = self.expanding_activation(self.expanding(x))
        return self.deconvolution(x)


def _conv(in_channels: int, out_channels: int, kernel_size: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (kernel_size, kernel_size), kernel_init=_conv_init, rngs=rngs)


def _conv_init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """N(0, 2 / ((1 + slope^2) fan_in)) (He et al. 2015, equation 15), except that channel 0 copies channel 0."""
    variance = jax.nn.initializers.variance_scaling(2 / (1 + SLOPE**2), "fan_in", "normal")
    centre = shape[0] // 2
    return variance(key, shape, dtype).at[..., 0].set(0).at[centre, centre, 0, 0].set(1)


def _deconvolution_init(scale: int, padding: int) -> Callable[..., Array]:
    """N(0, 0.001^2), except that the kernel from channel 0 interpolates bilinearly with half-pixel centres.

    At x4 one tap of that interpolation, an eighth, lies beyond the nine; its phase copies the nearest pixel instead.
    """
    bilinear = bilinear_taps(KERNEL_SIZE, stride=scale, padding=padding)
    bilinear /= [bilinear[tap % scale :: scale].sum() for tap in range(KERNEL_SIZE)]

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        kernel = 0.001 * jax.random.normal(key, shape, dtype)
        return kernel.at[:, :, 0, 0].set(np.outer(bilinear, bilinear))

    return init
