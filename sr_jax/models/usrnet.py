"""USRNet: Zhang, Van Gool, Timofte, "Deep Unfolding Network for Image Super-Resolution", CVPR 2020.

One network serves every kernel k, noise level sigma and scale s; it is told all three. It unrolls half-quadratic splitting of
`min ||y - (x * k)|s||^2 / (2 sigma^2) + Phi(x)`. With x_0 = y enlarged by nearest neighbour, iteration j = 1, 2, ... computes

    z_j = D(x_(j-1), s, k, y, alpha_j)    argmin_z ||y - (z * k)|s||^2 + alpha_j ||z - x_(j-1)||^2, in closed form (no weights)
    x_j = P(z_j, beta_j)                  ResUNet: a denoiser that gets beta_j as a fourth channel
    [alpha, beta] = H(sigma, s)           1x1 convolutions, softplus, + 1e-6

alpha_j, the paper's mu_j sigma^2, is the lambda of `sr_jax.ops.data_step`, which computes D. The published form divides by
alpha and so loses digits of float32 where alpha is small; `data_step` does not.

It has 17,016,016 parameters (published: 17.02M), USRNet-tiny 590,332 (published: 0.59M). Iterations share P, and the same
weights serve all scales: `scale` only says for which of them the network is built.
"""

import itertools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers import Deconvolution
from sr_jax.models.about import About, Known
from sr_jax.ops.boundary import crop_border, extend_border
from sr_jax.ops.data_steps import data_step
from sr_jax.ops.interpolate import enlarge

LEAST = 1e-6  # smallest alpha and beta
MARGIN = 8  # smallest margin of a smooth extension [HR pixels]
INIT = jax.nn.initializers.variance_scaling(0.2**2, "fan_in", "normal")


