"""Circular transposed convolution as a product of spectra. `sr_jax.ops` states the conventions."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Num

from sr_jax.ops.blur import (
    BlurKernel,
    Pair,
    as_batch,
    check_centre,
    check_image_shape,
    check_kernel_fits,
    check_scale,
    find_centre,
)
from sr_jax.ops.boundary import cell_sums, crop_border, extend_border
from sr_jax.ops.margins import choose_margin
from sr_jax.ops.spectra import channels_first, channels_last, check_floats, phase_spectra, working_type
from sr_jax.ops.subpixel import interleave


def fourier_product(
    lr: Num[Array, "b h w i"],
    g: BlurKernel | Float[Array, "b_or_1 kh kw i2 o"],
    *,
    scale: int,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b sh sw o"]:
    """Computes `H = F^-1{ F{LR} F{G} }`, with zeros inserted between the pixels of LR: a circular transposed convolution.

    H[n] is the sum of `lr[i] g[n - scale * i + centre]` over i, so tap `centre` of G lies on HR pixel `scale * i`. Nothing
    is inverted: the product deconvolves only if G is itself an inverse.

    Args:
      lr: LR images with values in any range.
      g: the kernel G. With five axes (b is 1 or the number of images) it mixes the channels; with fewer it acts on each
        channel separately, as in `blur_downsample`.
      scale: the factor s between LR and HR, an integer of at least 1.
      boundary: one of `BOUNDARIES`.
      margin: the number of LR pixels by which the images are extended; by default the size of G.
      centre: by default `(k - s) / 2`, which puts the middle of G into the middle of the pixel's s x s cell.

    Raises:
      ValueError: if lr is not float, the kernel does not fit or is larger than the HR image with its margin, or an option is
        out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import fourier_product
      >>> lr = jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1)
      >>> print(fourier_product(lr, jnp.ones((2, 2)), scale=2).round(3)[0, :, :, 0])
      [[1. 1. 2. 2.]
       [1. 1. 2. 2.]]
    """
    check_scale(scale)
    check_image_shape(lr.shape)
    check_floats(lr=lr)
    dtype = working_type(lr, g)
    full = g.ndim == 5
    if full and (g.shape[0] not in (1, lr.shape[0]) or g.shape[3] != lr.shape[3]):
        raise ValueError(f"a kernel of shape {g.shape}, (b, kh, kw, in, out), does not fit an input of shape {lr.shape}")
    k = g if full else as_batch(g, lr.shape)[..., None]  # b kh kw i o
    margin = choose_margin(boundary, margin, lambda: -(-max(k.shape[1:3]) // scale))
    check_kernel_fits(k.shape[1:3], (lr.shape[1] * scale, lr.shape[2] * scale), margin=margin * scale)
    if centre is None:
        cy, cx = find_centre(k.shape[1:3], scale, None)
        centre = (k.shape[1] - 1 - cy, k.shape[2] - 1 - cx)
    centres = check_centre(k.shape[1:3], centre, beyond=(scale - 1, 0))
    y = extend_border(lr.astype(dtype), margin, boundary, psf=cell_sums(jnp.mean(k, -1), scale))
    return crop_border(_product(y, k.astype(dtype), scale, centres, full), margin * scale).astype(lr.dtype)


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def _product(y: Array, k: Array, scale: int, centres: Pair, full: bool) -> Array:
    """`fourier_product` with a circular boundary; k has the axes (b, kh, kw, i, o) and sums over i if it is `full`."""
    size = y.shape[1:3]
    spectrum = jnp.fft.rfft2(channels_first(y))[:, :, None]  # b i 1 h w2
    # Phase p takes tap t from the LR pixel `shift` before it, where t - p - centre = scale * shift.
    taps = [
        [[(t, (t - p - c) // scale) for t in range(n) if (t - p - c) % scale == 0] for p in range(scale)]
        for n, c in zip(k.shape[1:3], centres, strict=True)
    ]
    spectra = phase_spectra(k.transpose(0, 3, 4, 1, 2), taps, size)
    rows = []
    for row in spectra:
        products = (lax.complex(*part) * spectrum for part in row)
        products = (jnp.sum(p, 1) if full else p[:, :, 0] for p in products)
        rows.append([channels_last(jnp.fft.irfft2(p, size)) for p in products])
    return interleave(rows)
