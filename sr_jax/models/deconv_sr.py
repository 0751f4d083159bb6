"""DeconvSR: a CNN reads the blur from the LR image, a Fourier layer inverts it, and a CNN refines the result.

Structure, where LR is the image, k its blur, and lambda_1, ..., lambda_n are regularisations:

    1. prediction   Conv(3) - Conv(3, stride 2) - Conv(3) - ..., PReLU after each; the log powers of all their features over the
                    image, minus their mean, and that mean; Linear - PReLU = code; Linear(code) = logits of k, a softmax
                    over its taps; Linear(code) = log lambda_i
    2. Fourier      x_i = x0 + A^T F^-1{ F{LR - A x0} / (D|K|^2 + lambda_i) },  A x = S(k * x)    (`layers.FourierDeconv`)
                    or literally H = F^-1{ F{LR} F{G} }, with the taps of G predicted
    3. refinement   on the LR grid: the phases of all x_i, LR and all log lambda_i - Conv(3) - PReLU - blocks of
                    Conv(3) - PReLU - Conv(3) + identity - SubPixel(3), added to x_1

At x2 it has 12,593 parameters by default and 1,334,503 as deconv-sr-base. No paper has exactly this network. Its relatives are
DCLS (Luo et al., "Deep Constrained Least Squares for Blind Image Super-Resolution", CVPR 2022), which deconvolves features and
trains its kernel by a loss on the kernel, and USRNet (Zhang et al., CVPR 2020), which is told the kernel and iterates. Step 2
is the closed form of Zhao et al. 2016.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from sr_jax.errors import InputError
from sr_jax.layers import HE_NORMAL, FourierDeconv, Initializer, PReLU, SubPixel
from sr_jax.models.about import About, Known
from sr_jax.ops.subpixel import space_to_depth

SIGMA = 0.6
"""Standard deviation of the Gaussian with which kernels start [LR pixels]."""
POWER_FLOOR = 1e-6
"""Added to mean squares before the logarithm, because the features of a flat image are 0. It is (white / 1000)^2."""
TYPICAL_POWER = 1e-2
"""Typical mean square of a feature at the start of training."""
LEAST_SIZE = 17
"""Smaller kernels are padded with zeros to this size. The Fourier layer would sum them tap by tap, and the gradient of that for
one kernel per image takes eight times as long and a minute to compile; larger kernels go through the transform."""
LOG_LAMBDAS = (-14.0, 5.0)
"""Bounds of log lambda, so that no training step makes lambda zero or infinite."""


class Reader(nnx.Module):
    """Step 1 except its last layers: maps an LR image to a code.

    Blur and noise show in the ratios of power between features, whatever the contrast of the image is. The code therefore
    depends on differences of their logarithms.
    """

    def __init__(self, channels: int, *, width: int, depth: int, knows_noise: bool, rngs: nnx.Rngs):
        self.convs = nnx.List(
            [
                nnx.Conv(
                    channels if index == 0 else width,
                    width,
                    (3, 3),
                    strides=2 if index == 1 else 1,
                    padding="REFLECT",
                    kernel_init=_zero_mean_he,
                    rngs=rngs,
                )
                for index in range(depth)
            ]
        )
        self.activations = nnx.List([PReLU(width) for _ in range(depth)])
        self.summary = nnx.Linear(depth * width + 1 + knows_noise, width, rngs=rngs)
        self.summary_activation = PReLU(width)

    def __call__(self, lr: Float[Array, "b h w c"], noise: Float[Array, " b"] | None) -> Float[Array, "b n"]:
        x, powers = lr, []
        for conv, activation in zip(self.convs, self.activations, strict=True):
            x = activation(conv(x))
            powers.append(jnp.mean(jnp.square(x.astype(jnp.float32)), (1, 2)))
        power = _log_power(jnp.concatenate(powers, -1))
        contrast = jnp.mean(power, -1, keepdims=True)
        statistics = [power - jnp.broadcast_to(contrast, power.shape), contrast - math.log(TYPICAL_POWER)]
        if noise is not None:
            statistics.append(_log_power(noise.astype(jnp.float32)[:, None] ** 2))
        return self.summary_activation(self.summary(jnp.concatenate(statistics, -1).astype(lr.dtype)))


class Block(nnx.Module):
    """x + Conv(PReLU(Conv(x)))."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.first = _conv(width, width, rngs)
        self.activation = PReLU(width)
        self.second = nnx.Conv(width, width, (3, 3), kernel_init=_scaled_he(0.1), rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return x + self.second(self.activation(self.first(x)))


class DeconvSR(nnx.Module):
    """DeconvSR: maps LR images (b, h, w, channels) to SR images (b, scale h, scale w, channels), values in [0, 1].

    The channels are Y or RGB; one kernel blurs all of them. Kernels, given or predicted, have odd size, and their middle tap
    lies on the pixel that subsampling keeps, as in `Known`. x0 is interpolated as if LR pixels were in the middle of their
    cells, which is right for bicubic and aligned degradations.

    The network starts close to a data step with a narrow Gaussian and large lambdas, or to bilinear interpolation if literal.

    Args:
      scale: the super-resolution factor.
      channels, kernel, mode, ..., width: as in `sr_jax.config.DeconvSRConfig`, which has the defaults.
      rngs: draws the kernels.

    Raises:
      InputError: if `scale` is not in `DeconvSR.about.scales`; when called, if `kernel="given"` and nothing is known.

    Example:
      >>> import jax
      >>> from sr_jax.config import DeconvSRConfig
      >>> from sr_jax.models import make
      >>> lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
      >>> jax.eval_shape(lambda lr: make(DeconvSRConfig(), scale=2, seed=0)(lr), lr).shape  # nothing is computed
      (1, 10, 12, 1)
      >>> kernel, log_lam = jax.eval_shape(lambda lr: make(DeconvSRConfig(), scale=2, seed=0).predict(lr), lr)
      >>> kernel.shape, log_lam.shape
      ((1, 15, 15), (1, 2))
    """

    about = About(
        name="DeconvSR",
        paper="the founding text of sr_jax: predict the kernel, deconvolve in the Fourier domain, refine",
        year=2026,
        upsampler="Fourier deconvolution",
        channels=1,
        scales=(2, 3, 4),
        last="upsampling",
    )

    def __init__(
        self,
        *,
        scale: int,
        channels: int,
        kernel: str,
        mode: str,
        kernel_size: int,
        kernel_width: int,
        kernel_depth: int,
        kernel_loss: float,
        end_to_end: bool,
        lam: str,
        lam_start: Sequence[float],
        x0: str,
        blocks: int,
        width: int,
        rngs: nnx.Rngs,
    ):
        self.about.check_scale(scale)
        self.about = self.about._replace(channels=channels, is_told=kernel == "given")
        self.scale, self.channels, self.kernel, self.mode, self.x0 = scale, channels, kernel, mode, x0
        self.kernel_loss, self.end_to_end = kernel_loss, end_to_end
        # The size of G is even or odd as the scale is, so that its middle lies in the middle of the cell.
        self.kernel_size = kernel_size if mode == "regularised" else kernel_size + scale - 1
        start = _gaussian_logits(kernel_size, scale) if mode == "regularised" else _bilinear(self.kernel_size, scale)
        self.lam = lam if mode == "regularised" else "none"
        log_lam = np.log(lam_start) if mode == "regularised" else np.zeros(0)
        self.log_lam_start = tuple(log_lam.tolist())
        if kernel == "predicted" or self.lam == "predicted":
            self.reader = Reader(channels, width=kernel_width, depth=kernel_depth, knows_noise=kernel == "given", rngs=rngs)
        if kernel == "predicted":
            shapes = _blur_shapes(kernel_size, scale) if mode == "regularised" else jax.nn.initializers.normal(1e-3)
            self.to_kernel = nnx.Linear(
                kernel_width, start.size, kernel_init=shapes, bias_init=_constant(start.ravel()), rngs=rngs
            )
        elif kernel == "static":
            self.static_kernel = nnx.Param(jnp.asarray(start.ravel(), jnp.float32))
        if self.lam == "predicted":
            self.to_lam = _small_linear(kernel_width, len(log_lam), bias=log_lam, rngs=rngs)
        elif self.lam == "learned":
            self.log_lam = nnx.Param(jnp.asarray(log_lam, jnp.float32))
        images = max(1, len(log_lam))
        self.entry = _conv((images * scale**2 + 1) * channels + len(log_lam), width, rngs)
        self.entry_activation = PReLU(width)
        self.blocks = nnx.List([Block(width, rngs=rngs) for _ in range(blocks)])
        self.upsampling = SubPixel(width, channels, scale=scale, kernel_init=jax.nn.initializers.normal(1e-4), rngs=rngs)

    def __call__(self, lr: Float[Array, "b h w c"], known: Known | None = None) -> Float[Array, "b sh sw c"]:
        return self._restore(lr, *self.predict(lr, known))

    def objective(
        self, lr: Array, hr: Array, known: Known | None, *, loss: Callable[[Array, Array], Array]
    ) -> Float[Array, ""]:
        """Returns `loss(SR, HR)` plus `kernel_loss` times the mean over images of `sum |k - known k|` over the taps of k.

        Raises:
          InputError: if the true kernel is needed but not known.
        """
        if known is None and self.kernel_loss:
            raise InputError(
                f"kernel_loss={self.kernel_loss:g} compares with the true kernel of each image, which is not known; use 0"
            )
        kernel, log_lam = self.predict(lr, known if self.about.is_told else None)
        used = kernel if self.end_to_end else lax.stop_gradient(kernel)
        value = loss(self._restore(lr, used, log_lam).astype(jnp.float32), hr)
        if known is None or not self.kernel_loss:
            return value
        error = jnp.abs(kernel - with_size(known.kernel.astype(jnp.float32), self.kernel_size))
        return value + self.kernel_loss * jnp.mean(jnp.sum(error, (1, 2)))

    def predict(
        self, lr: Float[Array, "b h w c"], known: Known | None = None
    ) -> tuple[Float[Array, "b k k"], Float[Array, "b n"]]:
        """Step 1: returns the kernel and the log lambdas of each image.

        The kernel is the given one if the network is told; in the literal mode there are no lambdas.

        Raises:
          InputError: if the network must be told but nothing is known.
        """
        if self.about.is_told and known is None:
            raise InputError("kernel='given' needs the true kernel and the noise of each image, which are not known")
        given = known if self.about.is_told else None
        code = self.reader(lr, None if given is None else given.noise) if hasattr(self, "reader") else None
        kernel = given.kernel.astype(jnp.float32) if given is not None else self._kernel(code, lr.shape[0])
        if code is not None and not self.end_to_end:
            code = lax.stop_gradient(code)  # the reader then learns only from the loss on the kernel
        return kernel, self._log_lam(code, lr.shape[0])

    def _kernel(self, code: Any, images: int) -> Float[Array, "b k k"]:
        taps = self.to_kernel(code) if self.kernel == "predicted" else self.static_kernel[...][None]
        taps = taps.astype(jnp.float32)
        taps = jax.nn.softmax(taps) if self.mode == "regularised" else taps
        return jnp.broadcast_to(taps, (images, taps.shape[1])).reshape(images, self.kernel_size, self.kernel_size)

    def _log_lam(self, code: Any, images: int) -> Float[Array, "b n"]:
        match self.lam:
            case "predicted":
                log_lam = self.to_lam(code)
            case "learned":
                log_lam = self.log_lam[...][None]
            case _:
                log_lam = jnp.asarray(self.log_lam_start, jnp.float32)[None]
        log_lam = jnp.clip(log_lam.astype(jnp.float32), *LOG_LAMBDAS)
        return jnp.broadcast_to(log_lam, (images, log_lam.shape[1]))

    def _restore(self, lr: Array, kernel: Array, log_lam: Array) -> Array:
        """Steps 2 and 3: returns SR."""
        deconvolved = self._deconvolve(lr, kernel, log_lam)
        b, h, w, _ = lr.shape
        maps = jnp.broadcast_to(log_lam[:, None, None], (b, h, w, log_lam.shape[1])).astype(lr.dtype)
        x = jnp.concatenate([space_to_depth(deconvolved, self.scale), lr, maps], -1)
        x = self.entry_activation(self.entry(x))
        for block in self.blocks:
            x = block(x)
        return deconvolved[..., : self.channels] + self.upsampling(x)

    def _deconvolve(self, lr: Array, kernel: Array, log_lam: Array) -> Float[Array, "b sh sw n"]:
        """Step 2: returns one image, with all its channels, for each lambda."""
        margin = kernel.shape[1] // self.scale + 1  # twice the reach of the blur, or once that of G
        if self.mode == "regularised":
            kernel = with_size(kernel, max(kernel.shape[1], LEAST_SIZE))
            # With scale - 1 more taps in front, the tap in the layer's middle of the cell is the one on the kept pixel.
            kernel = jnp.pad(kernel, ((0, 0), (self.scale - 1, 0), (self.scale - 1, 0)))
        layer = FourierDeconv(
            lr.shape[-1] * max(1, log_lam.shape[1]),
            kernel_size=kernel.shape[1],
            scale=self.scale,
            kernel="predicted",
            mode=self.mode,
            lam_mode="predicted" if self.mode == "regularised" else "fixed",
            x0=self.x0,
            margin=margin,
        )
        if self.mode == "literal":
            return layer(lr, kernel[..., None])
        lam = jnp.repeat(jnp.exp(log_lam), lr.shape[-1], axis=1)
        return layer(jnp.tile(lr, (1, 1, 1, log_lam.shape[1])), kernel[..., None], lam)


def with_size(kernel: Float[Array, "b k k"], size: int) -> Float[Array, "b n n"]:
    """Pads odd kernels with zeros or crops them to size x size taps about the same middle tap."""
    more = (size - kernel.shape[1]) // 2
    if more < 0:
        return kernel[:, -more:more, -more:more]
    return jnp.pad(kernel, ((0, 0), (more, more), (more, more)))


def _log_power(power: Array) -> Array:
    return jnp.log(power + POWER_FLOOR)


def _conv(in_channels: int, out_channels: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(in_channels, out_channels, (3, 3), kernel_init=HE_NORMAL, rngs=rngs)


def _zero_mean_he(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """He's initialisation minus the mean over the taps, so that filters start blind to flat areas."""
    kernel = HE_NORMAL(key, shape, dtype)
    return kernel - jnp.broadcast_to(jnp.mean(kernel, (0, 1), keepdims=True), shape)


def _scaled_he(factor: float) -> Initializer:
    return jax.nn.initializers.variance_scaling(2 * factor**2, "fan_in", "normal")


def _small_linear(inputs: int, outputs: int, *, bias: np.ndarray | None = None, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear layer that starts near its bias."""
    init = jax.nn.initializers.variance_scaling(0.01, "fan_in", "normal")
    return nnx.Linear(
        inputs, outputs, kernel_init=init, bias_init=_constant(np.zeros(outputs) if bias is None else bias), rngs=rngs
    )


def _constant(values: np.ndarray) -> Initializer:
    return lambda key, shape, dtype=jnp.float32: jnp.asarray(values, dtype).reshape(shape)  # noqa: ARG005


def _offsets(size: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of all taps from the middle of the cell, if the middle tap lies on its kept pixel [LR pixels]."""
    offsets = (np.arange(size) - (size - 1) / 2 + (scale - 1) / 2) / scale
    return offsets[:, None] + np.zeros((1, size)), offsets[None] + np.zeros((size, 1))


def _gaussian_logits(size: int, scale: int) -> np.ndarray:
    y, x = _offsets(size, scale)
    return -(y * y + x * x) / (2 * SIGMA**2)


def _bilinear(size: int, scale: int) -> np.ndarray:
    """The literal kernel G that interpolates bilinearly."""
    taps = np.maximum(0, 1 - np.abs(np.arange(size) - (size - 1) / 2) / scale)
    return np.outer(taps, taps)


def _blur_shapes(size: int, scale: int) -> Initializer:
    """Initial weights from code to logits: its first three numbers make the Gaussian narrower, elongated and slanted."""
    y, x = _offsets(size, scale)
    shapes = np.stack([-(y * y + x * x), y * y - x * x, x * y]).reshape(3, -1) / (2 * SIGMA**2)

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        return (0.01 * jax.random.normal(key, shape, dtype)).at[:3].set(shapes[: shape[0]])

    return init