class USRNet(nnx.Module):
    """USRNet (Zhang et al. 2020): maps RGB LR images (b, h, w, 3), their blur and noise to SR images (b, scale h, scale w, 3).

    Values are in [0, 1]. The data step treats the image as periodic. With `boundary="smooth"` LR is first extended to a
    periodic image by at least `MARGIN` HR pixels on every side, and SR is cropped, as in the authors' code for bicubic LR.
    (Theirs adds 16 to 23 pixels at the bottom and the right, which is equivalent for a periodic image.) "circular" does not
    extend LR.

    Kernels start with N(0, 0.2^2 / fan_in), biases at 0. The authors' training code uses orthogonal kernels times 0.2. They
    have the same variance in the residual blocks and on the way down, but drawing them takes most of a minute.

    Args:
      scale: the super-resolution factor.
      iterations, widths, blocks, hyper_width, boundary: as in `sr_jax.config.USRNetConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `USRNet.about.scales`.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from sr_jax.config import USRNetConfig
      >>> from sr_jax.models import Known, make
      >>> known = Known(kernel=jnp.full((1, 3, 3), 1 / 9), noise=jnp.zeros(1))
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 3), "float32")
      >>> jax.eval_shape(lambda lr: make(USRNetConfig(), scale=2, seed=0)(lr, known), lr).shape  # nothing is computed
      (1, 10, 12, 3)
    """

    about = About(
        name="USRNet",
        paper="Zhang, Van Gool, Timofte: Deep Unfolding Network for Image Super-Resolution, CVPR 2020",
        year=2020,
        upsampler="unrolled Fourier data steps",
        channels=3,
        scales=(2, 3, 4),
        last="prior.tail",
        is_told=True,
    )

    def __init__(
        self,
        *,
        scale: int,
        iterations: int,
        widths: tuple[int, int, int, int],
        blocks: int,
        hyper_width: int,
        boundary: str,
        rngs: nnx.Rngs,
    ):
        self.about.check_scale(scale)
        self.prior = ResUNet(4, 3, widths=widths, blocks=blocks, rngs=rngs)
        self.hyper = HyperNet(iterations, width=hyper_width, rngs=rngs)
        self.scale, self.boundary = scale, boundary

    def __call__(self, lr: Float[Array, "b h w 3"], known: Known) -> Float[Array, "b h_out w_out 3"]:
        if self.boundary == "circular":
            return self._restore(lr, known)
        margin = -(-MARGIN // self.scale)
        return crop_border(self._restore(extend_border(lr, margin, self.boundary), known), margin * self.scale)

    def _restore(self, lr: Float[Array, "b h w 3"], known: Known) -> Float[Array, "b h_out w_out 3"]:
        kernel = known.kernel[..., None]
        centre = (kernel.shape[1] - 1) // 2
        x = enlarge(lr, scale=self.scale, method="nearest", boundary="circular")
        for alpha, beta in zip(*self.hyper(known.noise, self.scale), strict=True):
            z = data_step(lr, kernel, x, alpha[:, None], scale=self.scale, boundary="circular", centre=centre)
            level = jnp.broadcast_to(beta[:, None, None, None], (*z.shape[:3], 1))
            x = self.prior(jnp.concatenate([z, level.astype(z.dtype)], -1))
        return x


class HyperNet(nnx.Module):
    """H: maps the noise level and the scale to the alpha and beta of every iteration."""

    def __init__(self, iterations: int, *, width: int, rngs: nnx.Rngs):
        self.layers = nnx.List([_conv(i, o, 1, rngs) for i, o in itertools.pairwise((2, width, width, 2 * iterations))])
        self.iterations = iterations

    def __call__(self, noise: Float[Array, " b"], scale: int) -> tuple[Float[Array, "n b"], Float[Array, "n b"]]:
        x = jnp.stack([noise, jnp.full_like(noise, scale)], -1)[:, None, None]
        *hidden, last = self.layers
        for layer in hidden:
            x = jax.nn.relu(layer(x))
        both = (jax.nn.softplus(last(x)) + LEAST)[:, 0, 0].T
        return both[: self.iterations], both[self.iterations :]


class ResUNet(nnx.Module):
    """P: a U-net of four resolutions with residual blocks and additive skips, without biases.

    The image is extended at the bottom and the right to a multiple of 8 pixels by repeating its border, and cropped afterwards.
    """

    def __init__(self, in_channels: int, out_channels: int, *, widths: tuple[int, ...], blocks: int, rngs: nnx.Rngs):
        def residual_blocks(width: int) -> nnx.Module:
            return nnx.Sequential(*[ResBlock(width, rngs=rngs) for _ in range(blocks)])

        steps = list(itertools.pairwise(widths))  # (finer, coarser)
        self.head = _conv(in_channels, widths[0], 3, rngs, use_bias=False)
        self.encoders = nnx.List([residual_blocks(fine) for fine, _ in steps])
        self.downs = nnx.List([_down(fine, coarse, rngs) for fine, coarse in steps])
        self.middle = residual_blocks(widths[-1])
        self.ups = nnx.List([_up(coarse, fine, rngs) for fine, coarse in steps])
        self.decoders = nnx.List([residual_blocks(fine) for fine, _ in steps])
        self.tail = _conv(widths[0], out_channels, 3, rngs, use_bias=False)

    def __call__(self, image: Float[Array, "b h w i"]) -> Float[Array, "b h w o"]:
        h, w = image.shape[1:3]
        multiple = 2 ** len(self.downs)
        x = self.head(jnp.pad(image, ((0, 0), (0, -h % multiple), (0, -w % multiple), (0, 0)), mode="edge"))
        skips = [x]
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            x = down(blocks(x))
            skips.append(x)
        x = self.middle(x)
        for up, blocks in reversed(list(zip(self.ups, self.decoders, strict=True))):
            x = blocks(up(x + skips.pop()))
        return self.tail(x + skips.pop())[:, :h, :w]


class ResBlock(nnx.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv1 = _conv(width, width, 3, rngs, use_bias=False)
        self.conv2 = _conv(width, width, 3, rngs, use_bias=False)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return x + self.conv2(jax.nn.relu(self.conv1(x)))


def _conv(in_channels: int, out_channels: int, kernel_size: int, rngs: nnx.Rngs, *, use_bias: bool = True) -> nnx.Conv:
    size = (kernel_size, kernel_size)
    return nnx.Conv(in_channels, out_channels, size, use_bias=use_bias, kernel_init=INIT, rngs=rngs)


def _down(in_channels: int, out_channels: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (2, 2), 2, padding="VALID", use_bias=False, kernel_init=INIT, rngs=rngs)


def _up(in_channels: int, out_channels: int, rngs: nnx.Rngs) -> Deconvolution:
    return Deconvolution(in_channels, out_channels, 2, 2, use_bias=False, kernel_init=INIT, rngs=rngs)
