"""SRCNN: Dong, Loy, He, Tang, "Image Super-Resolution Using Deep Convolutional Networks", ECCV 2014 and TPAMI 2016.

Structure of SRCNN f1-f2-f3, on the Y channel of LR, enlarged bicubically:

    Conv(f1, n1, 1) - ReLU - Conv(f2, n2, n1) - ReLU - Conv(f3, 1, n2)

With n1 = 64 and n2 = 32, 9-1-5 has 8,032 weights and 9-5-5 has 57,184, as published. Each also has 97 biases.
"""

import jax
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.models.about import About
from sr_jax.ops.resize import bicubic_upsample


class SRCNN(nnx.Module):
    """SRCNN (Dong et al. 2014): maps the Y channel of LR images (b, h, w, 1) to SR (b, scale h, scale w, 1), values in [0, 1].

    Borders are padded with zeros, so that SR has the size of HR. The paper trains without padding, on the middle of each patch,
    and pads with zeros only when it is tested. Kernels start with N(0, 0.001^2), as in the paper.

    Args:
      scale: the super-resolution factor.
      n1, n2, f1, f2, f3: as in `sr_jax.config.SRCNNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `SRCNN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import SRCNNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
      >>> jax.eval_shape(lambda lr: make(SRCNNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 1)
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

    def __init__(self, *, scale: int, n1: int, n2: int, f1: int, f2: int, f3: int, rngs: nnx.Rngs):
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
