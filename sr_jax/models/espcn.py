"""ESPCN: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", CVPR 2016.

Structure, for the scale r, on the Y channel of the LR image:

    Conv(5, n1, 1) - tanh - Conv(3, n2, n1) - tanh - Conv(3, r^2, n2) - pixel shuffle

With n1 = 64 and n2 = 32 it has 20,032 + 288 r^2 weights: 21,184 at x2, 22,624 at x3 and 24,640 at x4 (+ 96 + r^2 biases).
The published 21K at x2 and 25K at x4 are these.
"""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import LECUN_NORMAL, SubPixel, icnr
from sr_jax.models.about import About


class ESPCN(nnx.Module):
    """Maps the Y channel of an LR image to that of the HR image; values in [0, 1], borders padded with zeros.

    Initialisation: N(0, 1 / fan_in), under which tanh keeps the size of its signals; the sub-pixel convolution by ICNR, free
    of a checkerboard. The paper does not state its own.

    Raises:
      InputError: if `scale` is not one of `ESPCN.about.scales`.
    """

    about = About(
        name="ESPCN",
        paper="Shi et al.: Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN, CVPR 2016",
        year=2016,
        upsampler="sub-pixel convolution 3x3",
        channels=1,
        scales=(2, 3, 4),
        last="sub_pixel",
    )

    def __init__(self, *, scale: int, n1: int = 64, n2: int = 32, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.feature_extraction = nnx.Conv(1, n1, (5, 5), kernel_init=LECUN_NORMAL, rngs=rngs)
        self.mapping = nnx.Conv(n1, n2, (3, 3), kernel_init=LECUN_NORMAL, rngs=rngs)
        self.sub_pixel = SubPixel(n2, 1, scale=scale, kernel_init=icnr(scale, base=LECUN_NORMAL), rngs=rngs)

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        x = jnp.tanh(self.feature_extraction(lr))
        x = jnp.tanh(self.mapping(x))
        return self.sub_pixel(x)
