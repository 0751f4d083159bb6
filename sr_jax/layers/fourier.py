"""Deconvolution layers that work in the Fourier domain; `docs/deconvolution.md` tells what each is for."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Complex, Float

from sr_jax.layers.initializers import Initializer
from sr_jax.ops.blur import Pair, check_scale, find_centre
from sr_jax.ops.boundary import check_mode, crop_border, extend_border
from sr_jax.ops.circular_conv import fourier_product
from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.data_steps import data_step, data_step_mixed
from sr_jax.ops.interpolate import METHODS, enlarge
from sr_jax.ops.margins import inverse_support
from sr_jax.ops.spectra import channels_first, channels_last, kernel_taps, phase_spectra, reciprocal
from sr_jax.ops.subpixel import interleave

FIRST_GUESSES = ("zero", *METHODS)


class FourierDeconv(nnx.Module):
    """The `jnp.fft` deconvolution layer: LR features to features of `scale` times their height and width.

    - mode "literal": `H = F^-1{ F{LR} F{G} }` with a kernel G, a circular transposed convolution (`fourier_product`).
    - mode "regularised": the deconvolution proper. The kernel is a blur k, and the output is the x that minimises
      `||y - S(k * x)||^2 + lambda ||x - x0||^2` (`data_step`), with the first guess x0 interpolated from y.

    The kernel is "static" (learned, the same for all images), "predicted" (given with each call) or "oracle" (known: `psf`).
    lambda is "fixed", "learned" or "predicted" (given with each call). With channels "depthwise" each channel has its own
    kernel, and its own learned lambda; "full" kernels mix the channels, and share one.

    **Alignment.** Tap `c = (k + s - 2) / 2` of the kernel lies on HR pixel s i, so that LR pixel i lies in the middle of its
    s x s cell, as in every image that was downsampled with half-pixel centres. That needs a kernel size k of the same
    parity as the scale s: anything else is refused, naming the right size, unless `centre` says which tap lies on HR pixel
    s i. So for the "classical" degradations, whose odd blur kernel is centred on the pixel that is kept,
    `centre=(k - 1) // 2`; x0 is then interpolated to match.

    **Borders.** Before the transform the features are extended by `margin` LR pixels as `boundary` says, and cropped
    afterwards. By default the margin is the reach of the inverse (`inverse_support`) for an oracle with fixed lambda, that of
    G for the literal mode, and twice that of the kernel otherwise, where the inverse is not known beforehand.

    Parameters: `kernel` (static), of shape (kh, kw, c), with full channels (1, kh, kw, in, out) for the literal and
    (kh, kw, out, in) for the regularised mode; `log_lam` (learned), of shape (in,), with full channels ().
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
          out_channels: by default as many as in_channels; depthwise kernels allow nothing else.
          kernel_size: of static and predicted kernels.
          psf: the known blur of an oracle, (kh, kw).
          lam: the value of a fixed lambda and the start of a learned one, > 0.
          x0: zero, nearest, bilinear or bicubic; for the regularised mode.
          kernel_init: by default a static kernel starts as bilinear interpolation ("literal") or as the mean over a cell
            ("regularised"); "full" ones then map channel to channel.

        Raises:
          ValueError: naming what does not fit: an unknown word, a kernel whose size and scale have different parity, a psf
            without an oracle, a lambda that is not positive.
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
            raise ValueError("kernel='oracle' needs a psf, and nothing else does")
        if psf is not None:
            if channels == "full" or np.ndim(psf) != 2:
                raise ValueError(
                    f"a psf is (kh, kw) and blurs each channel by itself, not {np.shape(psf)}, channels={channels!r}"
                )
            kernel_size = (np.shape(psf)[0], np.shape(psf)[1])
        elif kernel_size is None:
            raise ValueError(f"kernel={kernel!r} needs a kernel_size")
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.kernel_size = size
        self.centre = find_centre(size, scale, centre)
        self.offset = (self.centre[0] - (size[0] - 1) / 2, self.centre[1] - (size[1] - 1) / 2)  # of LR pixels on the HR grid
        self.scale, self.mode, self.channels, self.boundary = scale, mode, channels, boundary
        self.x0, self.kernel_source, self.lam_mode, self.lam = x0, kernel, lam_mode, lam
        self.out_channels = out_channels
        # As plain numbers: known, not learned, and no state.
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
        """Maps LR features to HR ones.

        Args:
          kernel: of the predicted kind: b kh kw c, or b kh kw 1 for all channels; with full channels b kh kw in out (literal)
            or b kh kw out in (regularised).
          lam: of the predicted kind, positive: a number, with depthwise channels also (c) or (b c).

        Raises:
          ValueError: if a kernel or lambda is missing, or given though the layer has its own, or does not fit.
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
        if self.mode == "literal":  # G lies the other way round than a blur
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
        """See `kernel_init`; shaped as the parameter."""
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


class Converse2D(nnx.Module):
    """The reverse convolution of Huang et al., "Reverse Convolution and Its Applications to Image Restoration" (ICCV 2025).

    Depthwise: each channel y is mapped to the x that minimises `||y - S(k * x)||^2 + lambda ||x - x0||^2`, where x0 is y
    enlarged by nearest neighbour (y itself at scale 1), k and lambda are learned, and `lambda = sigmoid(bias - 9) + eps`.
    Kernels start as a softmax over taps of N(0, 1), lambda near 1e-4.

    Computed in residual form (`data_step`), which never divides by lambda: float32 keeps the 3 to 4 digits that the published
    form loses. Its alignment is `c = (k + s - 2) / 2`, which for the published sizes (k = 5, s = 1; k = s = 2) is the
    published one, and keeps x0 and the output in register for all others. Being linear and equivariant it is a
    depthwise transposed convolution with a long kernel. With kernel_size = scale that is one of kernel_size taps, and
    computed as such; `materialise` gives it where it is short enough, and `transfer` its spectrum, to be computed once
    for inference.

    Parameters: `kernel` (k, k, channels), `bias` (channels,).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 5,
        *,
        scale: int = 1,
        padding: int = 2,
        boundary: str = "circular",
        eps: float = 1e-5,
        rngs: nnx.Rngs,
    ):
        """Sets the layer up.

        Args:
          padding: LR pixels by which the features are extended on every side before the transform; circular needs none.
          eps: the least lambda; 1e-3 in the published upsamplers.

        Raises:
          ValueError: if kernel_size and scale have different parity, the boundary is unknown, or eps negative.
        """
        check_scale(scale)
        check_mode(boundary)
        if boundary == "edgetaper":
            raise ValueError("boundary='edgetaper' is for images; for features use symmetric or replicate")
        if padding < 0 or not eps >= 0:
            raise ValueError(f"padding={padding} and eps={eps} must not be negative")
        if (kernel_size + scale) % 2:
            right = f"{max(1, kernel_size - 1)} or {kernel_size + 1}"
            raise ValueError(f"kernel_size={kernel_size} and scale={scale} must both be even or both odd: use {right}")
        self.centre = find_centre((kernel_size, kernel_size), scale, None)
        logits = jax.random.normal(rngs.params(), (kernel_size**2, channels), jnp.float32)
        self.kernel = nnx.Param(jax.nn.softmax(logits, 0).reshape(kernel_size, kernel_size, channels))
        self.bias = nnx.Param(jnp.zeros((channels,), jnp.float32))
        self.kernel_size, self.scale, self.eps = kernel_size, scale, eps
        self.boundary, self.padding = boundary, 0 if boundary == "circular" else padding

    def __call__(
        self, y: Float[Array, "b h w c"], transfer: Complex[Array, "s s c h2 w2"] | None = None
    ) -> Float[Array, "b sh sw c"]:
        """Maps features; `transfer` is that of `self.transfer(h, w)`, for this size and these parameters.

        With kernel_size = scale nothing is transformed, and `transfer` not used.

        Raises:
          ValueError: if `transfer` is of another size.
        """
        if self.kernel_size == self.scale:
            return self._by_stencil(y)
        single = y.astype(jnp.promote_types(y.dtype, jnp.float32))
        extended = extend_border(single, self.padding, self.boundary)
        x = self._on_torus(extended) if transfer is None else self._by_transfer(extended, transfer)
        return crop_border(x, self.padding * self.scale).astype(y.dtype)

    def _on_torus(self, y: Array) -> Array:
        x0 = enlarge(y, scale=self.scale, method="nearest", boundary="circular")
        return data_step(y, self.kernel[...], x0, self.lam, scale=self.scale)

    def _by_transfer(self, y: Array, transfer: Array) -> Array:
        size = y.shape[1:3]
        expected = (self.scale, self.scale, y.shape[3], size[0], size[1] // 2 + 1)
        if transfer.shape != expected:
            raise ValueError(f"a transfer function of shape {transfer.shape} is of another size: it must be {expected}")
        spectrum = jnp.fft.rfft2(channels_first(y))
        return interleave([[channels_last(jnp.fft.irfft2(spectrum * p[None], size)) for p in row] for row in transfer])

    def _by_stencil(self, y: Array) -> Array:
        """k = s: the cells do not overlap; each is `y t`, with t = 1 + flip(k) (1 - sum k) / (||k||^2 + lambda)."""
        k = self.kernel[...]
        stencil = 1 + k[::-1, ::-1] * ((1 - jnp.sum(k, (0, 1))) / (jnp.sum(k * k, (0, 1)) + self.lam))[None, None]
        single = y.astype(jnp.promote_types(y.dtype, jnp.float32))
        return interleave([[single * tap[None, None, None] for tap in row] for row in stencil]).astype(y.dtype)

    @property
    def lam(self) -> Float[Array, " c"]:
        """lambda of each channel."""
        return jax.nn.sigmoid(self.bias[...] - 9) + self.eps

    def transfer(self, h: int, w: int) -> Complex[Array, "s s c h2 w2"]:
        """The half-spectra of the s x s phases of the layer's impulse response, for features of h x w pixels.

        With x0 by nearest neighbour, phase p of the output is `Y (1 + conj(K_p) (1 - sum K) / (sum |K|^2 + lambda))`.
        """
        size = (h + 2 * self.padding, w + 2 * self.padding)
        kernel = self.kernel[...][None]
        spectra = phase_spectra(kernel.transpose(0, 3, 1, 2), kernel_taps(kernel, self.scale, self.centre), size)
        phases = [part for row in spectra for part in row]
        inverse = reciprocal(sum(re * re + im * im for re, im in phases) + self.lam[None, :, None, None], kernel)
        total = lax.complex(sum(re for re, _ in phases), sum(im for _, im in phases))
        correction = (1 - total) * inverse
        return jnp.stack([jnp.stack([1 + (lax.complex(re, -im) * correction)[0] for re, im in row]) for row in spectra])

    def materialise(self, *, tolerance: float = 1e-4, largest: int = 33) -> "Materialised":
        """The same layer as a plain depthwise transposed convolution, for inference.

        The same to `tolerance` with a circular boundary, and otherwise as far from the border as the response reaches; at the
        border the features are extended by that reach here, and by `padding` there. A fresh layer's response is long (lambda
        is near 1e-4): it is those with kernel_size = scale, or a larger lambda, that are short.

        Args:
          tolerance: the share of the impulse response's absolute sum that may be cut off. It bounds the error of the output,
            relative to that sum times the largest input.
          largest: the largest support allowed, in LR pixels.

        Raises:
          ValueError: if the response is longer; it says how long.
        """
        n, s = 4 * largest, self.scale
        impulse = jnp.zeros((1, n, n, self.bias.shape[0]), jnp.float32).at[:, n // 2, n // 2].set(1)
        response = np.asarray(self._on_torus(impulse)[0])

        def window(radius: int) -> np.ndarray:
            inside = slice((n // 2 - radius) * s, (n // 2 + radius + 1) * s)
            return response[inside, inside]

        total = np.abs(response).sum((0, 1))
        radii = range(n // 2)
        radius = next((r for r in radii if (np.abs(window(r)).sum((0, 1)) >= (1 - tolerance) * total).all()), n // 2)
        if 2 * radius + 1 > largest:
            raise ValueError(
                f"the impulse response reaches over {2 * radius + 1} LR pixels at tolerance={tolerance}, more than "
                f"largest={largest}: keep the Fourier form (`transfer`)"
            )
        return Materialised(jnp.asarray(window(radius)), scale=s, radius=radius, boundary=self.boundary)


class Materialised(nnx.Module):
    """A `Converse2D` whose impulse response has been computed: a depthwise transposed convolution of extended features."""

    def __init__(self, kernel: Float[Array, "k k c"], *, scale: int, radius: int, boundary: str):
        self.kernel = nnx.Param(kernel)
        self.scale, self.radius, self.boundary = scale, radius, boundary

    def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b sh sw c"]:
        if self.boundary == "circular":
            pads = ((0, 0), (self.radius, self.radius), (self.radius, self.radius), (0, 0))
            extended = jnp.pad(y, pads, mode="wrap")
        else:
            extended = extend_border(y, self.radius, self.boundary)
        kernel = self.kernel[...].astype(y.dtype)[:, :, :, None]
        padding = 2 * self.radius * self.scale
        return conv_transpose2d(extended, kernel, stride=self.scale, padding=padding, groups=y.shape[3])


def _check_word(name: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ValueError(f"{name}={value!r} is none of {', '.join(words)}")


def _check_given(name: str, value: object, source: str) -> None:
    if (value is not None) != (source == "predicted"):
        verb = "needs one with each call" if value is None else "takes none"
        raise ValueError(f"a layer whose {name} is {source} {verb}")
