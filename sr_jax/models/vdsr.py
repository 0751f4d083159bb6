"""VDSR: Kim, Lee, Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016.

Structure, on the Y channel of LR enlarged bicubically, x; ReLU after every convolution but the last:

    x + [Conv(3, 64, 1) - 18 x Conv(3, 64, 64) - Conv(3, 1, 64)](x)

It has 664,704 weights and, as in the public PyTorch implementations, no biases: these are the published 665K. The paper's own
network has biases, which would make it 665,921. The paper trains one network for all scales; here each scale has its own.
"""

from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import HE_NORMAL
from sr_jax.models.about import About
from sr_jax.ops.resize import bicubic_upsample


class VDSR(nnx.Module):
    """Maps the Y channel of an LR image to that of the HR image; values in [0, 1], borders padded with zeros.

    Initialisation: He's, as in the paper.

    Raises:
      InputError: if `scale` is not one of `VDSR.about.scales`.
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

    def __init__(self, *, scale: int, depth: int = 20, width: int = 64, rngs: nnx.Rngs):
        """`depth` counts all convolutions, at least 2."""
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
