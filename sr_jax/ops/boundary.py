"""Boundary modes: what an operator assumes beyond the border of an image.

A Fourier transform sees an image repeated, so that opposite borders meet. "circular" leaves it at that. Every other mode
extends the image by a margin before the transform, and the operator crops the margin afterwards:

- "zero": the image is extended with zeros.
- "reflect" and "symmetric": it is mirrored; "symmetric" repeats the border pixel, "reflect" does not.
- "replicate": the border pixel is repeated.
- "edgetaper": as "replicate", then blended into a blurred copy of itself near the new border, as MATLAB's `edgetaper` does.
- "smooth": the smoothest periodic extension. It solves Laplace's equation between opposite borders (Liu and Jia, "Reducing
  Boundary Artifacts in Image Deconvolution", ICIP 2008).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from sr_jax.ops.blur import blur_downsample, check_image_shape

BOUNDARIES = ("circular", "zero", "reflect", "symmetric", "replicate", "edgetaper", "smooth")
"""The names of the boundary modes."""

_NUMPY = {"zero": "constant", "reflect": "reflect", "symmetric": "symmetric", "replicate": "edge", "edgetaper": "edge"}


def check_mode(mode: str) -> None:
    """Raises ValueError unless `mode` is one of `BOUNDARIES`."""
    if mode not in BOUNDARIES:
        raise ValueError(f"boundary={mode!r} is not one of {', '.join(BOUNDARIES)}")


def extend_border(
    x: Float[Array, "b h w c"], margin: int, mode: str, *, psf: Float[Array, "b2 kh kw c2"] | None = None
) -> Float[Array, "b h2 w2 c"]:
    """Extends images by `margin` pixels on every side; "circular" leaves them as they are.

    Args:
      x: images with values in any range.
      margin: the number of pixels to add on each side.
      mode: one of `BOUNDARIES`; the module docstring of `sr_jax.ops.boundary` explains them.
      psf: the blur kernel that "edgetaper" needs; b2 is 1 or b, c2 is 1 or c.

    Raises:
      ValueError: if the mode is unknown, the margin is negative, "edgetaper" has no psf, or an image is too small to be
        reflected.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import extend_border
      >>> x = jnp.arange(3.0).reshape(1, 1, 3, 1)
      >>> print(extend_border(x, 2, "symmetric")[0, 0, :, 0])
      [1. 0. 0. 1. 2. 2. 1.]
    """
    check_mode(mode)
    check_image_shape(x.shape)
    if margin < 0:
        raise ValueError(f"margin={margin} must not be negative")
    if mode == "circular" or (margin == 0 and mode != "edgetaper"):
        return x
    if mode == "edgetaper" and psf is None:
        raise ValueError("boundary='edgetaper' blurs the border: give it the psf")
    if mode == "reflect" and min(x.shape[1:3]) < 2:
        raise ValueError(f"a {x.shape[1]}x{x.shape[2]} image cannot be reflected at its border pixel: use 'symmetric'")
    return _extend(x, psf, margin, mode)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _extend(x: Array, psf: Array | None, margin: int, mode: str) -> Array:
    if mode == "smooth":
        return _smooth(x, margin)
    x = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode=_NUMPY[mode])
    return x if mode != "edgetaper" or psf is None else edgetaper(x, psf)


def crop_border(x: Float[Array, "b h w c"], margin: int) -> Float[Array, "b h2 w2 c"]:
    """Cuts `margin` pixels from every side, the inverse of `extend_border`.

    Args:
      x: images with values in any range.
      margin: the number of pixels to cut, at least 0 and less than half of the height and width.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import crop_border
      >>> crop_border(jnp.zeros((1, 8, 9, 3)), 2).shape
      (1, 4, 5, 3)
    """
    return x[:, margin : x.shape[1] - margin, margin : x.shape[2] - margin]


def edgetaper(x: Float[Array, "b h w c"], psf: Float[Array, "b2 kh kw c2"]) -> Float[Array, "b h w c"]:
    """Blends images into their own circular blur near the border, as MATLAB's `edgetaper` does.

    The weight of x is 1 inside. It falls to 0 at the border as the autocorrelation of the psf's projections does.

    Args:
      x: images with values in any range.
      psf: the blur kernel; b2 is 1 or b, c2 is 1 or c. It is divided by its sum.

    Raises:
      ValueError: if the kernel does not fit the image.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import edgetaper
      >>> x = jnp.zeros((1, 8, 8, 1)).at[:, :, 4:].set(9)
      >>> print(edgetaper(x, jnp.full((1, 3, 3, 1), 1 / 9)).round().astype(int)[0, 4, :, 0])
      [3 0 0 0 9 9 9 6]
    """
    kernel = jnp.abs(psf)
    total = jnp.sum(kernel, (1, 2), keepdims=True)
    kernel = kernel / jnp.where(total > 0, total, 1)
    weight = _taper(jnp.sum(kernel, 2), x.shape[1])[:, :, None] * _taper(jnp.sum(kernel, 1), x.shape[2])[:, None]
    middle = ((kernel.shape[1] - 1) // 2, (kernel.shape[2] - 1) // 2)
    blurred = blur_downsample(x, kernel, scale=1, centre=middle)
    return weight * x + (1 - weight) * blurred


def _taper(projection: Float[Array, "b k c"], n: int) -> Float[Array, "b n c"]:
    """One minus the normalised autocorrelation of the projection, which is 1 at both ends and 0 beyond the kernel's size."""
    k = projection.shape[1]
    lags = [jnp.sum(projection[:, : k - lag] * projection[:, lag:], 1) for lag in range(min(k, n))]
    peak = jnp.where(lags[0] > 0, lags[0], 1)
    autocorrelation = jnp.stack([lag / peak for lag in lags], 1)
    ends = jnp.zeros((projection.shape[0], n, projection.shape[2]), projection.dtype)
    ends = ends.at[:, : autocorrelation.shape[1]].max(autocorrelation)
    return 1 - jnp.maximum(ends, ends[:, ::-1])


