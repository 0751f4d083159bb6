"""IMDN: Hui, Gao, Yang, Wang, "Lightweight Image Super-Resolution with Information Multi-Distillation Network", ACM MM 2019.

Structure, with B blocks of n channels, on RGB, with LeakyReLU(0.05):

    x0 = Conv(3, n, 3);  x_i = IMDB(x_{i-1})
    SR = depth to space by s of Conv(3, 3 s^2, n)(x0 + Conv(3, n, n) - LeakyReLU - Conv(1, n, B n) of [x_1, ..., x_B])

    IMDB(x) = x + Conv(1, n, n)(CCA([d_1, d_2, d_3, Conv(3, n/4, 3n/4)(r_3)])), where three times a Conv(3, n, .) and LeakyReLU
              keep the first quarter of the channels (distilled, d) and pass on the rest (remaining, r)
    CCA(x)  = x sigmoid(Conv(1, n, n/16) - ReLU - Conv(1, n/16, n) of std(x) + mean(x)): contrast-aware channel attention

Standard deviation and mean of each channel are taken over the whole image. What the network makes of a pixel therefore depends
on all others, or on the tile if an image is processed in tiles.

IMDN (B = 6, n = 64) has 694,404 / 703,059 / 715,176 parameters at x2 / x3 / x4, as published (694K / 703K / 715K).
"""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import PYTORCH_UNIFORM, SubPixel
from sr_jax.models.about import About

SLOPE = 0.05  # of the LeakyReLUs
REDUCTION = 16  # of the channels in the attention
SMALLEST_VARIANCE = 1e-12
"""The square root has no gradient at 0, which is the variance of a constant channel."""


class IMDN(nnx.Module):
    """IMDN (Hui et al. 2019): maps RGB LR images (b, h, w, 3) to SR images (b, scale h, scale w, 3), values in [0, 1].

    Borders are padded with zeros. Kernels start as in the authors' code, with PyTorch's uniform initialisation, but biases
    start at 0.

    Args:
      scale: the super-resolution factor.
      blocks, width: as in `sr_jax.config.IMDNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `IMDN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import IMDNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")
      >>> jax.eval_shape(lambda lr: make(IMDNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 3)
    """

    about = About(
        name="IMDN",
        paper="Hui et al.: Lightweight Image Super-Resolution with Information Multi-Distillation Network, ACM MM 2019",
        year=2019,
        upsampler="sub-pixel convolution",
        channels=3,
        scales=(2, 3, 4),
        last="upsampler",
    )

    def __init__(self, *, scale: int, blocks: int, width: int, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.first = _conv(3, width, 3, rngs)
        self.blocks = nnx.List([Block(width, rngs=rngs) for _ in range(blocks)])
        self.fusion = _conv(blocks * width, width, 1, rngs)
        self.lr_conv = _conv(width, width, 3, rngs)
        self.upsampler = SubPixel(width, 3, scale=scale, kernel_init=PYTORCH_UNIFORM, rngs=rngs)

    def __call__(self, lr: Float[Array, "b h w 3"]) -> Float[Array, "b h_out w_out 3"]:
        x = features = self.first(lr)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        x = self.lr_conv(_activation(self.fusion(jnp.concatenate(outputs, -1))))
        return self.upsampler(features + x)


class Block(nnx.Module):
    """IMDB: information multi-distillation block."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.distilled = width // 4
        remaining = width - self.distilled
        self.convs = nnx.List([_conv(width if i == 0 else remaining, width, 3, rngs) for i in range(3)])
        self.last_conv = _conv(remaining, self.distilled, 3, rngs)
        self.attention = ContrastAttention(width, rngs=rngs)
        self.fusion = _conv(width, width, 1, rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        parts, remaining = [], x
        for conv in self.convs:
            distilled, remaining = jnp.split(_activation(conv(remaining)), [self.distilled], -1)
            parts.append(distilled)
        parts.append(self.last_conv(remaining))
        return x + self.fusion(self.attention(jnp.concatenate(parts, -1)))


class ContrastAttention(nnx.Module):
    """CCA: scales each channel by a factor that depends on the standard deviations and means of all channels."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs):
        self.squeeze = _conv(channels, channels // REDUCTION, 1, rngs)
        self.excite = _conv(channels // REDUCTION, channels, 1, rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        contrast = jnp.sqrt(jnp.maximum(variance, SMALLEST_VARIANCE))
        share = nnx.sigmoid(self.excite(nnx.relu(self.squeeze(contrast + mean))))
        return x * jnp.broadcast_to(share, x.shape)


def _activation(x: Array) -> Array:
    return nnx.leaky_relu(x, SLOPE)


def _conv(in_channels: int, out_channels: int, kernel_size: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (kernel_size, kernel_size), kernel_init=PYTORCH_UNIFORM, rngs=rngs)
