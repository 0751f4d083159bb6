"""Converse-SRResNet: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025.

SRResNet in which reverse convolutions (`sr_jax.layers.Converse2D`) take the place of convolutions and of the pixel shuffle. On
RGB, with c channels, B a Converse block, and PW(i, o) a 1x1 convolution:

    PW(3, c) - GELU - n x B - log2(s) x [B - Converse(2x2, x2) - GELU] - B - GELU - PW(c, 3), + bilinear enlargement of LR

    B:  x + PW(2c, c) GELU Converse(5x5) GELU PW(c, 2c) LayerNorm(x), then x + PW(2c, c) GELU PW(c, 2c) LayerNorm(x)

The published network has n = 16 blocks, c = 64 channels and s = 4; s = 2 is the same with one stage. At s = 4 it has 699,072
parameters, as the published weights do; the 694,208 of the authors' table leave out its LayerNorms, 19 x 256.
"""

import jax
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import PYTORCH_UNIFORM, Converse2D
from sr_jax.models.about import About
from sr_jax.ops.interpolate import enlarge


class ConverseSRResNet(nnx.Module):
    """Maps an RGB LR image to the HR image; values in [0, 1], borders replicated.

    Initialisation: that of the published code, U(+-1 / sqrt(fan_in)) for the 1x1 convolutions, but for their biases, which
    begin at zero. A Converse2D of 2x2 begins close to nearest-neighbour enlargement.

    Raises:
      InputError: if `scale` is not one of `ConverseSRResNet.about.scales`.
    """

    about = About(
        name="Converse-SRResNet",
        paper="Huang et al.: Reverse Convolution and Its Applications to Image Restoration, ICCV 2025",
        year=2025,
        upsampler="reverse convolution 2x2",
        channels=3,
        scales=(2, 4),
        last="tail",
    )

    def __init__(self, *, scale: int, blocks: int, width: int, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        stages = range(scale.bit_length() - 1)
        self.head = _pointwise(3, width, rngs)
        self.body = nnx.List([ConverseBlock(width, rngs=rngs) for _ in range(blocks)])
        self.up_blocks = nnx.List([ConverseBlock(width, rngs=rngs) for _ in stages])
        self.ups = nnx.List([Converse2D(width, 2, scale=2, boundary="replicate", eps=1e-3, rngs=rngs) for _ in stages])
        self.last_block = ConverseBlock(width, rngs=rngs)
        self.tail = _pointwise(width, 3, rngs, use_bias=False)
        self.scale = scale

    def __call__(self, lr: Float[Array, "b h w 3"]) -> Float[Array, "b h_out w_out 3"]:
        x = _gelu(self.head(lr))
        for block in self.body:
            x = block(x)
        for block, up in zip(self.up_blocks, self.ups, strict=True):
            x = _gelu(up(block(x)))
        x = self.tail(_gelu(self.last_block(x)))
        return x + enlarge(lr, scale=self.scale, method="bilinear", boundary="replicate")


class ConverseBlock(nnx.Module):
    """Mixes pixels by a reverse convolution of 2c channels, then channels; both as residuals."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.norm = _norm(width, rngs)
        self.widen = _pointwise(width, 2 * width, rngs)
        self.converse = Converse2D(2 * width, 5, padding=4, boundary="replicate", eps=1e-5, rngs=rngs)
        self.narrow = _pointwise(2 * width, width, rngs)
        self.mlp_norm = _norm(width, rngs)
        self.mlp_widen = _pointwise(width, 2 * width, rngs)
        self.mlp_narrow = _pointwise(2 * width, width, rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        x = x + self.narrow(_gelu(self.converse(_gelu(self.widen(self.norm(x))))))
        return x + self.mlp_narrow(_gelu(self.mlp_widen(self.mlp_norm(x))))


def _gelu(x: Array) -> Array:
    return jax.nn.gelu(x, approximate=False)


def _norm(width: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(width, epsilon=1e-5, use_fast_variance=False, rngs=rngs)


def _pointwise(in_channels: int, out_channels: int, rngs: nnx.Rngs, *, use_bias: bool = True) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (1, 1), use_bias=use_bias, kernel_init=PYTORCH_UNIFORM, rngs=rngs)
