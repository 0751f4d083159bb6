"""SRResNet without batch normalisation: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative
Adversarial Network", CVPR 2017, in the form that later papers compare with, also called MSRResNet.

Structure, with B blocks of n channels, on RGB. LeakyReLU(0.1) follows the convolutions outside the blocks except the last, and
ReLU is inside the blocks:

    x0 = Conv(3, n, 3);  x_i = x_{i-1} + Conv(3, n, n) - ReLU - Conv(3, n, n)
    for each sub-pixel step r:  Conv(3, r^2 n, n) - depth to space by r
    SR = Conv(3, 3, n) - Conv(3, n, n) + bilinear(LR)

Batch normalisation was dropped because Lim et al. (EDSR, 2017) found that it restricts the range of the features and takes 40 %
of the memory, and that networks are better without it. Nothing here depends on the batch, and parameters are the only state.

Other differences from the paper: LeakyReLU instead of PReLU; no skip over all blocks, but the bilinearly enlarged image is
added at the end; 3x3 instead of 9x9 kernels at both ends; one more convolution on the HR grid.

SRResNet (B = 16, n = 64) has 1,369,859 / 1,554,499 / 1,517,571 parameters at x2 / x3 / x4. At x4 this is the number of public
implementations; the paper prints none.
"""

import jax
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import SUB_PIXEL_STEPS, SubPixel
from sr_jax.models.about import About
from sr_jax.ops.interpolate import enlarge

SLOPE = 0.1  # of the LeakyReLUs
SMALL_HE_NORMAL = jax.nn.initializers.variance_scaling(2 * 0.1**2, "fan_in", "normal")


class SRResNet(nnx.Module):
    """SRResNet (Ledig et al. 2017): maps RGB LR images (b, h, w, 3) to SR images (b, scale h, scale w, 3), values in [0, 1].

    Borders are padded with zeros. Kernels start at a tenth of He's initialisation (Wang et al., ESRGAN, 2018), so that the
    network starts almost as bilinear interpolation.

    Args:
      scale: the super-resolution factor.
      blocks, width: as in `sr_jax.config.SRResNetConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `SRResNet.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import SRResNetConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")
      >>> jax.eval_shape(lambda lr: make(SRResNetConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 3)
    """

    about = About(
        name="SRResNet",
        paper="Ledig et al.: Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network, CVPR 2017",
        year=2017,
        upsampler="sub-pixel convolution",
        channels=3,
        scales=(2, 3, 4),
        last="last",
    )

    def __init__(self, *, scale: int, blocks: int, width: int, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.first = _conv(3, width, rngs)
        self.body = nnx.List([Block(width, rngs=rngs) for _ in range(blocks)])
        self.upsampling = nnx.List(
            [SubPixel(width, width, scale=r, kernel_init=SMALL_HE_NORMAL, rngs=rngs) for r in SUB_PIXEL_STEPS[scale]]
        )
        self.hr = _conv(width, width, rngs)
        self.last = _conv(width, 3, rngs)
        self.scale = scale

    def __call__(self, lr: Float[Array, "b h w 3"]) -> Float[Array, "b h_out w_out 3"]:
        x = _activation(self.first(lr))
        for block in self.body:
            x = block(x)
        for step in self.upsampling:
            x = _activation(step(x))
        x = self.last(_activation(self.hr(x)))
        return x + enlarge(lr, scale=self.scale, method="bilinear", boundary="replicate")


class Block(nnx.Module):
    """x + Conv - ReLU - Conv."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv1 = _conv(width, width, rngs)
        self.conv2 = _conv(width, width, rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return x + self.conv2(nnx.relu(self.conv1(x)))


def _activation(x: Array) -> Array:
    return nnx.leaky_relu(x, SLOPE)


def _conv(in_channels: int, out_channels: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (3, 3), kernel_init=SMALL_HE_NORMAL, rngs=rngs)
