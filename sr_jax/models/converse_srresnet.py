"""Converse-SRResNet: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025.

An SRResNet whose convolutions and pixel shuffle are replaced by reverse convolutions (`sr_jax.layers.Converse2D`). Structure,
on RGB, with c channels, Converse blocks B and 1x1 convolutions PW(i, o):

    PW(3, c) - GELU - n x B - log2(s) x [B - Converse(2x2, x2) - GELU] - B - GELU - PW(c, 3), + bilinear enlargement of LR

    B:  x + PW(2c, c) GELU Converse(5x5) GELU PW(c, 2c) LayerNorm(x), then x + PW(2c, c) GELU PW(c, 2c) LayerNorm(x)

The published network has n = 16 blocks, c = 64 channels and s = 4. At s = 2 there is one upsampling stage instead of two. At
s = 4 it has 699,072 parameters, as the published weights do. The authors' table says 694,208, which leaves out its LayerNorms,
19 x 256.
"""

import jax
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import PYTORCH_UNIFORM, Converse2D
from sr_jax.models.about import About
from sr_jax.ops.interpolate import enlarge


class ConverseSRResNet(nnx.Module):
    """Converse-SRResNet (Huang et al. 2025): maps RGB LR images (b, h, w, 3) to SR images (b, scale h, scale w, 3).

    Values are in [0, 1]. Borders are replicated. Kernels start as in the published code, with U(+-1 / sqrt(fan_in)) for the
    1x1 convolutions, but biases start at 0. The 2x2 reverse convolutions start close to nearest-neighbour enlargement.

    Args:
      scale: the super-resolution factor.
      blocks, width: as in `sr_jax.config.ConverseSRResNetConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `ConverseSRResNet.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import ConverseSRResNetConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")
      >>> small = ConverseSRResNetConfig(blocks=2)
      >>> jax.eval_shape(lambda lr: make(small, scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 3)
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
    """B: mixes pixels by a reverse convolution of 2c channels, then mixes channels; both are residuals."""

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