def cell_sums(k: Float[Array, "b kh kw c"], scale: int) -> Float[Array, "b kh2 kw2 c"]:
    """The kernel on the LR grid, accurate enough for a taper."""
    pads = [(0, -n % scale) for n in k.shape[1:3]]
    k = jnp.pad(k, ((0, 0), *pads, (0, 0)))
    return k.reshape(k.shape[0], k.shape[1] // scale, scale, k.shape[2] // scale, scale, k.shape[3]).sum((2, 4))


def _smooth(x: Float[Array, "b h w c"], margin: int) -> Float[Array, "b h2 w2 c"]:
    """Places the image in one corner of a torus and fills the rest with harmonic functions between its borders."""
    gap = 2 * margin
    top, bottom, left, right = x[:, :1], x[:, -1:], x[:, :, :1], x[:, :, -1:]
    below = _harmonic(
        bottom, top, _line(bottom[:, :, :1], top[:, :, :1], gap, 1), _line(bottom[:, :, -1:], top[:, :, -1:], gap, 1)
    )
    beside = _harmonic(_line(right[:, :1], left[:, :1], gap, 2), _line(right[:, -1:], left[:, -1:], gap, 2), right, left)
    corner = _harmonic(beside[:, -1:], beside[:, :1], below[:, :, -1:], below[:, :, :1])
    torus = jnp.concatenate([jnp.concatenate([x, beside], 2), jnp.concatenate([below, corner], 2)], 1)
    return jnp.roll(torus, (margin, margin), (1, 2))


def _line(start: Array, end: Array, n: int, axis: int) -> Array:
    """The n values between `start` and `end`, evenly spaced."""
    weights = np.arange(1, n + 1, dtype=np.float64) / (n + 1)
    weights = jnp.asarray(weights.reshape([n if a == axis else 1 for a in range(4)]), start.dtype)
    return start + (end - start) * weights


def _harmonic(above: Array, below: Array, left: Array, right: Array) -> Float[Array, "b n m c"]:
    """Solves Laplace's equation (5-point) on a rectangle by sine transforms; the arguments are the values around it."""
    n, m = left.shape[1], above.shape[2]
    sines, values = zip(*(_sine_transform(size, above.dtype) for size in (n, m)), strict=True)
    source = jnp.zeros((above.shape[0], n, m, above.shape[3]), above.dtype)
    source = source.at[:, :1].add(-above).at[:, -1:].add(-below).at[:, :, :1].add(-left).at[:, :, -1:].add(-right)

    def transform(v: Array) -> Array:
        return jnp.einsum("ij,bjkc,kl->bilc", sines[0], v, sines[1], precision=lax.Precision.HIGHEST)

    eigenvalues = values[0][:, None] + values[1][None]
    return transform(transform(source) / eigenvalues[None, :, :, None])


def _sine_transform(n: int, dtype: np.dtype) -> tuple[Array, Array]:
    """The orthonormal DST-I, which is its own inverse, and the eigenvalues of the second difference that it diagonalises."""
    i = np.arange(1, n + 1)
    matrix = np.sqrt(2 / (n + 1)) * np.sin(np.pi * np.outer(i, i) / (n + 1))
    return jnp.asarray(matrix, dtype), jnp.asarray(2 * np.cos(np.pi * i / (n + 1)) - 2, dtype)
