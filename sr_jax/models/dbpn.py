"""DBPN: Haris, Shakhnarovich, Ukita, "Deep Back-Projection Networks for Super-Resolution", CVPR 2018; the dense form, D-DBPN.

Structure, with T stages of n_R channels, on RGB. PReLU follows every convolution except the last. A transposed convolution p
goes to the HR grid and a strided convolution g goes back; both have kernel size s + 4, stride s and padding 2. Each unit
projects its input, projects the result back, and corrects it by the error that this leaves:

    up-projection:    H0 = p(L);  L0 = g(H0);  H = H0 + p(L0 - L)
    down-projection:  L0 = g(H);  H0 = p(L0);  L = L0 + g(H0 - H)

    L^0 = Conv(1, n_R, n_0) - Conv(3, n_0, 3)(LR)
    H^t = up of [L^{t-1}, ..., L^1],  L^t = down of [H^t, ..., H^1];  a Conv(1, n_R, .) before each unit with several inputs
    SR  = Conv(3, 3, T n_R)([H^T, ..., H^1])

D-DBPN (T = 7, n_R = 64, n_0 = 256) is published with 10M parameters at x4. Here it has 5,953,526 / 10,426,358 / 23,205,878 at
x2 / x4 / x8. The channels of each PReLU share one slope, as in the authors' code. The paper has no x3.
"""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import HE_NORMAL, Deconvolution, PReLU
from sr_jax.models.about import About

PADDING = 2  # of the projections; their kernels reach beyond their cells by as much on each side


class DBPN(nnx.Module):
    """DBPN (Haris et al. 2018): maps RGB LR images (b, h, w, 3) to SR images (b, scale h, scale w, 3), values in [0, 1].

    Borders are padded with zeros. Kernels start with He's initialisation, slopes at 0.25.

    Args:
      scale: the super-resolution factor.
      stages, width, features: as in `sr_jax.config.DBPNConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `DBPN.about.scales`.

    Example:
      >>> import jax
      >>> from sr_jax.config import DBPNConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")
      >>> jax.eval_shape(lambda lr: make(DBPNConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 3)
    """

    about = About(
        name="DBPN",
        paper="Haris, Shakhnarovich, Ukita: Deep Back-Projection Networks for Super-Resolution, CVPR 2018",
        year=2018,
        upsampler="transposed convolutions, back-projected",
        channels=3,
        scales=(2, 4, 8),
        last="last",
    )

    def __init__(self, *, scale: int, stages: int, width: int, features: int, rngs: nnx.Rngs):
        self.about.check_scale(scale)
        options = {"scale": scale, "rngs": rngs}
        self.first = Activated(_conv(3, features, 3, rngs))
        self.shrinking = Activated(_conv(features, width, 1, rngs))
        self.ups = nnx.List([UpProjection(max(t, 1), width, **options) for t in range(stages)])
        self.downs = nnx.List([DownProjection(t + 1, width, **options) for t in range(stages - 1)])
        self.last = _conv(stages * width, 3, 3, rngs)

    def __call__(self, lr: Float[Array, "b h w 3"]) -> Float[Array, "b h_out w_out 3"]:
        lows, highs = [], [self.ups[0](self.shrinking(self.first(lr)))]
        for down, up in zip(self.downs, list(self.ups)[1:], strict=True):
            lows.insert(0, down(jnp.concatenate(highs, -1)))
            highs.insert(0, up(jnp.concatenate(lows, -1)))
        return self.last(jnp.concatenate(highs, -1))


class Projection(nnx.Module):
    """Projects features to the other grid and back, then projects the error; several inputs are fused to one first."""

    def __init__(self, inputs: int, width: int, *, to: Any, back: Any, scale: int, rngs: nnx.Rngs):
        self.fusion = Activated(_conv(inputs * width, width, 1, rngs)) if inputs > 1 else None
        self.project = Activated(to(width, scale, rngs))
        self.project_back = Activated(back(width, scale, rngs))
        self.project_error = Activated(to(width, scale, rngs))

    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h_out w_out c"]:
        x = x if self.fusion is None else self.fusion(x)
        projected = self.project(x)
        return projected + self.project_error(self.project_back(projected) - x)


class UpProjection(Projection):
    """Projects from the LR to the HR grid."""

    def __init__(self, inputs: int, width: int, *, scale: int, rngs: nnx.Rngs):
        super().__init__(inputs, width, to=_to_high, back=_to_low, scale=scale, rngs=rngs)


class DownProjection(Projection):
    """Projects from the HR to the LR grid."""

    def __init__(self, inputs: int, width: int, *, scale: int, rngs: nnx.Rngs):
        super().__init__(inputs, width, to=_to_low, back=_to_high, scale=scale, rngs=rngs)


class Activated(nnx.Module):
    """A convolution and a PReLU with one slope for all channels."""

    def __init__(self, conv: nnx.Conv | Deconvolution):
        self.conv = conv
        self.activation = PReLU(1)

    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h_out w_out o"]:
        return self.activation(self.conv(x))


def _to_high(width: int, scale: int, rngs: nnx.Rngs) -> Deconvolution:
    return Deconvolution(width, width, scale + 2 * PADDING, scale, PADDING, kernel_init=HE_NORMAL, rngs=rngs)


def _to_low(width: int, scale: int, rngs: nnx.Rngs) -> nnx.Conv:
    kernel_size = scale + 2 * PADDING
    return nnx.Conv(width, width, (kernel_size, kernel_size), strides=scale, padding=PADDING, kernel_init=HE_NORMAL, rngs=rngs)


def _conv(in_channels: int, out_channels: int, kernel_size: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (kernel_size, kernel_size), kernel_init=HE_NORMAL, rngs=rngs)
