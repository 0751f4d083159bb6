"""EDSR: Lim, Son, Kim, Nah, Lee, "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR workshops 2017.

Structure, with B residual blocks of F channels, on RGB in 0..255 minus the mean of DIV2K:

    x0 = Conv(3, F, 3);  x_i = x_{i-1} + res_scale (Conv(3, F, F) - ReLU - Conv(3, F, F))
    y = x0 + Conv(3, F, F)(x_B)
    for each sub-pixel step r:  Conv(3, r^2 F, F) - depth to space by r
    SR = Conv(3, 3, F) + mean

There is no batch normalisation, and no activation outside the blocks.

| | B | F | res_scale | parameters x2 / x3 / x4 | published |
|---|---|---|---|---|---|
| EDSR-baseline | 16 | 64 | 1 | 1,369,859 / 1,554,499 / 1,517,571 | 1370K / 1555K / 1518K |
| EDSR | 32 | 256 | 0.1 | 40,729,603 / 43,680,003 / 43,089,923 | 40.7M / 43.7M / 43.1M |

With `channels=1` the network works on the Y channel, without a mean. With `image_skip` its output is added to LR, enlarged
bicubically, and starts small. The paper has neither option.
"""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import PYTORCH_UNIFORM, SUB_PIXEL_STEPS, SubPixel
from sr_jax.models.about import About
from sr_jax.ops.color import DIV2K_MEAN
from sr_jax.ops.interpolate import enlarge


class EDSR(nnx.Module):
    """EDSR (Lim et al. 2017): maps LR images (b, h, w, channels) to SR images (b, scale h, scale w, channels).

    Values are in [0, 1]. Borders are padded with zeros. Kernels start as in the authors' code, with PyTorch's uniform
    initialisation, but biases start at 0.

    Args:
      scale: the super-resolution factor.
      blocks, width, res_scale, channels, image_skip: as in `sr_jax.config.EDSRConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `EDSR.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import EDSRConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")
      >>> jax.eval_shape(lambda lr: make(EDSRConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 3)
    """

    about = About(
        name="EDSR",
        paper="Lim et al.: Enhanced Deep Residual Networks for Single Image Super-Resolution, CVPR workshops 2017",
        year=2017,
        upsampler="sub-pixel convolution",
        channels=3,
        scales=(2, 3, 4),
        last="tail",
    )

    def __init__(
        self,
        *,
        scale: int,
        blocks: int,
        width: int,
        res_scale: float,
        channels: int,
        image_skip: bool,
        rngs: nnx.Rngs,
    ):
        self.about.check_scale(scale)
        self.about = self.about._replace(channels=channels)
        self.scale, self.image_skip = scale, image_skip
        self.head = _conv(channels, width, rngs)
        self.body = nnx.List([Block(width, res_scale, rngs=rngs) for _ in range(blocks)])
        self.body_end = _conv(width, width, rngs)
        self.upsampling = nnx.List(
            [SubPixel(width, width, scale=r, kernel_init=PYTORCH_UNIFORM, rngs=rngs) for r in SUB_PIXEL_STEPS[scale]]
        )
        self.tail = _conv(width, channels, rngs)
        if image_skip:
            self.tail.kernel[...] *= 0.01

    def __call__(self, lr: Float[Array, "b h w c"]) -> Float[Array, "b h_out w_out c"]:
        mean = jnp.asarray(DIV2K_MEAN if self.about.channels == 3 else (0.0,), lr.dtype)
        x = features = self.head(255 * (lr - jnp.broadcast_to(mean, lr.shape)))
        for block in self.body:
            x = block(x)
        x = features + self.body_end(x)
        for step in self.upsampling:
            x = step(x)
        sr = self.tail(x) / 255
        if self.image_skip:
            return enlarge(lr, scale=self.scale, method="bicubic", boundary="replicate") + sr
        return sr + jnp.broadcast_to(mean, sr.shape)


class Block(nnx.Module):
    """x + res_scale (Conv - ReLU - Conv)."""

    def __init__(self, width: int, res_scale: float, *, rngs: nnx.Rngs):
        self.conv1 = _conv(width, width, rngs)
        self.conv2 = _conv(width, width, rngs)
        self.res_scale = res_scale

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return x + self.res_scale * self.conv2(nnx.relu(self.conv1(x)))


def _conv(in_channels: int, out_channels: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (3, 3), kernel_init=PYTORCH_UNIFORM, rngs=rngs)
