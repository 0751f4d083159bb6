"""What the Fourier operators share: spectra of kernels, layouts, types, and how far an inverse reaches."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Num

from sr_jax.ops.blur import Kernel, Pair, find_centre, phase_taps

PerChannel = float | Num[Array, "*b_c"]


def kernel_taps(k: Array, scale: int, centre: Sequence[int]) -> list[list[list[Pair]]]:
    """For each axis and phase of `blur_downsample`, the (tap, shift)."""
    return [[phase_taps(n, scale, c, phase) for phase in range(scale)] for n, c in zip(k.shape[1:3], centre, strict=True)]


def phase_spectra(k: Array, taps: list[list[list[Pair]]], size: Sequence[int]) -> list[list[tuple[Array, Array]]]:
    """Half-spectra on a torus of `size` pixels of the kernel's phases: `out[r][q]` is (real, imaginary), each ... h w2.

    A phase is the taps listed for it, `tap` at pixel `shift`. They are few: a product of matrices gives their spectrum
    faster than an FFT of the whole torus, in real arithmetic.

    Args:
      k: ... kh kw.
    """
    highest = lax.Precision.HIGHEST

    def waves(n: int, frequencies: int, pairs: list[Pair]) -> tuple[Array, Array]:
        # The angle from integers modulo n: exact also where frequency times shift is large.
        turns = np.outer(np.arange(frequencies), [shift for _, shift in pairs]) % n
        angles = 2 * np.pi * turns / n
        return jnp.asarray(np.cos(angles), k.dtype), jnp.asarray(-np.sin(angles), k.dtype)

    h, w = size
    out: list[list[tuple[Array, Array]]] = [[] for _ in taps[0]]
    row_waves = [waves(h, h, pairs) for pairs in taps[0]]
    for columns in taps[1]:
        part = jnp.take(k, np.array([t for t, _ in columns], int), axis=-1)
        re, im = (jnp.einsum("...ij,wj->...iw", part, wave, precision=highest) for wave in waves(w, w // 2 + 1, columns))
        for row, pairs, (cos, sin) in zip(out, taps[0], row_waves, strict=True):
            picked = np.array([t for t, _ in pairs], int)
            re_rows, im_rows = jnp.take(re, picked, axis=-2), jnp.take(im, picked, axis=-2)

            def product(wave: Array, rows: Array) -> Array:
                return jnp.einsum("hi,...iw->...hw", wave, rows, precision=highest)

            row.append((product(cos, re_rows) - product(sin, im_rows), product(cos, im_rows) + product(sin, re_rows)))
    return out


def cell_sums(k: Float[Array, "b kh kw c"], scale: int) -> Float[Array, "b kh2 kw2 c"]:
    """The kernel as it looks on the LR grid, near enough for a taper."""
    pads = [(0, -n % scale) for n in k.shape[1:3]]
    k = jnp.pad(k, ((0, 0), *pads, (0, 0)))
    return k.reshape(k.shape[0], k.shape[1] // scale, scale, k.shape[2] // scale, scale, k.shape[3]).sum((2, 4))


def channels_first(x: Float[Array, "b h w c"]) -> Float[Array, "b c h w"]:
    def by_product(x: Array) -> Array:
        return jnp.einsum("dc,bhwc->bdhw", jnp.eye(x.shape[3], dtype=x.dtype), x, precision=lax.Precision.HIGHEST)

    # XLA's CPU compiler fuses a sum of windows into the transposition that follows, and then reads memory across its grain: 2.5
    # times slower for the whole data step. It does not look through a product with the identity, which changes nothing.
    if not 4 <= x.shape[3] <= 128:
        return x.transpose(0, 3, 1, 2)
    return lax.platform_dependent(x, cpu=by_product, default=lambda x: x.transpose(0, 3, 1, 2))


def channels_last(x: Float[Array, "b c h w"]) -> Float[Array, "b h w c"]:
    return x.transpose(0, 2, 3, 1)


def reciprocal(power: Float[Array, "b c ..."], k: Float[Array, "b2 kh kw c2"]) -> Float[Array, "b c ..."]:
    """1 / power, and 0 with finite gradients where there is nothing but the rounding error of |K|^2."""
    error = 4 * jnp.finfo(power.dtype).eps * jnp.sum(jnp.abs(lax.stop_gradient(k)), (1, 2))[:, :, None, None]
    is_there = ~(power <= error**2)  # NaN stays NaN
    return jnp.where(is_there, 1 / jnp.where(is_there, power, 1), 0)


def frequencies(size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Cycles a pixel along the axes of a half-spectrum."""
    return np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]


def per_channel(name: str, value: PerChannel, shape: tuple[int, ...]) -> Float[Array, "b c 1 1"]:
    """A number, (c) or (b c) with all four axes of channels-first spectra."""
    value = jnp.asarray(value, working_type(value))
    b, _, _, c = shape
    value = value.reshape(1, 1) if value.ndim == 0 else value[None] if value.ndim == 1 else value
    if value.ndim != 2 or value.shape[0] not in (1, b) or value.shape[1] not in (1, c):
        raise ValueError(f"{name} of shape {value.shape} is none of (), ({c},), ({b}, {c}): one number, or one a channel")
    return value[:, :, None, None]


