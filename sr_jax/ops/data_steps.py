"""Data steps: the closed-form inverse of blur and subsampling. `sr_jax.ops` states the conventions."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Num

from sr_jax.ops.blur import (
    BlurKernel,
    Pair,
    as_batch,
    blur_downsample,
    blur_downsample_adjoint,
    check_image_shape,
    check_kernel_fits,
    check_scale,
    find_centre,
)
from sr_jax.ops.boundary import cell_sums, crop_border, extend_border
from sr_jax.ops.margins import choose_margin, inverse_support
from sr_jax.ops.spectra import (
    PerChannel,
    channels_first,
    channels_last,
    check_floats,
    check_kernel,
    check_not_negative,
    kernel_taps,
    per_channel,
    phase_spectra,
    reciprocal,
    working_type,
)
from sr_jax.ops.subpixel import interleave, space_to_depth

# A blur of at most so many taps is summed tap by tap, which is faster than a transform.
MAX_TAPS = 17 * 17


def data_step(
    y: Num[Array, "b h w c"],
    k: BlurKernel,
    x0: Num[Array, "b sh sw c"],
    lam: PerChannel,
    *,
    scale: int,
    boundary: str = "smooth",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b sh sw c"]:
    """Finds the x that minimises `||y - S(k * x)||^2 + lam ||x - x0||^2`, in closed form, channel by channel.

    The solution is that of Zhao et al. 2016 ("Fast Single Image Super-Resolution Using a New Analytical Solution for l2-l2
    Problems"), in residual form. With `A x = S(k * x)`:

        x = x0 + A^T F^-1{ F{y - A x0} / (D|K|^2 + lam) }

    D|K|^2 is the mean of |K|^2 over the frequencies that alias onto one another, which equals the sum of the power spectra
    of the kernel's s^2 phases. Nothing is divided by lam, so the form is accurate in float32 and finite at lam = 0. There,
    frequencies that k removes keep their value in x0.

    Args:
      y: LR images with values in any range.
      k: the blur kernel, as in `blur_downsample`.
      x0: a first guess at the HR images.
      lam: the weight of the first guess, at least 0: one number, one for each channel (c), or one for each image and
        channel (b, c).
      scale: the factor s between LR and HR, an integer of at least 1.
      boundary: one of `BOUNDARIES`.
      margin: the number of LR pixels by which the images are extended; by default `inverse_support(k, lam, scale=scale)`.
      centre: the tap that lies on the kept pixel, as in `blur_downsample`.

    Raises:
      ValueError: if y or x0 is not float, x0 is not `scale` times as large as y, the kernel does not fit, is larger than the
        image with its margin or has no tap at its centre, lam is negative, or the margin must be given because the kernel or
        lam is traced.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import blur_downsample, data_step
      >>> x, k = jnp.arange(16.0).reshape(1, 4, 4, 1), jnp.full((2, 2), 1 / 4)
      >>> y = blur_downsample(x, k, scale=2)
      >>> restored = data_step(y, k, jnp.zeros_like(x), 1e-6, scale=2)
      >>> bool(jnp.allclose(blur_downsample(restored, k, scale=2), y, atol=1e-3))
      True
    """
    check_scale(scale)
    check_image_shape(y.shape)
    check_floats(y=y, x0=x0)
    dtype = working_type(y, k, x0, lam)
    expected = (y.shape[0], y.shape[1] * scale, y.shape[2] * scale, y.shape[3])
    if x0.shape != expected:
        raise ValueError(f"x0 of shape {x0.shape} does not fit y of shape {y.shape} at scale={scale}: it must be {expected}")
    kernel = as_batch(k, y.shape).astype(dtype)
    check_kernel(k, dtype)
    centres = find_centre(kernel.shape[1:3], scale, centre)
    check_not_negative("lam", lam)
    weights = per_channel("lam", lam, y.shape).astype(dtype)
    margin = choose_margin(boundary, margin, lambda: inverse_support(k, lam, scale=scale, centre=centres))
    check_kernel_fits(kernel.shape[1:3], expected[1:3], margin=margin * scale)
    out_type = jnp.result_type(y, x0)
    y = extend_border(y.astype(dtype), margin, boundary, psf=cell_sums(kernel, scale))
    x0 = extend_border(x0.astype(dtype), margin * scale, boundary, psf=kernel)
    x = _solve(y, kernel, x0, weights, scale, centres)
    return crop_border(x, margin * scale).astype(out_type)


@functools.partial(jax.jit, static_argnums=(4, 5))
def _solve(y: Array, k: Array, x0: Array, lam: Array, scale: int, centre: Pair) -> Array:
    """`data_step` with a circular boundary; k has the axes (b, kh, kw, c), lam (b, c, 1, 1)."""
    size = y.shape[1:3]
    taps = kernel_taps(k, scale, centre)
    few = k.shape[1] * k.shape[2] <= MAX_TAPS
    if few and len({shift for phases in taps for phase in phases for _, shift in phase}) == 1:
        # The kernel stays within one cell of s x s pixels, so A A^T is a multiple of the identity and needs no transform.
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
    y: Num[Array, "b h w i"],
    k: Float[Array, "kh kw o i"],
    x0: Num[Array, "b sh sw o"],
    lam: PerChannel,
    *,
    scale: int,
    boundary: str = "smooth",
    margin: int | None = None,
    centre: int | Pair | None = None,
) -> Float[Array, "b sh sw o"]:
    """`data_step` with kernels that mix the channels.

    Each channel of y is the sum of all channels of x, each blurred by its own kernel. At every frequency of the LR grid,
    this solves a system of i equations, `(A A^H + lam) z = F{y - A x0}`.

    Args:
      y: LR images with values in any range.
      k: the blur kernel for each pair of channels (kh, kw, channels of x, channels of y).
      x0: a first guess at the HR images.
      lam: the weight of the first guess, one positive number.
      scale: the factor s between LR and HR, an integer of at least 1.
      boundary: one of `BOUNDARIES`.
      margin: the number of LR pixels by which the images are extended; by default twice the size of the kernel.
      centre: the tap that lies on the kept pixel, as in `blur_downsample`.

    Raises:
      ValueError: if y or x0 is not float, y, x0 and the kernel do not fit, the kernel is larger than the image with its margin
        or has no tap at its centre, or lam is not one positive number.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import data_step_mixed
      >>> y, x0 = jnp.ones((1, 4, 4, 2)), jnp.zeros((1, 8, 8, 3))
      >>> data_step_mixed(y, jnp.full((2, 2, 3, 2), 1 / 12), x0, 1e-2, scale=2).shape
      (1, 8, 8, 3)
    """
    check_scale(scale)
    check_image_shape(y.shape)
    check_floats(y=y, x0=x0)
    if jnp.ndim(lam):
        raise ValueError(f"lam of shape {jnp.shape(lam)} must be one number: mixed channels share it")
    dtype = working_type(y, k, x0, lam)
    if x0.shape != (y.shape[0], y.shape[1] * scale, y.shape[2] * scale, k.shape[2]) or k.shape[3] != y.shape[3]:
        raise ValueError(
            f"y {y.shape}, x0 {x0.shape} and a kernel {k.shape}, (kh, kw, channels of x, channels of y), do not fit at "
            f"scale={scale}"
        )
    check_kernel(k.transpose(3, 0, 1, 2), dtype)
    check_not_negative("lam", lam, positive=True)
    margin = choose_margin(boundary, margin, lambda: 2 * -(-max(k.shape[:2]) // scale))
    check_kernel_fits(k.shape[:2], x0.shape[1:3], margin=margin * scale)
    centres = find_centre(k.shape[:2], scale, centre)
    kernel = k.astype(dtype)
    mean = jnp.mean(kernel, (2, 3))[None, :, :, None]
    out_type = jnp.result_type(y, x0)
    y = extend_border(y.astype(dtype), margin, boundary, psf=cell_sums(mean, scale))
    x0 = extend_border(x0.astype(dtype), margin * scale, boundary, psf=mean)
    x = _solve_mixed(y, kernel, x0, jnp.asarray(lam, dtype), scale, centres)
    return crop_border(x, margin * scale).astype(out_type)


@functools.partial(jax.jit, static_argnums=(4, 5))
def _solve_mixed(y: Array, k: Array, x0: Array, lam: Array, scale: int, centre: Pair) -> Array:
    """`data_step_mixed` with a circular boundary; k has the axes (kh, kw, o, i)."""
    size, channels, dtype = y.shape[1:3], y.shape[3], y.dtype
    spectra = phase_spectra(k.transpose(2, 3, 0, 1), kernel_taps(k[None], scale, centre), size)
    otfs = jnp.stack([jnp.stack([lax.complex(*part) for part in row]) for row in spectra])  # s s o i h w2
    phases = space_to_depth(x0, scale).reshape(*y.shape[:3], scale, scale, x0.shape[3]).transpose(0, 3, 4, 5, 1, 2)
    highest = lax.Precision.HIGHEST
    blurred = jnp.einsum("stoihw,bstohw->bihw", otfs, jnp.fft.rfft2(phases), precision=highest)
    residual = jnp.fft.rfft2(channels_first(y)) - blurred
    gram = jnp.einsum("stoihw,stojhw->hwij", otfs, jnp.conj(otfs), precision=highest)
    # The Hermitian system becomes a real symmetric one of twice the size, because not every accelerator factorises the former.
    real = jnp.concatenate([jnp.concatenate([gram.real, -gram.imag], -1), jnp.concatenate([gram.imag, gram.real], -1)], -2)
    real += (lam * jnp.eye(2 * channels, dtype=dtype))[None, None]
    real = jnp.where(jnp.isfinite(real), real, jnp.nan)  # a factor of infinity would give 0, and x0 as if it were the solution
    right = residual.transpose(2, 3, 1, 0)  # h w2 i b
    right = jnp.concatenate([right.real, right.imag], 2)
    solved = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(real), right)
    solved = lax.complex(solved[:, :, :channels], solved[:, :, channels:])
    spread = jnp.einsum("stoihw,hwib->stbhwo", jnp.conj(otfs), solved, precision=highest)
    return x0 + interleave([list(row) for row in jnp.fft.irfft2(spread, size, axes=(3, 4))])
