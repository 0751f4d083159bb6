"""VDSR: Kim, Lee, Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016.

Structure, on the Y channel x of LR, enlarged bicubically, with ReLU after every convolution except the last:

    x + [Conv(3, 64, 1) - 18 x Conv(3, 64, 64) - Conv(3, 1, 64)](x)

It has 664,704 weights, the published 665K, and no biases, as in the public PyTorch implementations. The paper's own network has
biases and so 665,921 parameters. The paper trains one network for all scales; here each scale has its own.
"""

from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import HE_NORMAL
from sr_jax.models.about import About
from sr_jax.ops.resize import bicubic_upsample


class VDSR(nnx.Module):
    """VDSR (Kim et al. 2016): maps the Y channel of LR images (b, h, w, 1) to SR (b, scale h, scale w, 1), values in [0, 1].

    Borders are padded with zeros. Kernels start with He's initialisation, as in the paper.

    Args:
      scale: the super-resolution factor.
      depth, width: as in `sr_jax.config.VDSRConfig`, which has the defaults; depth counts all convolutions.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `VDSR.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import VDSRConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
      >>> jax.eval_shape(lambda lr: make(VDSRConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 1)
    """

    about = About(
        name="VDSR",
        paper="Kim, Lee, Lee: Accurate Image Super-Resolution Using Very Deep Convolutional Networks, CVPR 2016",
        year=2016,
        upsampler="bicubic, before the network",
        channels=1,
        scales=(2, 3, 4),
        last="output",
    )

    def __init__(self, *, scale: int, depth: int, width: int, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.scale = scale
        self.input = _conv(1, width, rngs)
        self.hidden = nnx.List([_conv(width, width, rngs) for _ in range(depth - 2)])
        self.output = _conv(width, 1, rngs)

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        enlarged = bicubic_upsample(lr, self.scale)
        x = nnx.relu(self.input(enlarged))
        for conv in self.hidden:
            x = nnx.relu(conv(x))
        return enlarged + self.output(x)


def _conv(in_channels: int, out_channels: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (3, 3), use_bias=False, kernel_init=HE_NORMAL, rngs=rngs)
