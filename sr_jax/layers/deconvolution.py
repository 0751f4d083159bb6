"""Transposed convolution and its two rivals, sub-pixel convolution and resize-convolution."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers.initializers import HE_NORMAL, Initializer, icnr
from sr_jax.ops.conv import Pair, conv_transpose2d
from sr_jax.ops.interpolate import METHODS, enlarge
from sr_jax.ops.subpixel import depth_to_space

SUB_PIXEL_STEPS = {2: (2,), 3: (3,), 4: (2, 2)}
"""The scales of the sub-pixel convolutions that take deep networks to a scale; x4 takes two steps."""


class Deconvolution(nnx.Module):
    """A learned transposed convolution with a bias: PyTorch's `ConvTranspose2d` on NHWC features.

    Height and width become `(n - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1`. Each of these
    options is an integer or a pair (vertical, horizontal). Features may have any values.

    If stride does not divide kernel_size, neighbouring outputs are sums of unequal numbers of taps, which shows as a
    checkerboard (Odena et al., "Deconvolution and Checkerboard Artifacts", 2016). `sr_jax.metrics.checkerboard` measures it.

    Parameters: `kernel`, of shape (kh, kw, in_channels, out_channels / groups), and `bias`, of shape (out_channels,).

    Raises:
      ValueError: if `groups` does not divide both numbers of channels; when called, as `sr_jax.ops.conv_transpose2d` does.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from sr_jax.layers import Deconvolution
      >>> layer = Deconvolution(3, 8, 4, 2, 1, rngs=nnx.Rngs(0))  # kernel 4, stride 2, padding 1
      >>> layer(jnp.ones((1, 5, 6, 3))).shape
      (1, 10, 12, 8)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        output_padding: int | Pair = 0,
        *,
        dilation: int | Pair = 1,
        groups: int = 1,
        use_bias: bool = True,
        kernel_init: Initializer = HE_NORMAL,
        rngs: nnx.Rngs,
    ):
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        kh, kw = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.kernel = nnx.Param(kernel_init(rngs.params(), (kh, kw, in_channels, out_channels // groups), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((out_channels,))) if use_bias else None
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.dilation, self.groups = dilation, groups

    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h_out w_out o"]:
        out = conv_transpose2d(
            x,
            self.kernel[...],
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return out if self.bias is None else out + jnp.broadcast_to(self.bias[...], out.shape)


class SubPixel(nnx.Module):
    """A convolution to scale^2 times the output channels, then a depth-to-space (Shi et al. 2016, arXiv 1609.05158).

    It can compute the same functions as a transposed convolution of stride `scale` and kernel size `scale * kernel_size`;
    `sr_jax.ops.subpixel_from_transposed` and `sr_jax.ops.transposed_from_subpixel` convert the weights. Features may have any
    values.

    Parameters: those of the convolution, `conv.kernel` and `conv.bias`.

    Raises:
      ValueError: if `groups` does not divide both numbers of channels; as the initializer does.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from sr_jax.layers import SubPixel
      >>> SubPixel(8, 3, scale=2, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 6, 8))).shape
      (1, 10, 12, 3)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        scale: int,
        groups: int = 1,
        kernel_init: Initializer | None = None,
        rngs: nnx.Rngs,
    ):
        """`kernel_init` draws the kernel, whose output channels are in the order of `depth_to_space`; the default is `icnr`.

        With `groups`, each group of input channels makes a group of output channels. The convolution's output channels are then
        in the order of `depth_to_space` within each group.
        """
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        self.conv = nnx.Conv(
            in_channels,
            out_channels * scale**2,
            (kernel_size, kernel_size),
            feature_group_count=groups,
            kernel_init=kernel_init or icnr(scale),
            rngs=rngs,
        )
        self.scale, self.groups = scale, groups

    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b sh sw o"]:
        x = self.conv(x)
        if self.groups > 1:
            phases = x.reshape(*x.shape[:3], self.groups, self.scale**2, -1)
            x = phases.swapaxes(3, 4).reshape(x.shape)
        return depth_to_space(x, self.scale)


class ResizeConv(nnx.Module):
    """Enlargement by interpolation, then a convolution on the HR grid, which leaves no checkerboard (Odena et al. 2016).

    Features may have any values. `method` is one of `sr_jax.ops.interpolate.METHODS`: nearest, bilinear or bicubic.

    Parameters: those of the convolution, `conv.kernel` and `conv.bias`.

    Raises:
      ValueError: if the method is unknown.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from sr_jax.layers import ResizeConv
      >>> ResizeConv(8, 3, scale=2, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 6, 8))).shape
      (1, 10, 12, 3)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        scale: int,
        method: str = "nearest",
        rngs: nnx.Rngs,
    ):
        if method not in METHODS:
            raise ValueError(f"method={method!r} is not one of {', '.join(METHODS)}")
        self.conv = nnx.Conv(in_channels, out_channels, (kernel_size, kernel_size), kernel_init=HE_NORMAL, rngs=rngs)
        self.scale, self.method = scale, method

    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b sh sw o"]:
        return self.conv(enlarge(x, scale=self.scale, method=self.method, boundary="replicate"))
