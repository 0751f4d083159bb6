"""Resizes by a traced factor between grids of fixed size, as a product with matrices of interpolation weights."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

MODES = ("area", "bilinear", "bicubic")
_A = -0.75  # the parameter of the bicubic kernel in PyTorch and OpenCV; in MATLAB it is -0.5


def resample(
    image: Float[Array, "n n c"], *, size: int, pitch: Float[Array, ""] | float, mode: Int[Array, ""] | int
) -> Float[Array, "m m c"]:
    """Samples an image on a grid of `size` x `size` pixels around the same centre. Beyond its border it is reflected.

    Only the area mode smooths the image before it is sampled. The training scripts of the papers resize in the same way.

    Args:
      pitch: width of a pixel of the grid [pixels of the image]; may be traced.
      mode: index into `MODES`; may be traced.
    """
    w = weights(image.shape[0], size, pitch=pitch, mode=mode)
    return jnp.einsum("ij,lk,jkc->ilc", w, w, image, precision=lax.Precision.HIGHEST)


def weights(n: int, size: int, *, pitch: Float[Array, ""] | float, mode: Int[Array, ""] | int) -> Float[Array, "m n"]:
    """Returns the matrix whose row i has the weights of the n old pixels in new pixel i."""
    position = (jnp.arange(size) + 0.5 - size / 2) * pitch + n / 2  # from the border
    position = position % (2 * n)
    position = jnp.minimum(position, 2 * n - position)[:, None] - 0.5  # in pixels, reflected into the image
    j = jnp.arange(n, dtype=jnp.float32)[None]
    distances = (position - j, position + 1 + j, position - (2 * n - 1 - j))  # to a pixel and its reflections in both borders
    return sum((_weight(distance, pitch, mode) for distance in distances), jnp.zeros((size, n)))


def _weight(distance: Array, pitch: Array | float, mode: Array | int) -> Array:
    d = jnp.abs(distance)
    area = (
        jnp.clip((pitch + 1) / 2 - d, 0, jnp.minimum(1, pitch)) / pitch
    )  # the share of the new pixel that lies in the old one
    bilinear = jnp.maximum(0, 1 - d)
    near, far = ((_A + 2) * d - (_A + 3)) * d * d + 1, (((d - 5) * d + 8) * d - 4) * _A
    bicubic = jnp.where(d <= 1, near, jnp.where(d < 2, far, 0))
    return jnp.where(mode == 0, area, jnp.where(mode == 1, bilinear, bicubic))