def check_not_negative(name: str, value, *, positive: bool = False) -> None:
    """Of concrete values; traced ones pass."""
    try:
        least = np.min(np.asarray(value, np.float64)) if not callable(value) else 1.0
    except jax.errors.TracerArrayConversionError:
        return
    if not (least > 0 if positive else least >= 0):
        rule = "be a positive number" if positive else "not be negative, but a number of at least 0"
        raise ValueError(f"{name}={least:g} must {rule}")


def working_type(*arrays) -> jnp.dtype:
    """float32 at least: an FFT takes no bfloat16, and the inverse of a blur would not bear it."""
    return jnp.promote_types(jnp.float32, jnp.result_type(*arrays))


def inverse_support(
    k: Kernel | np.ndarray,
    lam: PerChannel | Callable[..., Any],
    *,
    scale: int = 1,
    centre: int | Pair | None = None,
    penalty: Array | np.ndarray | None = None,
    tail: float = 1e-4,
    largest: int = 256,
) -> int:
    """The radius [LR pixels] outside of which the regularised inverse's response to one LR pixel has `tail` of its energy.

    About so far a wrong guess about the pixels beyond the border is felt inside: the margin that `data_step`, `tikhonov`
    and so on take. (Errors of a whole border that add up, as under a motion blur with a mirrored border, are felt
    further.) For several kernels it is the largest of theirs. Computed on the host in float64, from concrete arrays.

    Args:
      penalty: the high-pass of constrained least squares; without it, the identity.
      largest: the radius at which the search ends.

    Raises:
      ValueError: if k or lam are traced.
    """
    check_not_negative("lam", lam)
    try:
        return _inverse_support(k, lam, scale, centre, penalty, tail, largest)
    except jax.errors.TracerArrayConversionError:
        raise ValueError(
            "the kernel or lambda is traced (jit, grad, vmap), so the reach of its inverse cannot be known here: give "
            "margin=..., for example that of `inverse_support(k, lam, scale=...)` outside"
        ) from None


def _inverse_support(k, lam, scale, centre, penalty, tail, largest) -> int:
    kernels = np.asarray(k, np.float64)
    if not np.isfinite(kernels).all():
        raise ValueError("the kernel is not finite")
    weight = lam if callable(lam) else float(np.min(np.asarray(lam, np.float64)))
    penalty = None if penalty is None else np.asarray(penalty, np.float64)
    kernels = kernels[None, :, :, None] if kernels.ndim == 2 else kernels[None] if kernels.ndim == 3 else kernels
    centres = find_centre(kernels.shape[1:3], scale, centre)
    images = kernels.transpose(0, 3, 1, 2).reshape(-1, *kernels.shape[1:3])
    n = 32
    while n * scale < 2 * max(images.shape[1:]):
        n *= 2
    while True:
        radius = max(_radius(image, weight, scale, centres, penalty, tail, n) for image in images)
        if radius <= n // 4 or n >= 2 * largest:
            return min(radius, largest)
        n *= 2


def _radius(k, lam, scale: int, centre: Sequence[int], penalty, tail: float, n: int) -> int:
    """`inverse_support` of one kernel on a torus of n LR pixels a side."""

    def otf(kernel: np.ndarray, centre: Sequence[int], size: int) -> np.ndarray:
        torus = np.zeros((size, size))
        torus[: kernel.shape[0], : kernel.shape[1]] = kernel
        return np.fft.fft2(np.roll(torus, (-centre[0], -centre[1]), (0, 1)))

    size = n * scale
    transfer = otf(k, centre, size)
    power = np.mean(np.abs(transfer.reshape(scale, n, scale, n)) ** 2, (0, 2))
    frequencies = np.fft.fftfreq(n)
    weight = np.asarray(lam(frequencies[:, None], frequencies[None])) if callable(lam) else lam
    weight = weight.min(-1) if np.ndim(weight) == 3 else weight
    if penalty is not None:
        weight = weight * np.abs(otf(np.asarray(penalty), ((penalty.shape[0] - 1) // 2, (penalty.shape[1] - 1) // 2), n)) ** 2
    total = np.broadcast_to(power + weight, power.shape)
    inverse = np.where(total > 1e-12 * total.max(), 1 / np.where(total > 0, total, 1), 0)
    response = np.fft.ifft2(np.conj(transfer) * np.tile(inverse, (scale, scale))).real
    distance = np.abs(np.fft.fftfreq(size) * size) / scale
    rings = np.ceil(np.maximum(distance[:, None], distance[None])).astype(int)
    energy = np.bincount(rings.ravel(), (response**2).ravel())
    if not energy.sum():
        return 0
    return int(np.searchsorted(np.cumsum(energy) / energy.sum(), 1 - tail))
