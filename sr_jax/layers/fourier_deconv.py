"""Deconvolution in the Fourier domain as a layer; `docs/deconvolution.md` tells when to use it."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from sr_jax.layers.initializers import Initializer
from sr_jax.ops.blur import Pair, check_scale, find_centre
from sr_jax.ops.boundary import check_mode
from sr_jax.ops.circular_conv import fourier_product
from sr_jax.ops.data_steps import data_step, data_step_mixed
from sr_jax.ops.interpolate import METHODS, enlarge
from sr_jax.ops.margins import inverse_support

FIRST_GUESSES = ("zero", *METHODS)


class FourierDeconv(nnx.Module):
    """Deconvolves LR features with `jnp.fft`: the output has `scale` times their height and width.

    The mode says what the layer computes:

    - "literal": `H = F^-1{ F{LR} F{G} }` with a kernel G, a circular transposed convolution (`fourier_product`).
    - "regularised": a true deconvolution. The kernel is a blur k, and the output is the x that minimises
      `||y - S(k * x)||^2 + lambda ||x - x0||^2` (`data_step`; Zhao et al. 2016). The first guess x0 is interpolated from y.

    The kernel is "static" (learned, the same for all images), "predicted" (an argument of each call) or "oracle" (known:
    `psf`). lambda is "fixed", "learned" or "predicted" (an argument of each call). With "depthwise" channels each channel has
    its own kernel and its own learned lambda. With "full" channels the kernel mixes the channels, and one lambda serves all of
    them.

    **Alignment.** Tap `c = (k + s - 2) / 2` of the kernel lies on HR pixel s i. LR pixel i then lies in the middle of its s x s
    cell, as in every image that was downsampled with half-pixel centres. This needs a kernel size k that is even or odd as the
    scale s is; other sizes are refused, and the message names the nearest right ones. `centre` chooses another tap: for
    "classical" degradations, which centre an odd blur kernel on the pixel that is kept, `centre=(k - 1) // 2`. The layer
    interpolates x0 to match.

    **Borders.** Before the transform the features are extended by `margin` LR pixels as `boundary` says; afterwards they are
    cropped. By default the margin is what `inverse_support` measures for an oracle with a fixed lambda, and the size of G for
    the literal mode. Otherwise the inverse is not known in advance, and the margin is twice the size of the kernel.

    Features may have any values. They are transformed in float32, also if they are bfloat16.

    Parameters: `kernel` (static), of shape (kh, kw, c), or for full channels (1, kh, kw, in, out) in the literal and
    (kh, kw, out, in) in the regularised mode; `log_lam` (learned), of shape (in,), or () for full channels.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.layers import FourierDeconv
      >>> psf = jnp.full((4, 4), 1 / 16)  # LR pixels are means of 4x4 HR pixels
      >>> layer = FourierDeconv(3, scale=2, kernel="oracle", psf=psf)
      >>> layer(jnp.ones((1, 5, 6, 3))).shape
      (1, 10, 12, 3)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        kernel_size: int | Pair | None = None,
        *,
        scale: int,
        kernel: str = "static",
        psf: Array | np.ndarray | None = None,
        mode: str = "regularised",
        channels: str = "depthwise",
        lam: float = 1e-2,
        lam_mode: str = "fixed",
        x0: str = "bicubic",
        boundary: str = "symmetric",
        margin: int | None = None,
        centre: int | Pair | None = None,
        kernel_init: Initializer | None = None,
        rngs: nnx.Rngs | None = None,
    ):
        """Sets the layer up.

        Args:
          in_channels: the channels of the features.
          out_channels: by default in_channels; depthwise kernels allow nothing else.
          kernel_size: the size of a static or predicted kernel, an integer or a pair (vertical, horizontal).
          scale: the factor between the LR and the HR grid.
          kernel: "static", "predicted" or "oracle".
          psf: the known blur of an oracle, of shape (kh, kw).
          mode: "literal" or "regularised".
          channels: "depthwise" or "full".
          lam: the value of a fixed lambda, or the initial value of a learned one; positive.
          lam_mode: "fixed", "learned" or "predicted".
          x0: the first guess of the regularised mode: zero, nearest, bilinear or bicubic.
          boundary: one of `sr_jax.ops.BOUNDARIES`.
          margin: the number of LR pixels by which the features are extended.
          centre: the tap that lies on HR pixel s i.
          kernel_init: draws a static kernel. By default it starts as bilinear interpolation (literal) or as the mean over a
            cell (regularised); a full one then maps each channel to itself.
          rngs: only needed with `kernel_init`.

        Raises:
          ValueError: if an option is unknown or two options do not go together, if kernel size and scale are not both even or
            both odd, or if lambda is not positive. The message names the option.
        """
        check_scale(scale)
        check_mode(boundary)
        _check_word("kernel", kernel, ("static", "predicted", "oracle"))
        _check_word("mode", mode, ("regularised", "literal"))
        _check_word("channels", channels, ("depthwise", "full"))
        _check_word("lam_mode", lam_mode, ("fixed", "learned", "predicted"))
        _check_word("x0", x0, FIRST_GUESSES)
        out_channels = in_channels if out_channels is None else out_channels
        if channels == "depthwise" and out_channels != in_channels:
            raise ValueError(f"depthwise kernels keep {in_channels} channels, not {out_channels}: use channels='full'")
        if mode == "regularised" and out_channels != in_channels and x0 != "zero":
            raise ValueError(f"x0={x0!r} has {in_channels} channels, not {out_channels}: use x0='zero'")
        if not lam > 0:
            raise ValueError(f"lam={lam} must be positive")
        if mode == "literal" and lam_mode != "fixed":
            raise ValueError(f"lam_mode={lam_mode!r}: the literal mode has no lambda")
        if (kernel == "oracle") != (psf is not None):
            raise ValueError("kernel='oracle' needs a psf, and other kernels must not have one")
        if psf is not None:
            if channels == "full" or np.ndim(psf) != 2:
                raise ValueError(
                    f"a psf has the shape (kh, kw) and blurs each channel by itself, but its shape is {np.shape(psf)} and "
                    f"channels={channels!r}"
                )
            kernel_size = (np.shape(psf)[0], np.shape(psf)[1])
        elif kernel_size is None:
            raise ValueError(f"kernel={kernel!r} needs a kernel_size")
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.kernel_size = size
        self.centre = find_centre(size, scale, centre)
        self.offset = (self.centre[0] - (size[0] - 1) / 2, self.centre[1] - (size[1] - 1) / 2)  # where x0 has its LR pixels
        self.scale, self.mode, self.channels, self.boundary = scale, mode, channels, boundary
        self.x0, self.kernel_source, self.lam_mode, self.lam = x0, kernel, lam_mode, lam
        self.out_channels = out_channels
        # Plain numbers, because a known blur is neither a parameter nor other state of the module.
        self.psf = None if psf is None else tuple(tuple(row) for row in np.asarray(psf, np.float64).tolist())
        reach = -(-max(size) // scale)
        if boundary == "circular":
            margin = 0
        elif margin is None and psf is not None and mode == "regularised" and lam_mode == "fixed":
            margin = inverse_support(np.asarray(psf), lam, scale=scale, centre=self.centre)
        elif margin is None:
            margin = reach if mode == "literal" else 2 * reach
        elif margin < 0:
            raise ValueError(f"margin={margin} must not be negative")
        self.margin = margin
        if kernel == "static":
            start = self._start(size, in_channels)
            if kernel_init is not None:
                if rngs is None:
                    raise ValueError("kernel_init draws: it needs rngs")
                start = kernel_init(rngs.params(), start.shape, jnp.float32)
            self.kernel = nnx.Param(start)
        if lam_mode == "learned":
            shape = (in_channels,) if channels == "depthwise" else ()
            self.log_lam = nnx.Param(jnp.full(shape, np.log(lam), jnp.float32))

    def __call__(
        self,
        y: Float[Array, "b h w i"],
        kernel: Float[Array, "..."] | None = None,
        lam: Float[Array, "..."] | float | None = None,
    ) -> Float[Array, "b sh sw o"]:
        """Maps LR features to HR features.

        Args:
          y: LR features.
          kernel: the predicted kernel of each image: (b, kh, kw, c), or (b, kh, kw, 1) for all channels. For full channels
            (b, kh, kw, in, out) in the literal and (b, kh, kw, out, in) in the regularised mode.
          lam: the predicted lambda, positive: one number; for depthwise channels also one for each channel, (c,), or for each
            image and channel, (b, c).

        Raises:
          ValueError: if a predicted kernel or lambda is missing or does not fit, or if one is given although it is not
            predicted.
        """
        _check_given("kernel", kernel, self.kernel_source)
        _check_given("lam", lam, self.lam_mode)
        k = self._kernel(y.dtype) if kernel is None else kernel
        axes = 5 if self.channels == "full" else 4
        if kernel is not None and (k.ndim != axes or k.shape[1:3] != self.kernel_size):
            raise ValueError(
                f"a predicted kernel of shape {k.shape} does not fit: it must have {axes} axes, the first of them the batch, "
                f"and {self.kernel_size[0]}x{self.kernel_size[1]} taps"
            )
        options = {"scale": self.scale, "boundary": self.boundary, "margin": self.margin, "centre": self.centre}
        if self.mode == "literal":  # unlike a blur, G is not flipped
            options["centre"] = (self.kernel_size[0] - 1 - self.centre[0], self.kernel_size[1] - 1 - self.centre[1])
            return fourier_product(y, k, **options)
        weight = jnp.exp(self.log_lam[...]) if self.lam_mode == "learned" else self.lam if lam is None else lam
        x0 = self._first_guess(y)
        if self.channels == "depthwise":
            return data_step(y, k, x0, weight, **options)
        if k.ndim == 4:
            return data_step_mixed(y, k, x0, weight, **options)

        def one(y: Array, k: Array, x0: Array) -> Array:
            return data_step_mixed(y[None], k, x0[None], weight, **options)[0]

        return jax.vmap(one)(y, jnp.broadcast_to(k, (y.shape[0], *k.shape[1:])), x0)

    def _kernel(self, dtype: jnp.dtype) -> Array:
        return self.kernel[...] if self.psf is None else jnp.asarray(self.psf, jnp.promote_types(dtype, jnp.float32))

    def _first_guess(self, y: Array) -> Array:
        if self.x0 == "zero":
            return jnp.zeros((y.shape[0], y.shape[1] * self.scale, y.shape[2] * self.scale, self.out_channels), y.dtype)
        return enlarge(y, scale=self.scale, method=self.x0, boundary=self.boundary, offset=self.offset)

    def _start(self, size: Pair, channels: int) -> Array:
        """The default initial kernel, in the shape of the parameter."""
        if self.mode == "literal":
            taps = [np.maximum(0, 1 - np.abs(np.arange(k) - (k - 1) / 2) / self.scale) for k in size]
        else:
            taps = [(np.abs(np.arange(k) - (k - 1) / 2) < self.scale / 2) / min(k, self.scale) for k in size]
        kernel = np.outer(*taps)[:, :, None]
        if self.channels == "depthwise":
            return jnp.asarray(np.broadcast_to(kernel, (*size, channels)), jnp.float32)
        kernel = kernel[..., None] * np.eye(channels, self.out_channels)
        kernel = kernel[None] if self.mode == "literal" else kernel.swapaxes(2, 3)
        return jnp.asarray(kernel, jnp.float32)


def _check_word(name: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ValueError(f"{name}={value!r} is not one of {', '.join(words)}")


def _check_given(name: str, value: object, source: str) -> None:
    if (value is not None) != (source == "predicted"):
        verb = "needs one with each call" if value is None else "does not take one"
        raise ValueError(f"a layer whose {name} is {source} {verb}")
