"""CARN: Ahn, Kang, Sohn, "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network", ECCV 2018.

Structure, with n channels, ReLU after every convolution but the first and the last, on RGB less the mean of DIV2K. A cascade of
three units U_1, U_2, U_3 sees at each of its fusions, 1x1 convolutions, all that came before:

    o_0 = x,  c_0 = x;  c_i = [c_{i-1}, U_i(o_{i-1})],  o_i = Conv(1, n, (i + 1) n)(c_i);  cascade(x) = o_3

    block:    the cascade of three residual units ReLU(x + Conv(3, n, n) - ReLU - Conv(3, n, n))
    network:  Conv(3, n, 3) - the cascade of three blocks - for each sub-pixel step r: Conv(3, r^2 n, n), depth to space by r
              - Conv(3, 3, n), + mean

CARN (n=64) is published with 1,592K parameters at every scale: it is one network with an upsampler for each of x2, x3, x4, and
1,591,939 counts the three. A network of one scale, as here, has 816,451 parameters and those of its upsampler, which makes
964,163 / 1,148,803 / 1,111,875 at x2 / x3 / x4.
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import PYTORCH_UNIFORM, SUB_PIXEL_STEPS, SubPixel
from sr_jax.models.about import About
from sr_jax.ops.color import DIV2K_MEAN

UNITS = 3  # of a cascade


class CARN(nnx.Module):
    """Maps an RGB LR image to the HR image; values in [0, 1], borders padded with zeros.

    Initialisation: PyTorch's uniform one, as in the authors' code, but with biases of 0.

    Raises:
      InputError: if `scale` is not one of `CARN.about.scales`.
    """

    about = About(
        name="CARN",
        paper="Ahn, Kang, Sohn: Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network, ECCV 2018",
        year=2018,
        upsampler="sub-pixel convolution",
        channels=3,
        scales=(2, 3, 4),
        last="exit",
    )

    def __init__(self, *, scale: int, width: int = 64, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.entry = _conv(3, width, 3, rngs)
        self.cascade = Cascade(width, lambda: Cascade(width, lambda: Residual(width, rngs=rngs), rngs=rngs), rngs=rngs)
        self.upsampling = nnx.List(
            [SubPixel(width, width, scale=r, kernel_init=PYTORCH_UNIFORM, rngs=rngs) for r in SUB_PIXEL_STEPS[scale]]
        )
        self.exit = _conv(width, 3, 3, rngs)

    def __call__(self, lr: Float[Array, "b h w 3"]) -> Float[Array, "b h_out w_out 3"]:
        mean = jnp.asarray(DIV2K_MEAN, lr.dtype)
        x = self.cascade(self.entry(lr - jnp.broadcast_to(mean, lr.shape)))
        for step in self.upsampling:
            x = nnx.relu(step(x))
        sr = self.exit(x)
        return sr + jnp.broadcast_to(mean, sr.shape)


class Cascade(nnx.Module):
    """Units one after the other, with all that came before fused between them."""

    def __init__(self, width: int, unit: Callable[[], nnx.Module], *, rngs: nnx.Rngs):
        self.units = nnx.List([unit() for _ in range(UNITS)])
        self.fusions = nnx.List([_conv((i + 2) * width, width, 1, rngs) for i in range(UNITS)])

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        seen = x
        for unit, fusion in zip(self.units, self.fusions, strict=True):
            seen = jnp.concatenate([seen, unit(x)], -1)
            x = nnx.relu(fusion(seen))
        return x


class Residual(nnx.Module):
    """ReLU(x + Conv - ReLU - Conv)."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv1 = _conv(width, width, 3, rngs)
        self.conv2 = _conv(width, width, 3, rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return nnx.relu(x + self.conv2(nnx.relu(self.conv1(x))))


def _conv(in_channels: int, out_channels: int, kernel_size: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (kernel_size, kernel_size), kernel_init=PYTORCH_UNIFORM, rngs=rngs)
