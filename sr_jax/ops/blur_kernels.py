"""Blur kernels as arrays: Gaussians and their generalisations, sinc, disk and motion.

A kernel has `size x size` taps of float32 that sum to one. Its origin is tap `(size - 1) / 2`, between two taps if the size is
even, and `shift` moves the shape's middle from there down and to the right [pixels]. Angles are in degrees, counter-clockwise
from the horizontal. Every parameter except `size` and `shift` may be traced. Nothing is checked: a scale of 0 gives NaN.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = ["delta", "disk", "gaussian", "generalised_gaussian", "motion", "path", "plateau", "sinc", "within"]

Scalar = Float[Array, ""] | float
Sigma = Scalar | tuple[Scalar, Scalar]
SquareKernel = Float[Array, "k k"]

_QUADRATURE = 64  # nodes of Bessel's integral, enough for arguments up to 50
_FINE = 8  # parts of a pixel's side, to resolve the edge of a disk
_POINTS = 128  # points along a straight motion


def gaussian(size: int, sigma: Sigma, *, angle: Scalar = 0.0, shift: float = 0.0) -> SquareKernel:
    """A Gaussian, `exp(-q / 2)`.

    Args:
      size: the number of taps along each axis.
      sigma: the standard deviation [pixels], positive, or a pair of them along `angle` and across it. q is the squared distance
        in these units.
      angle: the direction of the first axis [degrees].
      shift: how far the middle lies from the origin [pixels], down and to the right.

    Example:
      >>> from sr_jax.ops import blur_kernels
      >>> print((100 * blur_kernels.gaussian(3, 0.6)).round().astype(int))
      [[ 3 11  3]
       [11 45 11]
       [ 3 11  3]]
    """
    q = _squared_distance(size, sigma, angle, shift)
    return normalised(jnp.exp(-0.5 * (q - q.min())))


def generalised_gaussian(size: int, sigma: Sigma, *, beta: Scalar, angle: Scalar = 0.0, shift: float = 0.0) -> SquareKernel:
    """A generalised Gaussian, `exp(-q^beta / 2)` (Wang et al., Real-ESRGAN, 2021).

    Args:
      size, sigma, angle, shift: as in `gaussian`, which also defines q.
      beta: the shape, positive. The kernel is peaked for beta < 1, and flat for beta > 1.

    Example:
      >>> from sr_jax.ops import blur_kernels
      >>> print((100 * blur_kernels.generalised_gaussian(3, 1.0, beta=2.0)).round().astype(int))
      [[ 3 15  3]
       [15 25 15]
       [ 3 15  3]]
    """
    return normalised(jnp.exp(-0.5 * _squared_distance(size, sigma, angle, shift) ** beta))


def plateau(size: int, sigma: Sigma, *, beta: Scalar, angle: Scalar = 0.0, shift: float = 0.0) -> SquareKernel:
    """A plateau, `1 / (1 + q^beta)`, with a flat top and long tails (Wang et al., Real-ESRGAN, 2021).

    Args:
      size, sigma, angle, shift: as in `gaussian`, which also defines q.
      beta: the shape, positive. A larger beta makes the edge of the plateau steeper.

    Example:
      >>> from sr_jax.ops import blur_kernels
      >>> print((100 * blur_kernels.plateau(3, 1.0, beta=1.0)).round().astype(int))
      [[ 8 12  8]
       [12 23 12]
       [ 8 12  8]]
    """
    return normalised(1 / (1 + _squared_distance(size, sigma, angle, shift) ** beta))


def sinc(size: int, cutoff: Scalar) -> SquareKernel:
    """The circular ideal low-pass filter `w / (2 pi r) J1(w r)`, cut to the size (Wang et al., Real-ESRGAN, 2021).

    Args:
      size: the number of taps along each axis.
      cutoff: the cutoff frequency w, in (0, pi] [radians a pixel].

    Example:
      >>> from sr_jax.ops import blur_kernels
      >>> print((100 * blur_kernels.sinc(3, 1.5)).round().astype(int))
      [[ 9 12  9]
       [12 16 12]
       [ 9 12  9]]
    """
    y, x = offsets(size, 0.0)
    r = jnp.hypot(y, x)
    away = jnp.where(r > 0, r, 1)
    return normalised(jnp.where(r > 0, cutoff * bessel_j1(cutoff * away) / away, cutoff**2 / 2))


def bessel_j1(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The Bessel function J1 for |x| < 50, by the trapezoidal rule on Bessel's integral."""
    t = (np.arange(_QUADRATURE) + 0.5) * (np.pi / _QUADRATURE)
    t = t.reshape([1] * x.ndim + [-1])
    phase = jnp.asarray(t, x.dtype) - x[..., None] * jnp.asarray(np.sin(t), x.dtype)
    return jnp.mean(jnp.cos(phase), -1)


