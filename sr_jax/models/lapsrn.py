"""LapSRN: Lai, Huang, Ahuja, Yang, "Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution", CVPR 2017.

The network reads the Y channel and has log2(scale) levels, each of which doubles the resolution. Conv(k, n, m) has kernel size
k and maps m channels to n. LeakyReLU(0.2) follows every layer of the feature branch; the image branch has none.

    features:  Conv(3, 64, 1), then at each level  d x Conv(3, 64, 64) - DeConv(4, 64, 64)
    image:     at each level  DeConv(4, 1, 1) of the image of the level before + Conv(3, 1, 64) of the features

The transposed convolutions are 4x4 with stride 2, as in the paper and in the public PyTorch implementations. Like those, this
one has no biases by default. LapSRN x4 then has 870,112 weights. The published 813K belong to the authors' released network,
`lapsrn-3x3`. Its transposed convolutions of features are 3x3, which saves 2 * 64 * 64 * (16 - 9) weights: 812,768. It has
biases, except in the image branch. The first tap of a 3x3 kernel goes from pixel i to pixel 2i, and the last row and column are
cropped.
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import HE_NORMAL, Deconvolution, bilinear
from sr_jax.models.about import About, Known
from sr_jax.ops.resize import bicubic_downsample

SLOPE = 0.2  # of the LeakyReLUs


class LapSRN(nnx.Module):
    """LapSRN (Lai et al. 2017): maps the Y channel of LR images (b, h, w, 1) to SR (b, scale h, scale w, 1), values in [0, 1].

    Borders are padded with zeros. Kernels start as in the paper: with He's initialisation, and as bilinear interpolation in the
    transposed convolutions.

    Training supervises every level (`objective`). At x8 the paper's network has 5 convolutions at each level, not 10.

    Args:
      scale: the super-resolution factor.
      depth, width, taps, use_bias: as in `sr_jax.config.LapSRNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `LapSRN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import LapSRNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
      >>> jax.eval_shape(lambda lr: make(LapSRNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 1)
    """

    about = About(
        name="LapSRN",
        paper="Lai, Huang, Ahuja, Yang: Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution, CVPR 2017",
        year=2017,
        upsampler="transposed convolutions, a pyramid",
        channels=1,
        scales=(2, 4, 8),
        last="residuals",
    )

    def __init__(self, *, scale: int, depth: int, width: int, taps: int, use_bias: bool, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        levels = range(scale.bit_length() - 1)
        self.input = _conv(1, width, rngs, use_bias=use_bias)
        self.features = nnx.List([Features(depth, width, taps=taps, use_bias=use_bias, rngs=rngs) for _ in levels])
        self.enlargements = nnx.List([_double(1, rngs) for _ in levels])
        self.residuals = nnx.List([_conv(width, 1, rngs, use_bias=use_bias) for _ in levels])

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        return self.pyramid(lr)[-1]

    def pyramid(self, lr: Float[Array, "b h w 1"]) -> list[Float[Array, "b _ _ 1"]]:
        """Returns the image of every level, 2, 4, ... times the size of LR."""
        image, x = lr, nnx.leaky_relu(self.input(lr), SLOPE)
        images = []
        for features, enlarge, residual in zip(self.features, self.enlargements, self.residuals, strict=True):
            x = features(x)
            image = enlarge(image) + residual(x)
            images.append(image)
        return images

    def objective(
        self,
        lr: Float[Array, "b h w 1"],
        hr: Float[Array, "b h_out w_out 1"],
        known: Known | None,
        *,
        loss: Callable[[Array, Array], Array],
    ) -> Float[Array, ""]:
        """Returns the sum of the losses of all levels, each against HR reduced bicubically to its size (section 3.2).

        The paper sums over pixels, so the mean loss of a level is weighted by its share of the pixels of HR.
        """
        del known
        total = jnp.zeros(())
        for image in self.pyramid(lr):
            factor = hr.shape[1] // image.shape[1]
            total += loss(image.astype(jnp.float32), bicubic_downsample(hr, factor)) / factor**2
        return total


class Features(nnx.Module):
    """The feature branch of one level: convolutions, then a doubling of the resolution."""

    def __init__(self, depth: int, width: int, *, taps: int, use_bias: bool, rngs: nnx.Rngs):
        self.convs = nnx.List([_conv(width, width, rngs, use_bias=use_bias) for _ in range(depth)])
        self.enlargement = _double(width, rngs, taps=taps, use_bias=use_bias)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h_out w_out c"]:
        for conv in self.convs:
            x = nnx.leaky_relu(conv(x), SLOPE)
        size = (2 * x.shape[1], 2 * x.shape[2])
        return nnx.leaky_relu(self.enlargement(x)[:, : size[0], : size[1]], SLOPE)


def _conv(in_channels: int, out_channels: int, rngs: nnx.Rngs, *, use_bias: bool) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (3, 3), use_bias=use_bias, kernel_init=HE_NORMAL, rngs=rngs)


def _double(channels: int, rngs: nnx.Rngs, *, taps: int = 4, use_bias: bool = False) -> Deconvolution:
    """Doubles height and width. With 3 taps there is one more row and column, which are cropped."""
    if taps == 3:
        return Deconvolution(channels, channels, 3, 2, 0, use_bias=use_bias, kernel_init=HE_NORMAL, rngs=rngs)
    start = bilinear(stride=2, padding=1)
    return Deconvolution(channels, channels, 4, 2, 1, use_bias=use_bias, kernel_init=start, rngs=rngs)
