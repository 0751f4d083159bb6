"""Interpolation of features and first guesses, with any alignment and boundary. For images, see `sr_jax.ops.resize`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sr_jax.ops.blur import check_image_shape, check_scale
from sr_jax.ops.boundary import crop_border, extend_border

METHODS = ("nearest", "bilinear", "bicubic")
"""The names of the interpolation methods."""


def enlarge(
    x: Float[Array, "b h w c"], *, scale: int, method: str, boundary: str, offset: tuple[float, float] | None = None
) -> Float[Array, "b sh sw c"]:
    """Interpolates images or features onto a grid `scale` times as fine.

    Args:
      x: values in any range. Integers are converted to float32.
      scale: the factor s, an integer of at least 1.
      method: "nearest", "bilinear" or "bicubic" (Keys 1981, a = -0.5).
      boundary: one of `BOUNDARIES`; "edgetaper" does not apply to interpolation and acts as "replicate".
      offset: the output position (row, column) of input pixel 0; fractions are allowed. By default both are
        `(scale - 1) / 2`, that is half-pixel centres.

    Raises:
      ValueError: if the scale is not a positive integer, or the method or the boundary is unknown.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import enlarge
      >>> x = jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1)
      >>> print(enlarge(x, scale=2, method="bilinear", boundary="replicate")[0, 0, :, 0])
      [0. 1. 3. 4.]
    """
    check_scale(scale)
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not one of {', '.join(METHODS)}")
    check_image_shape(x.shape)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.float32)
    row, column = ((scale - 1) / 2, (scale - 1) / 2) if offset is None else offset
    return _enlarge(x, scale, method, boundary, (float(row), float(column)))


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _enlarge(x: Array, scale: int, method: str, boundary: str, offset: tuple[float, float]) -> Array:
    dtype = x.dtype
    positions = [[(phase - o) / scale for phase in range(scale)] for o in offset]
    reach = max(abs(shift) for axis in positions for position in axis for shift, _ in _weights(position, method))
    margin = 0 if boundary == "circular" else reach
    x = extend_border(x, margin, "replicate" if boundary == "edgetaper" else boundary)
    for axis in (1, 2):
        phases = []
        for position in positions[axis - 1]:  # relative to the input pixel of the phase's cell
            total = jnp.zeros_like(x)
            for shift, weight in _weights(position, method):
                total += jnp.roll(x, -shift, axis) * jnp.asarray(weight, dtype)
            phases.append(total)
        shape = tuple(n * scale if a == axis else n for a, n in enumerate(x.shape))
        x = jnp.stack(phases, axis + 1).reshape(shape)
    return crop_border(x, margin * scale)


def _weights(position: float, method: str) -> list[tuple[int, float]]:
    """The pairs (input pixel, weight) that interpolate at `position`."""
    if method == "nearest":
        return [(int(np.floor(position + 0.5)), 1.0)]
    below = int(np.floor(position))
    t = position - below
    if method == "bilinear":
        return [(below, 1 - t), (below + 1, t)]

    def keys(d: float) -> float:
        d = abs(d)
        return 1.5 * d**3 - 2.5 * d**2 + 1 if d <= 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2

    return [(below + j, keys(t - j)) for j in range(-1, 3)]
