"""Deconvolution in the Fourier domain; `docs/deconvolution.md` tells the theory.

Conventions of kernels, scale and centre: `sr_jax.ops.blur`. Spectra are half-spectra, as of `jnp.fft.rfft2` over height and
width, unnormalised. Images are NHWC with values in any range. Everything is computed in float32 (or float64, where an argument
is), also for bfloat16 images, and returned in the image's own type.

Boundaries: the operators are circular. `boundary` (see `sr_jax.ops.boundary`) first extends the images by `margin` pixels
of the LR image, and crops the result. What happens beyond the border reaches as far inwards as the *inverse* reaches, which
is more than the kernel's size: `inverse_support` measures it, and `margin=None` means just that. As the margin is a shape, it
cannot depend on traced values: where `jax.jit` or `jax.grad` traces the kernel or lambda, give a `margin`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from sr_jax.ops.blur import (
    Kernel,
    Pair,
    as_batch,
    blur_downsample,
    blur_downsample_adjoint,
    check_centre,
    check_image_shape,
    check_scale,
    find_centre,
)
from sr_jax.ops.boundary import check_mode, crop, extend
from sr_jax.ops.spectra import (
    PerChannel,
    cell_sums,
    channels_first,
    channels_last,
    check_not_negative,
    frequencies,
    inverse_support,
    kernel_taps,
    per_channel,
    phase_spectra,
    reciprocal,
    working_type,
)
from sr_jax.ops.subpixel import interleave, space_to_depth

LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32) / 4
"""The high-pass of constrained least squares (Hunt 1973), by default."""

MAX_TAPS = 17 * 17  # up to so many, the blur of the data step is summed tap by tap; beyond, it goes through the transform

PerFrequency = float | Float[Array, "*frequencies"] | Callable[[np.ndarray, np.ndarray], Array]


def psf_to_otf(
    k: Kernel, size: Sequence[int], *, scale: int = 1, centre: int | Pair | None = None
) -> Complex[Array, "*spectrum"]:
    """The transfer function of a kernel on a torus of `size` pixels: its half-spectrum, with `centre` moved to pixel (0, 0).

    Multiplying `rfft2(x)` by it convolves x with k, circularly. Axes as those of k, with (h, w // 2 + 1) for (kh, kw).

    Raises:
      ValueError: if the kernel is larger than `size`, or its centre undefined.
    """
    h, w = size
    full = as_batch(k, (k.shape[0] if k.ndim == 4 else 1, h, w, k.shape[-1] if k.ndim > 2 else 1), scale=1)
    cy, cx = find_centre(full.shape[1:3], scale, centre)
    torus = jnp.zeros((full.shape[0], h, w, full.shape[3]), working_type(k)).at[:, : full.shape[1], : full.shape[2]].set(full)
    otf = jnp.fft.rfft2(jnp.roll(torus, (-cy, -cx), (1, 2)), axes=(1, 2))
    return otf[0, ..., 0] if k.ndim == 2 else otf[0] if k.ndim == 3 else otf


def otf_to_psf(
    otf: Complex[Array, "*spectrum"], size: Pair, kernel_size: Pair, *, scale: int = 1, centre: int | Pair | None = None
) -> Float[Array, "*kernel"]:
    """The inverse of `psf_to_otf`: the `kernel_size` pixels around pixel (0, 0) of the torus of `size` pixels.

    Raises:
      ValueError: if the spectrum is not that of `size`, or its kernel would be larger than `size`.
    """
    axis = 0 if otf.ndim < 4 else 1
    if otf.shape[axis : axis + 2] != (size[0], size[1] // 2 + 1):
        raise ValueError(f"a spectrum of shape {otf.shape} is not that of {size[0]}x{size[1]} pixels")
    if kernel_size[0] > size[0] or kernel_size[1] > size[1]:
        raise ValueError(f"a {kernel_size[0]}x{kernel_size[1]} kernel is larger than the {size[0]}x{size[1]} image")
    torus = jnp.fft.irfft2(otf, size, axes=(axis, axis + 1))
    torus = jnp.roll(torus, find_centre(kernel_size, scale, centre), (axis, axis + 1))
    rows = lax.slice_in_dim(torus, 0, kernel_size[0], axis=axis)
    return lax.slice_in_dim(rows, 0, kernel_size[1], axis=axis + 1)


def fourier_product(
    lr: Float[Array, "b h w i"],
    g: Kernel | Float[Array, "b_or_1 kh kw i2 o"],
    *,
    scale: int,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b sh sw o"]:
    """The literal `H = F^-1{ F{LR} F{G} }`, with LR zero-inserted to the HR grid: a circular transposed convolution with G.

    H[n] is the sum of `lr[i] g[n - scale * i + centre]` over i: tap `centre` of G lies on HR pixel s i. By default that is
    `(k - s) / 2` (the mirror image of the rule for blurs), which puts the middle of G into the middle of the pixel's cell.
    Nothing is inverted here: it deconvolves only where G is an inverse itself. A kernel of five axes (b is 1 or that of
    lr) mixes the channels; any other acts on each channel by itself. `margin=None` means the reach of G.

    Raises:
      ValueError: if the kernel does not fit, or is larger than the HR image, or an option is out of range.
    """
    check_scale(scale)
    check_image_shape(lr.shape)
    dtype = working_type(lr, g)
    full = g.ndim == 5
    if full and (g.shape[0] not in (1, lr.shape[0]) or g.shape[3] != lr.shape[3]):
        raise ValueError(f"a kernel of shape {g.shape}, (b, kh, kw, in, out), does not fit an input of shape {lr.shape}")
    roomy = _extended(lr.shape, boundary, max(g.shape))
    k = g if full else as_batch(g, roomy, scale=scale)[..., None]  # b kh kw i o
    margin = _choose_margin(boundary, margin, lambda: -(-max(k.shape[1:3]) // scale))
    h, w = _extended(lr.shape, boundary, margin)[1:3]
    if k.shape[1] > h * scale or k.shape[2] > w * scale:
        raise ValueError(f"a kernel of shape {g.shape} is larger than the image of {scale} x {(h, w)} pixels")
    if centre is None:
        cy, cx = find_centre(k.shape[1:3], scale, None)
        centre = (k.shape[1] - 1 - cy, k.shape[2] - 1 - cx)
    centres = check_centre(k.shape[1:3], centre, beyond=(scale - 1, 0))
    y = extend(lr.astype(dtype), margin, boundary, psf=cell_sums(jnp.mean(k, -1), scale))
    return crop(_product(y, k.astype(dtype), scale, centres, full), margin * scale).astype(lr.dtype)


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def _product(y: Array, k: Array, scale: int, centres: Pair, full: bool) -> Array:
    """`fourier_product` on a torus; k is b kh kw i o, summed over i if it is full."""
    size = y.shape[1:3]
    spectrum = jnp.fft.rfft2(channels_first(y))[:, :, None]  # b i 1 h w2
    # Phase p takes tap t from `shift` LR pixels before it, t - p - centre = scale * shift.
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


def tikhonov(
    y: Float[Array, "b h w c"],
    k: Kernel,
    lam: PerChannel,
    *,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """`min ||y - k * x||^2 + lam ||x||^2`: X = conj(K) Y / (|K|^2 + lam).

    Args:
      lam: >= 0; one number, or one for each channel (c), or for each image and channel (b c).

    Raises:
      ValueError: if lam is negative, the kernel does not fit or has no middle, or the margin cannot be known (see above).
    """
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape)
    return _regularised_inverse(y, k, lambda _: weights, lam, boundary=boundary, margin=margin, centre=centre)


def wiener(
    y: Float[Array, "b h w c"],
    k: Kernel,
    nsr: PerFrequency,
    *,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """The Wiener filter, X = conj(K) Y / (|K|^2 + nsr): of all linear filters the one with the least mean squared error.

    Args:
      nsr: the ratio of the noise's to the image's power spectrum, >= 0. One number, one for each channel (c), one for
        each frequency of the half-spectrum (h w2, or h w2 c), or a function `nsr(fy, fx)` of the frequencies in cycles
        a pixel, arrays of shapes (h, 1) and (1, w2). Of the extended image, where the boundary extends it.

    Raises:
      ValueError: as `tikhonov`.
    """

    def at(size: Sequence[int]) -> Array:
        value = nsr(*frequencies(size)) if callable(nsr) else nsr
        value = jnp.asarray(value)
        check_not_negative("nsr", value)
        if value.ndim < 2:
            return per_channel("nsr", value, y.shape)
        if callable(nsr):
            shape = (size[0], size[1] // 2 + 1, *value.shape[2:])
            value = jnp.broadcast_to(value, shape)
        if value.shape[:2] != (size[0], size[1] // 2 + 1) or (value.ndim == 3 and value.shape[2] not in (1, y.shape[3])):
            raise ValueError(
                f"nsr of shape {value.shape} does not fit: the half-spectrum of the (extended) image has the shape "
                f"({size[0]}, {size[1] // 2 + 1})"
            )
        return value[None, None] if value.ndim == 2 else value.transpose(2, 0, 1)[None]

    return _regularised_inverse(y, k, at, nsr, boundary=boundary, margin=margin, centre=centre)


def constrained_least_squares(
    y: Float[Array, "b h w c"],
    k: Kernel,
    lam: PerChannel,
    *,
    penalty: Float[Array, "ph pw"] | np.ndarray = LAPLACIAN,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b h w c"]:
    """`min ||y - k * x||^2 + lam ||p * x||^2`: X = conj(K) Y / (|K|^2 + lam |P|^2), with a high-pass kernel p (Hunt 1973).

    Raises:
      ValueError: as `tikhonov`.
    """
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape)

    def at(size: Sequence[int]) -> Array:
        middle = ((penalty.shape[0] - 1) // 2, (penalty.shape[1] - 1) // 2)
        otf = psf_to_otf(jnp.asarray(penalty, working_type(y, k, lam)), size, centre=middle)
        return weights * (otf.real**2 + otf.imag**2)[None, None]

    return _regularised_inverse(y, k, at, lam, boundary=boundary, margin=margin, centre=centre, penalty=penalty)


def data_step(
    y: Float[Array, "b h w c"],
    k: Kernel,
    x0: Float[Array, "b sh sw c"],
    lam: PerChannel,
    *,
    scale: int,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b sh sw c"]:
    """The x that minimises `||y - S(k * x)||^2 + lam ||x - x0||^2`, in closed form, channel by channel.

    Zhao et al. 2016 ("Fast Single Image Super-Resolution Using a New Analytical Solution for l2-l2 Problems"), in residual
    form. With A x = S(k * x), on the LR grid:

        x = x0 + A^T F^-1{ F{y - A x0} / (D|K|^2 + lam) }

    where D|K|^2, the mean of |K|^2 over the frequencies that alias onto one another, is the sum of the power spectra of
    the kernel's s^2 phases. Nothing is divided by lam: the form is exact in float32, and finite at lam = 0 (frequencies that
    k removes altogether then keep their x0).

    Args:
      lam: >= 0; one number, or one for each channel (c), or for each image and channel (b c).

    Raises:
      ValueError: if x0 is not `scale` times y, the kernel does not fit or has no tap at its centre, lam is negative, or
        the margin cannot be known (see above).
    """
    check_scale(scale)
    check_image_shape(y.shape)
    dtype = working_type(y, k, x0, lam)
    expected = (y.shape[0], y.shape[1] * scale, y.shape[2] * scale, y.shape[3])
    if x0.shape != expected:
        raise ValueError(f"x0 of shape {x0.shape} does not fit y of shape {y.shape} at scale={scale}: it must be {expected}")
    kernel = as_batch(k, _extended(y.shape, boundary, margin or 0), scale=scale).astype(dtype)
    centres = find_centre(kernel.shape[1:3], scale, centre)
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape).astype(dtype)
    margin = _choose_margin(boundary, margin, lambda: inverse_support(k, lam, scale=scale, centre=centres))
    out_type = jnp.result_type(y, x0)
    y = extend(y.astype(dtype), margin, boundary, psf=cell_sums(kernel, scale))
    x0 = extend(x0.astype(dtype), margin * scale, boundary, psf=kernel)
    x = _solve(y, kernel, x0, weights, scale, centres)
    return crop(x, margin * scale).astype(out_type)


@functools.partial(jax.jit, static_argnums=(4, 5))
def _solve(y: Array, k: Array, x0: Array, lam: Array, scale: int, centre: Pair) -> Array:
    """`data_step` on a torus; k is b kh kw c, lam b c 1 1."""
    size = y.shape[1:3]
    taps = kernel_taps(k, scale, centre)
    few = k.shape[1] * k.shape[2] <= MAX_TAPS
    if few and len({shift for phases in taps for phase in phases for _, shift in phase}) == 1:
        # The kernel stays within one cell of s x s pixels: A A^T is a multiple of the identity, and nothing needs a transform.
        power = jnp.sum(k * k, (1, 2), keepdims=True).transpose(0, 3, 1, 2)
        residual = y - blur_downsample(x0, k, scale=scale, centre=centre)
        filtered = residual * channels_last(reciprocal(power + lam, k))
        return x0 + blur_downsample_adjoint(filtered, k, scale=scale, centre=centre)
    spectra = phase_spectra(k.transpose(0, 3, 1, 2), taps, size)
    inverse = reciprocal(sum(re * re + im * im for row in spectra for re, im in row) + lam, k)
    if few:
        residual = y - blur_downsample(x0, k, scale=scale, centre=centre)
        filtered = jnp.fft.rfft2(channels_first(residual)) * inverse
        return x0 + blur_downsample_adjoint(channels_last(jnp.fft.irfft2(filtered, size)), k, scale=scale, centre=centre)
    otfs = jnp.stack([jnp.stack([lax.complex(*part) for part in row], 1) for row in spectra], 1)  # b s s c h w2
    phases = space_to_depth(x0, scale).reshape(*y.shape[:3], scale, scale, y.shape[3]).transpose(0, 3, 4, 5, 1, 2)
    residual = jnp.fft.rfft2(channels_first(y)) - jnp.sum(otfs * jnp.fft.rfft2(phases), (1, 2))
    filtered = (residual * inverse)[:, None, None]
    phases = jnp.fft.irfft2(jnp.conj(otfs) * filtered, size).transpose(1, 2, 0, 4, 5, 3)
    return x0 + interleave([list(row) for row in phases])


def data_step_mixed(
    y: Float[Array, "b h w i"],
    k: Float[Array, "kh kw o i"],
    x0: Float[Array, "b sh sw o"],
    lam: PerChannel,
    *,
    scale: int,
    boundary: str = "circular",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b sh sw o"]:
    """`data_step` where every channel of y is a sum of all channels of x, each blurred by a kernel of its own.

    At every frequency of the LR grid this solves an i x i system, (A A^H + lam) z = F{y - A x0}. `margin=None` means twice the
    reach of the kernel. lam is one number.

    Raises:
      ValueError: as `data_step`; lam must be positive here.
    """
    check_scale(scale)
    check_image_shape(y.shape)
    if jnp.ndim(lam):
        raise ValueError(f"lam of shape {jnp.shape(lam)} must be one number: channels that mix share it")
    dtype = working_type(y, k, x0, lam)
    if x0.shape != (y.shape[0], y.shape[1] * scale, y.shape[2] * scale, k.shape[2]) or k.shape[3] != y.shape[3]:
        raise ValueError(
            f"y {y.shape}, x0 {x0.shape} and a kernel {k.shape}, (kh, kw, channels of x, channels of y), do not fit at "
            f"scale={scale}"
        )
    if k.shape[0] > x0.shape[1] or k.shape[1] > x0.shape[2]:
        raise ValueError(f"a {k.shape[0]}x{k.shape[1]} kernel is larger than the {x0.shape[1]}x{x0.shape[2]} image")
    check_not_negative("lam", lam, positive=True)
    margin = _choose_margin(boundary, margin, lambda: 2 * -(-max(k.shape[:2]) // scale))
    centres = find_centre(k.shape[:2], scale, centre)
    kernel = k.astype(dtype)
    mean = jnp.mean(kernel, (2, 3))[None, :, :, None]
    out_type = jnp.result_type(y, x0)
    y = extend(y.astype(dtype), margin, boundary, psf=cell_sums(mean, scale))
    x0 = extend(x0.astype(dtype), margin * scale, boundary, psf=mean)
    x = _solve_mixed(y, kernel, x0, jnp.asarray(lam, dtype), scale, centres)
    return crop(x, margin * scale).astype(out_type)


@functools.partial(jax.jit, static_argnums=(4, 5))
def _solve_mixed(y: Array, k: Array, x0: Array, lam: Array, scale: int, centre: Pair) -> Array:
    """`data_step_mixed` on a torus; k is kh kw o i."""
    size, channels, dtype = y.shape[1:3], y.shape[3], y.dtype
    spectra = phase_spectra(k.transpose(2, 3, 0, 1), kernel_taps(k[None], scale, centre), size)
    otfs = jnp.stack([jnp.stack([lax.complex(*part) for part in row]) for row in spectra])  # s s o i h w2
    phases = space_to_depth(x0, scale).reshape(*y.shape[:3], scale, scale, x0.shape[3]).transpose(0, 3, 4, 5, 1, 2)
    highest = lax.Precision.HIGHEST
    blurred = jnp.einsum("stoihw,bstohw->bihw", otfs, jnp.fft.rfft2(phases), precision=highest)
    residual = jnp.fft.rfft2(channels_first(y)) - blurred
    gram = jnp.einsum("stoihw,stojhw->hwij", otfs, jnp.conj(otfs), precision=highest)
    # A Hermitian system as a real symmetric one of twice the size, which every accelerator can factorise.
    real = jnp.concatenate([jnp.concatenate([gram.real, -gram.imag], -1), jnp.concatenate([gram.imag, gram.real], -1)], -2)
    real += (lam * jnp.eye(2 * channels, dtype=dtype))[None, None]
    right = residual.transpose(2, 3, 1, 0)  # h w2 i b
    right = jnp.concatenate([right.real, right.imag], 2)
    solved = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(real), right)
    solved = lax.complex(solved[:, :, :channels], solved[:, :, channels:])
    spread = jnp.einsum("stoihw,hwib->stbhwo", jnp.conj(otfs), solved, precision=highest)
    return x0 + interleave([list(row) for row in jnp.fft.irfft2(spread, size, axes=(3, 4))])


def _extended(shape: tuple[int, ...], boundary: str, margin: int) -> tuple[int, ...]:
    """The image's shape on the torus."""
    b, h, w, c = shape
    more = 0 if boundary == "circular" else 2 * margin
    return b, h + more, w + more, c


