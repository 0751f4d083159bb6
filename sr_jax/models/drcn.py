"""DRCN: Kim, Lee, Lee, "Deeply-Recursive Convolutional Network for Image Super-Resolution", CVPR 2016.

Structure, on the Y channel of LR enlarged bicubically, x, with D recursions of one inference layer:

    H_0 = f1(x)             embedding:      Conv(3, 256, 1) - ReLU - Conv(3, 256, 256) - ReLU
    H_d = f2(H_{d-1})       inference:      Conv(3, 256, 256) - ReLU, the same for d = 1 ... D
    y_d = x + f3(H_d)       reconstruction: Conv(3, 256, 256) - ReLU - Conv(3, 1, 256), the same for all d
    y   = sum_d w_d y_d     with learned w

It has 1,774,080 weights, 1,025 biases and D = 16 averaging weights: 1,775,121 parameters, the published 1775K. The paper's
equations end f3 with a ReLU too; here there is none, so that a residual may have either sign.
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import HE_NORMAL, Initializer, identity
from sr_jax.models.about import About, Known
from sr_jax.ops.resize import bicubic_upsample


class DRCN(nnx.Module):
    """Maps the Y channel of an LR image to that of the HR image; values in [0, 1], borders padded with zeros.

    Initialisation as in the paper: He's, except that the inference layer starts as the identity. All w_d start at 1 / D.

    Training supervises every recursion: `alpha` is the weight of their mean loss, and `1 - alpha` that of the loss of y. In
    the paper alpha starts high and falls, by a schedule that is not stated; here it is constant.

    Raises:
      InputError: if `scale` is not one of `DRCN.about.scales`.
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

    def __init__(self, *, scale: int, recursions: int = 16, width: int = 256, alpha: float = 0.5, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        self.scale, self.recursions, self.alpha = scale, recursions, alpha
        self.embedding = nnx.List([_conv(1, width, HE_NORMAL, rngs), _conv(width, width, HE_NORMAL, rngs)])
        self.inference = _conv(width, width, identity, rngs)
        self.reconstruction = nnx.List([_conv(width, width, HE_NORMAL, rngs), _conv(width, 1, HE_NORMAL, rngs)])
        self.averaging = nnx.Param(jnp.full((recursions,), 1 / recursions, jnp.float32))

    def __call__(self, lr: Float[Array, "b h w 1"]) -> Float[Array, "b h_out w_out 1"]:
        return self.average(self.predictions(lr))

    def predictions(self, lr: Float[Array, "b h w 1"]) -> list[Float[Array, "b h_out w_out 1"]]:
        """y_1 ... y_D, one of each recursion."""
        enlarged = bicubic_upsample(lr, self.scale)
        h = enlarged
        for conv in self.embedding:
            h = nnx.relu(conv(h))
        found = []
        for _ in range(self.recursions):
            h = nnx.relu(self.inference(h))
            first, last = self.reconstruction
            found.append(enlarged + last(nnx.relu(first(h))))
        return found

    def average(self, predictions: list[Float[Array, "b h w 1"]]) -> Float[Array, "b h w 1"]:
        """y, the sum of the predictions weighted by w."""
        return jnp.stack([w * y for w, y in zip(self.averaging[...], predictions, strict=True)]).sum(0)

    def objective(
        self,
        lr: Float[Array, "b h w 1"],
        hr: Float[Array, "b h_out w_out 1"],
        known: Known | None,
        *,
        loss: Callable[[Array, Array], Array],
    ) -> Float[Array, ""]:
        """`alpha` times the mean loss of the recursions + `(1 - alpha)` times that of their average."""
        del known
        predictions = self.predictions(lr)
        of_recursions = jnp.stack([loss(y.astype(jnp.float32), hr) for y in predictions])
        of_average = loss(self.average(predictions).astype(jnp.float32), hr)
        return self.alpha * of_recursions.mean() + (1 - self.alpha) * of_average


def _conv(in_channels: int, out_channels: int, start: Initializer, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (3, 3), kernel_init=start, rngs=rngs)
