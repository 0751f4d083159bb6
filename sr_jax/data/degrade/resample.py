"""Resizing by a traced factor between grids of fixed size: products with matrices of interpolation weights."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

MODES = ("area", "bilinear", "bicubic")
_A = -0.75  # the bicubic kernel's parameter in PyTorch's and OpenCV's resizing; MATLAB's is -0.5


def resample(
    image: Float[Array, "n n c"], *, size: int, pitch: Float[Array, ""] | float, mode: Int[Array, ""] | int
) -> Float[Array, "m m c"]:
    """A grid of `size` x `size` pixels over the same middle, each `pitch` times as wide; beyond the image is its reflection.

    Nothing is smoothed before it is sampled, but by the area mode: so resize the papers' training scripts.

    Args:
      mode: index into `MODES`; may be traced, as the pitch may.
    """
    w = weights(image.shape[0], size, pitch=pitch, mode=mode)
    return jnp.einsum("ij,lk,jkc->ilc", w, w, image, precision=lax.Precision.HIGHEST)


def weights(n: int, size: int, *, pitch: Float[Array, ""] | float, mode: Int[Array, ""] | int) -> Float[Array, "m n"]:
    """Row i holds the weights of n pixels in pixel i of the new grid."""
    where = (jnp.arange(size) + 0.5 - size / 2) * pitch + n / 2  # from the border
    where = where % (2 * n)
    where = jnp.minimum(where, 2 * n - where)[:, None] - 0.5  # in pixels, reflected into the image
    j = jnp.arange(n, dtype=jnp.float32)[None]
    mirrored = (where - j, where + 1 + j, where - (2 * n - 1 - j))  # to a pixel, and to its images in both borders
    return sum((_weight(distance, pitch, mode) for distance in mirrored), jnp.zeros((size, n)))


def _weight(distance: Array, pitch: Array | float, mode: Array | int) -> Array:
    d = jnp.abs(distance)
    area = jnp.clip((pitch + 1) / 2 - d, 0, jnp.minimum(1, pitch)) / pitch  # how much of the new pixel lies in the old one
    bilinear = jnp.maximum(0, 1 - d)
    near, far = ((_A + 2) * d - (_A + 3)) * d * d + 1, (((d - 5) * d + 8) * d - 4) * _A
    bicubic = jnp.where(d <= 1, near, jnp.where(d < 2, far, 0))
    return jnp.where(mode == 0, area, jnp.where(mode == 1, bilinear, bicubic))
