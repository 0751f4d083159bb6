"""CARN: Ahn, Kang, Sohn, "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network", ECCV 2018.

Structure, with n channels, on RGB minus the mean of DIV2K. ReLU follows every convolution except the first and the last. In a
cascade of three units U_1, U_2, U_3, each 1x1 convolution fuses everything that came before it:

    o_0 = x,  c_0 = x;  c_i = [c_{i-1}, U_i(o_{i-1})],  o_i = Conv(1, n, (i + 1) n)(c_i);  cascade(x) = o_3

    block:    the cascade of three residual units ReLU(x + Conv(3, n, n) - ReLU - Conv(3, n, n))
    network:  Conv(3, n, 3) - the cascade of three blocks - for each sub-pixel step r: Conv(3, r^2 n, n), depth to space by r
              - Conv(3, 3, n), + mean

The efficient unit is ReLU(x + Conv(3, n, n) - ReLU - Conv(3, n, n) - ReLU - Conv(1, n, n)). In groups, the 3x3 convolutions of
units and upsamplers see only the channels of their group. CARN-M has efficient units, 4 groups, and one unit for all three
places of a block.

CARN (n = 64) is published with 1,592K parameters at every scale. That is one network with an upsampler for each of x2, x3 and
x4, and 1,591,939 counts all three. A network of one scale, as here, has 816,451 parameters plus those of its upsampler:
964,163 / 1,148,803 / 1,111,875 at x2 / x3 / x4. CARN-M is published with 412K, which are the 412,032 weights without biases of
the network of all scales. Here it has 257,027 / 303,427 / 294,147 parameters at x2 / x3 / x4.
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import PYTORCH_UNIFORM, SUB_PIXEL_STEPS, SubPixel
from sr_jax.models.about import About
from sr_jax.ops.color import DIV2K_MEAN

UNITS = 3  # in a cascade


class CARN(nnx.Module):
    """CARN (Ahn et al. 2018): maps RGB LR images (b, h, w, 3) to SR images (b, scale h, scale w, 3), values in [0, 1].

    Borders are padded with zeros. Kernels start as in the authors' code, with PyTorch's uniform initialisation, but biases
    start at 0.

    Args:
      scale: the super-resolution factor.
      width, unit, groups, shared: as in `sr_jax.config.CARNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `CARN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import CARNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")
      >>> jax.eval_shape(lambda lr: make(CARNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 3)
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

    def __init__(self, *, scale: int, width: int, unit: str, groups: int, shared: bool, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        make_unit = {"residual": Residual, "efficient": Efficient}[unit]
        count = 1 if shared else UNITS

        def block() -> nnx.Module:
            return Cascade(width, lambda: make_unit(width, groups=groups, rngs=rngs), count=count, rngs=rngs)

        self.entry = _conv(3, width, 3, rngs)
        self.cascade = Cascade(width, block, count=UNITS, rngs=rngs)
        self.upsampling = nnx.List(
            [
                SubPixel(width, width, scale=r, groups=groups, kernel_init=PYTORCH_UNIFORM, rngs=rngs)
                for r in SUB_PIXEL_STEPS[scale]
            ]
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
    """Three places for units, behind each a 1x1 convolution that fuses all outputs so far. The last unit fills what is left."""

    def __init__(self, width: int, unit: Callable[[], nnx.Module], *, count: int, rngs: nnx.Rngs):
        self.units = nnx.List([unit() for _ in range(count)])
        self.fusions = nnx.List([_conv((i + 2) * width, width, 1, rngs) for i in range(UNITS)])

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        seen = x
        for i, fusion in enumerate(self.fusions):
            unit = self.units[min(i, len(self.units) - 1)]
            seen = jnp.concatenate([seen, unit(x)], -1)
            x = nnx.relu(fusion(seen))
        return x


class Residual(nnx.Module):
    """ReLU(x + Conv - ReLU - Conv)."""

    def __init__(self, width: int, *, groups: int, rngs: nnx.Rngs):
        self.conv1 = _conv(width, width, 3, rngs, groups=groups)
        self.conv2 = _conv(width, width, 3, rngs, groups=groups)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return nnx.relu(x + self.conv2(nnx.relu(self.conv1(x))))


class Efficient(nnx.Module):
    """ReLU(x + Conv - ReLU - Conv - ReLU - 1x1 Conv)."""

    def __init__(self, width: int, *, groups: int, rngs: nnx.Rngs):
        self.conv1 = _conv(width, width, 3, rngs, groups=groups)
        self.conv2 = _conv(width, width, 3, rngs, groups=groups)
        self.point = _conv(width, width, 1, rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return nnx.relu(x + self.point(nnx.relu(self.conv2(nnx.relu(self.conv1(x))))))


def _conv(in_channels: int, out_channels: int, kernel_size: int, rngs: nnx.Rngs, *, groups: int = 1) -> nnx.Conv:
    size = (kernel_size, kernel_size)
    return nnx.Conv(in_channels, out_channels, size, feature_group_count=groups, kernel_init=PYTORCH_UNIFORM, rngs=rngs)
