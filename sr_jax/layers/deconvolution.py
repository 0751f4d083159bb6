"""The transposed-convolution layer."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.ops.conv import conv_transpose2d

HE_NORMAL = jax.nn.initializers.he_normal()


class Deconvolution(nnx.Module):
    """A learned transposed convolution with a bias, with PyTorch's meaning of stride and padding, on NHWC.

    Height and width become `(n - 1) * stride - 2 * padding + kernel_size + output_padding`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        output_padding: int = 0,
        *,
        kernel_init: Callable[..., Array] = HE_NORMAL,
        rngs: nnx.Rngs,
    ):
        shape = (kernel_size, kernel_size, in_channels, out_channels)
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros((out_channels,)))
        self.stride, self.padding, self.output_padding = stride, padding, output_padding

    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h_out w_out o"]:
        out = conv_transpose2d(
            x, self.kernel[...], stride=self.stride, padding=self.padding, output_padding=self.output_padding
        )
        return out + jnp.broadcast_to(self.bias[...], out.shape)
