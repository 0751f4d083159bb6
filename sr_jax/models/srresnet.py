"""SRResNet without batch normalisation: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative
Adversarial Network", CVPR 2017, in the form that later work compares with, known as MSRResNet.

Structure, with B blocks of n channels on RGB, LeakyReLU(0.1) between the convolutions but ReLU within the blocks:

    x0 = Conv(3, n, 3);  x_i = x_{i-1} + Conv(3, n, n) - ReLU - Conv(3, n, n)
    for each sub-pixel step r:  Conv(3, r^2 n, n) - depth to space by r
    SR = Conv(3, 3, n) - Conv(3, n, n) + bilinear(LR)

Why no batch normalisation: Lim et al. (EDSR, 2017) found that it takes the range of the features away, and 40% of the
memory, and that networks are better without. So nothing here depends on the batch, and there is no state beside the parameters.

Beside that, it differs from the paper: LeakyReLU in place of PReLU; no skip over all blocks, but the bilinearly enlarged image
is added at the end; 3x3 kernels in place of 9x9 at both ends; one more convolution on the HR grid.

SRResNet (B=16, n=64) has 1,517,571 parameters at x4, as in public implementations (the paper prints none), and 1,369,859 at
x2 and 1,554,499 at x3.
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
    """Maps an RGB LR image to the HR image; values in [0, 1], borders padded with zeros.

    Initialisation: a tenth of He's (Wang et al., ESRGAN, 2018), so that it starts as bilinear interpolation, nearly.

    Raises:
      InputError: if `scale` is not one of `SRResNet.about.scales`.
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

    def __init__(self, *, scale: int, blocks: int = 16, width: int = 64, rngs: nnx.Rngs):
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