def disk(size: int, radius: Scalar, *, shift: float = 0.0) -> SquareKernel:
    """A disk of constant brightness, the blur of a lens out of focus. Pixels at its edge count by their area inside.

    Args:
      size: the number of taps along each axis.
      radius: the radius of the disk [pixels].
      shift: how far the middle lies from the origin [pixels], down and to the right.

    Example:
      >>> from sr_jax.ops import blur_kernels
      >>> print((100 * blur_kernels.disk(3, 1.0)).round().astype(int))
      [[ 2 15  2]
       [15 32 15]
       [ 2 15  2]]
    """
    fine = (np.arange(size * _FINE) + 0.5) / _FINE - size / 2 - shift
    r = jnp.asarray(np.hypot(*np.meshgrid(fine, fine, indexing="ij")), jnp.float32)
    inside = jnp.clip((radius - r) * _FINE + 0.5, 0, 1)
    return normalised(inside.reshape(size, _FINE, size, _FINE).mean((1, 3)))


def motion(size: int, length: Scalar, *, angle: Scalar = 0.0, shift: float = 0.0) -> SquareKernel:
    """A straight motion at constant speed.

    Args:
      size: the number of taps along each axis.
      length: the length of the motion [pixels].
      angle: its direction [degrees].
      shift: how far the middle lies from the origin [pixels], down and to the right.

    Example:
      >>> from sr_jax.ops import blur_kernels
      >>> print((100 * blur_kernels.motion(3, 3.0)).round().astype(int))
      [[ 0  0  0]
       [32 36 32]
       [ 0  0  0]]
    """
    along = jnp.asarray((np.arange(_POINTS) + 0.5) / _POINTS - 0.5, jnp.float32) * length
    theta = jnp.deg2rad(angle)
    return path(size, -along * jnp.sin(theta), along * jnp.cos(theta), shift=shift)


def path(size: int, rows: Float[Array, " n"], columns: Float[Array, " n"], *, shift: float = 0.0) -> SquareKernel:
    """A motion along any path, given by n points with the same weight.

    The weight of each point is shared among the four nearest taps. Points outside of the kernel are dropped.

    Args:
      size: the number of taps along each axis.
      rows, columns: the points, relative to the middle [pixels].
      shift: how far the middle lies from the origin [pixels], down and to the right.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import blur_kernels
      >>> print(blur_kernels.path(3, jnp.array([-1.0, 0.0]), jnp.array([0.0, 0.5])))
      [[0.   0.5  0.  ]
       [0.   0.25 0.25]
       [0.   0.   0.  ]]
    """
    taps = jnp.asarray(_axis(size, shift), jnp.float32)[:, None]
    near_rows, near_columns = (jnp.maximum(0, 1 - jnp.abs(taps - where[None])) for where in (rows, columns))
    return normalised(jnp.sum(near_rows[:, None] * near_columns[None], -1))


def within(kernel: SquareKernel, size: Array | int) -> SquareKernel:
    """Sets the taps outside of the middle `size x size` to zero, and divides the kernel by its sum.

    Args:
      kernel: the kernel to cut.
      size: the number of taps to keep along each axis; may be traced.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import blur_kernels
      >>> print(blur_kernels.within(jnp.ones((3, 3)), 1))
      [[0. 0. 0.]
       [0. 1. 0.]
       [0. 0. 0.]]
    """
    reach = np.abs(_axis(kernel.shape[0], 0.0))
    inside = jnp.asarray(np.maximum(reach[:, None], reach[None])) <= (size - 1) / 2
    return normalised(jnp.where(inside, kernel, 0))


def delta(size: int) -> SquareKernel:
    """The kernel that does not blur: its tap `size // 2` is 1.

    Args:
      size: the number of taps along each axis.

    Example:
      >>> from sr_jax.ops import blur_kernels
      >>> print(blur_kernels.delta(3))
      [[0. 0. 0.]
       [0. 1. 0.]
       [0. 0. 0.]]
    """
    return jnp.zeros((size, size)).at[size // 2, size // 2].set(1)


def normalised(kernel: SquareKernel) -> SquareKernel:
    """The kernel divided by its sum."""
    return kernel / kernel.sum()


def offsets(size: int, shift: float) -> tuple[SquareKernel, SquareKernel]:
    """The row and column of each tap, relative to the middle of the shape."""
    y, x = np.meshgrid(_axis(size, shift), _axis(size, shift), indexing="ij")
    return jnp.asarray(y, jnp.float32), jnp.asarray(x, jnp.float32)


def _axis(size: int, shift: float) -> np.ndarray:
    return np.arange(size) - (size - 1) / 2 - shift


def _squared_distance(size: int, sigma: Sigma, angle: Scalar, shift: float) -> SquareKernel:
    first, second = sigma if isinstance(sigma, Sequence) else (sigma, sigma)
    y, x = offsets(size, shift)
    theta = jnp.deg2rad(angle)
    cosine, sine = jnp.cos(theta), jnp.sin(theta)
    along, across = x * cosine - y * sine, x * sine + y * cosine
    return (along / first) ** 2 + (across / second) ** 2
