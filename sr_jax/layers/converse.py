"""The reverse convolution Converse2D; `docs/deconvolution.md` tells when to use it."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Complex, Float

from sr_jax.ops.blur import check_scale, find_centre
from sr_jax.ops.boundary import check_mode, crop_border, extend_border
from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.data_steps import data_step
from sr_jax.ops.interpolate import enlarge
from sr_jax.ops.spectra import channels_first, channels_last, kernel_taps, phase_spectra, reciprocal
from sr_jax.ops.subpixel import interleave


class Converse2D(nnx.Module):
    """The reverse convolution of Huang et al., "Reverse Convolution and Its Applications to Image Restoration" (ICCV 2025).

    The layer maps each channel y by itself to the x that minimises `||y - S(k * x)||^2 + lambda ||x - x0||^2`. x0 is y enlarged
    by nearest neighbour (y itself at scale 1). k and lambda are learned, with `lambda = sigmoid(bias - 9) + eps`. Kernels start
    as a softmax over taps from N(0, 1), and lambda starts near 1e-4. Features may have any values.

    The computation is `data_step`, which never divides by lambda. It therefore keeps the 3 to 4 digits that the published form
    loses in float32. Tap `c = (k + s - 2) / 2` lies on HR pixel s i, as published for the published sizes (k = 5, s = 1 and
    k = s = 2), and so that x0 and the output are aligned for all others.

    Since the layer is linear and equivariant, it equals a depthwise transposed convolution with a long kernel. `materialise`
    computes this kernel if it is short enough. `transfer` computes its spectrum, which can be reused for inference. With
    kernel_size = scale the kernel has just kernel_size taps, and the layer is computed without a transform.

    Parameters: `kernel`, of shape (k, k, channels), and `bias`, of shape (channels,).

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from sr_jax.layers import Converse2D
      >>> layer = Converse2D(8, 2, scale=2, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((1, 5, 6, 8))).shape
      (1, 10, 12, 8)
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
          channels: the channels of the features.
          kernel_size: the height and width of the kernel; even or odd as `scale` is.
          scale: the factor between the LR and the HR grid.
          padding: the number of LR pixels by which the features are extended on every side before the transform. A circular
            boundary does not use it.
          boundary: one of `sr_jax.ops.BOUNDARIES`, except "edgetaper".
          eps: the smallest possible lambda; 1e-3 in the published upsamplers.
          rngs: draws the kernel.

        Raises:
          ValueError: if kernel_size and scale are not both even or both odd, the boundary is unknown, or padding or eps is
            negative.
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
        """Maps LR features to HR features.

        Args:
          y: LR features.
          transfer: what `self.transfer(h, w)` returns for this size and these parameters. It is ignored if kernel_size = scale,
            where nothing is transformed.

        Raises:
          ValueError: if `transfer` is for another size.
        """
        if self.kernel_size == self.scale:
            return self._by_stencil(y)
        single = y.astype(jnp.promote_types(y.dtype, jnp.float32))
        extended = extend_border(single, self.padding, self.boundary)
        x = self._on_torus(extended) if transfer is None else self._by_transfer(extended, transfer)
        return crop_border(x, self.padding * self.scale).astype(y.dtype)

    def _on_torus(self, y: Array) -> Array:
        x0 = enlarge(y, scale=self.scale, method="nearest", boundary="circular")
        return data_step(y, self.kernel[...], x0, self.lam, scale=self.scale, boundary="circular")

    def _by_transfer(self, y: Array, transfer: Array) -> Array:
        size = y.shape[1:3]
        expected = (self.scale, self.scale, y.shape[3], size[0], size[1] // 2 + 1)
        if transfer.shape != expected:
            raise ValueError(f"a transfer function of shape {transfer.shape} is for another size: it must be {expected}")
        spectrum = jnp.fft.rfft2(channels_first(y))
        return interleave([[channels_last(jnp.fft.irfft2(spectrum * p[None], size)) for p in row] for row in transfer])

    def _by_stencil(self, y: Array) -> Array:
        """For k = s, where cells do not overlap: a cell is `y t` with t = 1 + flip(k) (1 - sum k) / (||k||^2 + lambda)."""
        k = self.kernel[...]
        stencil = 1 + k[::-1, ::-1] * ((1 - jnp.sum(k, (0, 1))) / (jnp.sum(k * k, (0, 1)) + self.lam))[None, None]
        single = y.astype(jnp.promote_types(y.dtype, jnp.float32))
        return interleave([[single * tap[None, None, None] for tap in row] for row in stencil]).astype(y.dtype)

    @property
    def lam(self) -> Float[Array, " c"]:
        """The lambda of each channel."""
        return jax.nn.sigmoid(self.bias[...] - 9) + self.eps

    def transfer(self, h: int, w: int) -> Complex[Array, "s s c h2 w2"]:
        """Returns the half-spectra of the s x s phases of the layer's impulse response, for features of h x w pixels.

        As x0 is the nearest neighbour, phase p of the output is `Y (1 + conj(K_p) (1 - sum K) / (sum |K|^2 + lambda))`.
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
        """Returns this layer as a plain depthwise transposed convolution, for inference.

        With a circular boundary the two agree to `tolerance`. With other boundaries they agree where the response does not
        reach the border; near it they differ, because the returned layer extends the features by the length of the response,
        and this one by `padding`. The response of a new layer is long, since lambda is near 1e-4. It is short if kernel_size =
        scale or lambda is larger.

        Args:
          tolerance: the share of the absolute sum of the impulse response that may be cut off. It bounds the error of the
            output relative to that sum times the largest input.
          largest: the largest allowed length of the response [LR pixels].

        Raises:
          ValueError: if the response is longer; the message says how long it is.
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
                f"the impulse response is {2 * radius + 1} LR pixels long at tolerance={tolerance}, more than "
                f"largest={largest}: keep the Fourier form (`transfer`)"
            )
        return Materialised(jnp.asarray(window(radius)), scale=s, radius=radius, boundary=self.boundary)


class Materialised(nnx.Module):
    """What `Converse2D.materialise` returns: a depthwise transposed convolution of the extended features."""

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
