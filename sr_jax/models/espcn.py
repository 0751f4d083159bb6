"""ESPCN: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", CVPR 2016.

Structure, on the Y channel of LR, at scale r:

    Conv(5, n1, 1) - tanh - Conv(3, n2, n1) - tanh - Conv(3, r^2, n2) - pixel shuffle

With n1 = 64 and n2 = 32 it has 20,032 + 288 r^2 weights: 21,184 at x2, 22,624 at x3 and 24,640 at x4, which are the published
21K at x2 and 25K at x4. It also has 96 + r^2 biases.
"""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import LECUN_NORMAL, SubPixel, icnr
from sr_jax.models.about import About


class ESPCN(nnx.Module):
    """ESPCN (Shi et al. 2016): maps the Y channel of LR images (b, h, w, 1) to SR (b, scale h, scale w, 1), values in [0, 1].

    Borders are padded with zeros. The paper does not state its initialisation. Here kernels start with N(0, 1 / fan_in), so
    that signals keep their size through tanh, and the sub-pixel convolution starts with ICNR, so that there is no checkerboard.

    Args:
      scale: the super-resolution factor.
      n1, n2: as in `sr_jax.config.ESPCNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `ESPCN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import ESPCNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
      >>> jax.eval_shape(lambda lr: make(ESPCNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 1)
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

    def __init__(self, *, scale: int, n1: int, n2: int, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.feature_extraction = nnx.Conv(1, n1, (5, 5), kernel_init=LECUN_NORMAL, rngs=rngs)
        self.mapping = nnx.Conv(n1, n2, (3, 3), kernel_init=LECUN_NORMAL, rngs=rngs)
        self.sub_pixel = SubPixel(n2, 1, scale=scale, kernel_init=icnr(scale, base=LECUN_NORMAL), rngs=rngs)

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        x = jnp.tanh(self.feature_extraction(lr))
        x = jnp.tanh(self.mapping(x))
        return self.sub_pixel(x)
