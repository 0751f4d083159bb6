"""SRCNN: Dong, Loy, He, Tang, "Image Super-Resolution Using Deep Convolutional Networks", ECCV 2014 and TPAMI 2016.

Structure, SRCNN f1-f2-f3 on the Y channel, LR first enlarged bicubically:

    Conv(f1, n1, 1) - ReLU - Conv(f2, n2, n1) - ReLU - Conv(f3, 1, n2)

With n1 = 64 and n2 = 32, 9-1-5 has 8,032 weights and 9-5-5 has 57,184, as published (+ 97 biases each).
"""

import jax
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.models.about import About
from sr_jax.ops.resize import bicubic_upsample


class SRCNN(nnx.Module):
    """Maps the Y channel of an LR image to that of the HR image; values in [0, 1].

    Borders are padded with zeros, so that the output has the size of the HR image. The paper trains without padding, on the
    middle of each patch, and pads with zeros only when it tests.

    Initialisation: N(0, 0.001^2), as in the paper.

    Raises:
      InputError: if `scale` is not one of `SRCNN.about.scales`.
    """

    about = About(
        name="SRCNN",
        paper="Dong, Loy, He, Tang: Image Super-Resolution Using Deep Convolutional Networks, TPAMI 2016",
        year=2014,
        upsampler="bicubic, before the network",
        channels=1,
        scales=(2, 3, 4),
        last="reconstruction",
    )

    def __init__(self, *, scale: int, n1: int = 64, n2: int = 32, f1: int = 9, f2: int = 1, f3: int = 5, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.scale = scale
        self.patch_extraction = _conv(1, n1, f1, rngs)
        self.mapping = _conv(n1, n2, f2, rngs)
        self.reconstruction = _conv(n2, 1, f3, rngs)

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        x = bicubic_upsample(lr, self.scale)
        x = nnx.relu(self.patch_extraction(x))
        x = nnx.relu(self.mapping(x))
        return self.reconstruction(x)


def _conv(in_channels: int, out_channels: int, kernel_size: int, rngs: nnx.Rngs) -> nnx.Conv:
    start = jax.nn.initializers.normal(0.001)
    return nnx.Conv(in_channels, out_channels, (kernel_size, kernel_size), kernel_init=start, rngs=rngs)