def _choose_margin(boundary: str, margin: int | None, default: Callable[[], int]) -> int:
    """The circular boundary extends nothing; otherwise what was given, or else the default."""
    check_mode(boundary)
    if boundary == "circular":
        return 0
    return default() if margin is None else margin


def _regularised_inverse(
    y: Array, k: Array, weight_at: Callable[[Sequence[int]], Array], lam: Any, *, boundary, margin, centre, penalty=None
) -> Array:
    """X = conj(K) Y / (|K|^2 + weight), with the weight (b c h w2, or 1s) at an image size."""
    dtype = working_type(y, k) if callable(lam) else working_type(y, k, lam)
    kernel = as_batch(k, y.shape, scale=1).astype(dtype)
    centres = find_centre(kernel.shape[1:3], 1, centre)
    margin = _choose_margin(boundary, margin, lambda: inverse_support(k, lam, centre=centres, penalty=penalty))
    image = extend(y.astype(dtype), margin, boundary, psf=kernel)
    x = _filter(image, kernel, weight_at(image.shape[1:3]).astype(dtype), centres)
    return crop(x, margin).astype(y.dtype if jnp.issubdtype(y.dtype, jnp.floating) else dtype)


@functools.partial(jax.jit, static_argnums=3)
def _filter(y: Array, k: Array, weight: Array, centre: Pair) -> Array:
    """conj(K) Y / (|K|^2 + weight) on a torus."""
    ((otf,),) = phase_spectra(k.transpose(0, 3, 1, 2), kernel_taps(k, 1, centre), y.shape[1:3])
    inverse = reciprocal(otf[0] ** 2 + otf[1] ** 2 + weight, k)
    spectrum = lax.complex(otf[0], -otf[1]) * inverse * jnp.fft.rfft2(channels_first(y))
    return channels_last(jnp.fft.irfft2(spectrum, y.shape[1:3]))
