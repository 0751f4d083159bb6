"""DRCN: Kim, Lee, Lee, "Deeply-Recursive Convolutional Network for Image Super-Resolution", CVPR 2016.

Structure, on the Y channel x of LR, enlarged bicubically, with D recursions of one inference layer:

    H_0 = f1(x)             embedding:      Conv(3, 256, 1) - ReLU - Conv(3, 256, 256) - ReLU
    H_d = f2(H_{d-1})       inference:      Conv(3, 256, 256) - ReLU, the same for d = 1 ... D
    y_d = x + f3(H_d)       reconstruction: Conv(3, 256, 256) - ReLU - Conv(3, 1, 256), the same for all d
    y   = sum_d w_d y_d     with learned w

It has 1,774,080 weights, 1,025 biases and D = 16 averaging weights: 1,775,121 parameters, the published 1775K. In the paper's
equations f3 also ends with a ReLU; here it does not, so that a residual can have either sign.
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import HE_NORMAL, Initializer, identity
from sr_jax.models.about import About, Known
from sr_jax.ops.resize import bicubic_upsample


class DRCN(nnx.Module):
    """DRCN (Kim et al. 2016): maps the Y channel of LR images (b, h, w, 1) to SR (b, scale h, scale w, 1), values in [0, 1].

    Borders are padded with zeros. Kernels start as in the paper: with He's initialisation, except for the inference layer,
    which starts as the identity. All w_d start at 1 / D.

    Training supervises every recursion (`objective`). In the paper alpha starts high and falls by a schedule that the paper
    does not state; here it is constant.

    Args:
      scale: the super-resolution factor.
      recursions, width, alpha: as in `sr_jax.config.DRCNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `DRCN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import DRCNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
      >>> jax.eval_shape(lambda lr: make(DRCNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 1)
    """

    about = About(
        name="DRCN",
        paper="Kim, Lee, Lee: Deeply-Recursive Convolutional Network for Image Super-Resolution, CVPR 2016",
        year=2016,
        upsampler="bicubic, before the network",
        channels=1,
        scales=(2, 3, 4),
        last="reconstruction.1",
    )

    def __init__(self, *, scale: int, recursions: int, width: int, alpha: float, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.scale, self.recursions, self.alpha = scale, recursions, alpha
        self.embedding = nnx.List([_conv(1, width, HE_NORMAL, rngs), _conv(width, width, HE_NORMAL, rngs)])
        self.inference = _conv(width, width, identity, rngs)
        self.reconstruction = nnx.List([_conv(width, width, HE_NORMAL, rngs), _conv(width, 1, HE_NORMAL, rngs)])
        self.averaging = nnx.Param(jnp.full((recursions,), 1 / recursions, jnp.float32))

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        return self.average(self.predictions(lr))

    def predictions(self, lr: Float[Array, "b h w 1"]) -> list[Float[Array, "b h_out w_out 1"]]:
        """Returns y_1 ... y_D, one from each recursion."""
        enlarged = bicubic_upsample(lr, self.scale)
        h = enlarged
        for conv in self.embedding:
            h = nnx.relu(conv(h))
        predictions = []
        for _ in range(self.recursions):
            h = nnx.relu(self.inference(h))
            first, last = self.reconstruction
            predictions.append(enlarged + last(nnx.relu(first(h))))
        return predictions

    def average(self, predictions: list[Float[Array, "b h w 1"]]) -> Float[Array, "b h w 1"]:
        """Returns y, the sum of the predictions weighted by w."""
        return jnp.stack([w * y for w, y in zip(self.averaging[...], predictions, strict=True)]).sum(0)

    def objective(
        self,
        lr: Float[Array, "b h w 1"],
        hr: Float[Array, "b h_out w_out 1"],
        known: Known | None,
        *,
        loss: Callable[[Array, Array], Array],
    ) -> Float[Array, ""]:
        """Returns `alpha` times the mean loss of the recursions plus `1 - alpha` times the loss of their average."""
        del known
        predictions = self.predictions(lr)
        recursion_losses = jnp.stack([loss(y.astype(jnp.float32), hr) for y in predictions])
        average_loss = loss(self.average(predictions).astype(jnp.float32), hr)
        return self.alpha * recursion_losses.mean() + (1 - self.alpha) * average_loss


def _conv(in_channels: int, out_channels: int, start: Initializer, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (3, 3), kernel_init=start, rngs=rngs)
