"""Blur kernels as arrays: Gaussians and their generalisations, sinc, disk, motion. Each sums to one.

A kernel is `size x size`; its tap `(size - 1) / 2` is the origin, and `shift` moves the shape's middle from there, down and to
the right [pixels]. Angles are in degrees, counter-clockwise from the columns' direction, as the eye sees them. Every
parameter but the size may be traced.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Scalar = Float[Array, ""] | float
Kernel = Float[Array, "k k"]

_QUADRATURE = 64  # nodes of Bessel's integral, enough for arguments up to 50
_FINE = 8  # parts of a pixel's side in which a disk's edge is resolved
_POINTS = 128  # of a straight motion


def gaussian(size: int, *, sigma: tuple[Scalar, Scalar], angle: Scalar, shift: float) -> Kernel:
    """`exp(-q / 2)`, with q the squared distance in standard deviations `sigma` [pixels] along `angle` and across it."""
    q = _squared_distance(size, sigma, angle, shift)
    return normalised(jnp.exp(-0.5 * (q - q.min())))


def generalised_gaussian(size: int, *, sigma: tuple[Scalar, Scalar], angle: Scalar, beta: Scalar, shift: float) -> Kernel:
    """`exp(-q^beta / 2)`: peaked for beta < 1, flat for beta > 1 (Wang et al., Real-ESRGAN, 2021)."""
    return normalised(jnp.exp(-0.5 * _squared_distance(size, sigma, angle, shift) ** beta))


def plateau(size: int, *, sigma: tuple[Scalar, Scalar], angle: Scalar, beta: Scalar, shift: float) -> Kernel:
    """`1 / (1 + q^beta)`: a flat top and long tails (Wang et al., Real-ESRGAN, 2021)."""
    return normalised(1 / (1 + _squared_distance(size, sigma, angle, shift) ** beta))


def sinc(size: int, *, cutoff: Scalar) -> Kernel:
    """The circular ideal low-pass `w / (2 pi r) J1(w r)` with cutoff w in (0, pi] [radians a pixel], cut to the size.

    Wang et al., Real-ESRGAN, 2021.
    """
    y, x = offsets(size, 0.0)
    r = jnp.hypot(y, x)
    away = jnp.where(r > 0, r, 1)
    return normalised(jnp.where(r > 0, cutoff * bessel_j1(cutoff * away) / away, cutoff**2 / 2))


def bessel_j1(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """J1 for |x| < 50, by the trapezoidal rule on Bessel's integral, which converges faster than any power."""
    t = (np.arange(_QUADRATURE) + 0.5) * (np.pi / _QUADRATURE)
    t = t.reshape([1] * x.ndim + [-1])
    phase = jnp.asarray(t, x.dtype) - x[..., None] * jnp.asarray(np.sin(t), x.dtype)
    return jnp.mean(jnp.cos(phase), -1)


def disk(size: int, *, radius: Scalar, shift: float) -> Kernel:
    """A disk of even brightness, as a lens out of focus makes it; pixels at its edge count by the area within [pixels]."""
    fine = (np.arange(size * _FINE) + 0.5) / _FINE - size / 2 - shift
    r = jnp.asarray(np.hypot(*np.meshgrid(fine, fine, indexing="ij")), jnp.float32)
    inside = jnp.clip((radius - r) * _FINE + 0.5, 0, 1)
    return normalised(inside.reshape(size, _FINE, size, _FINE).mean((1, 3)))


def motion(size: int, *, length: Scalar, angle: Scalar, shift: float) -> Kernel:
    """A straight, even motion over `length` pixels."""
    along = jnp.asarray((np.arange(_POINTS) + 0.5) / _POINTS - 0.5, jnp.float32) * length
    theta = jnp.deg2rad(angle)
    return path(size, -along * jnp.sin(theta), along * jnp.cos(theta), shift=shift)


def path(size: int, rows: Float[Array, " n"], columns: Float[Array, " n"], *, shift: float) -> Kernel:
    """Equal weights at n points (relative to the middle), each shared among the four nearest taps. Points outside are lost."""
    taps = jnp.asarray(_axis(size, shift), jnp.float32)[:, None]
    near_rows, near_columns = (jnp.maximum(0, 1 - jnp.abs(taps - where[None])) for where in (rows, columns))
    return normalised(jnp.sum(near_rows[:, None] * near_columns[None], -1))


def within(kernel: Kernel, size: Array | int) -> Kernel:
    """The middle `size x size` taps; the others are zero."""
    reach = np.abs(_axis(kernel.shape[0], 0.0))
    inside = jnp.asarray(np.maximum(reach[:, None], reach[None])) <= (size - 1) / 2
    return normalised(jnp.where(inside, kernel, 0))


def delta(size: int) -> Kernel:
    """No blur."""
    return jnp.zeros((size, size)).at[size // 2, size // 2].set(1)


def normalised(kernel: Kernel) -> Kernel:
    """The kernel over its sum."""
    return kernel / kernel.sum()


def offsets(size: int, shift: float) -> tuple[Kernel, Kernel]:
    """Row and column of each tap, from the shape's middle."""
    y, x = np.meshgrid(_axis(size, shift), _axis(size, shift), indexing="ij")
    return jnp.asarray(y, jnp.float32), jnp.asarray(x, jnp.float32)


def _axis(size: int, shift: float) -> np.ndarray:
    return np.arange(size) - (size - 1) / 2 - shift


def _squared_distance(size: int, sigma: tuple[Scalar, Scalar], angle: Scalar, shift: float) -> Kernel:
    y, x = offsets(size, shift)
    theta = jnp.deg2rad(angle)
    cosine, sine = jnp.cos(theta), jnp.sin(theta)
    along, across = x * cosine - y * sine, x * sine + y * cosine
    return (along / sigma[0]) ** 2 + (across / sigma[1]) ** 2
