"""Enlargement of features and first guesses: any alignment, any boundary, differentiable. (Images: `sr_jax.ops.resize`.)"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sr_jax.ops.blur import check_image_shape, check_scale
from sr_jax.ops.boundary import crop_border, extend_border

METHODS = ("nearest", "bilinear", "bicubic")


def enlarge(
    x: Float[Array, "b h w c"], *, scale: int, method: str, boundary: str, offset: tuple[float, float] | None = None
) -> Float[Array, "b sh sw c"]:
    """Interpolates onto a grid `scale` times as fine.

    Args:
      method: nearest, bilinear, or bicubic (Keys 1981, a = -0.5).
      boundary: one of `sr_jax.ops.boundary.BOUNDARIES`; edgetaper, which is none for interpolation, counts as replicate.
      offset: the output pixel (row, column; fractions allowed) on which input pixel 0 lies. By default
        `(scale - 1) / 2` for both: half-pixel centres.

    Raises:
      ValueError: if the method, the boundary or the scale is none of these.
    """
    check_scale(scale)
    if method not in METHODS:
        raise ValueError(f"method={method!r} is none of {', '.join(METHODS)}")
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
        for position in positions[axis - 1]:  # on the input grid, from the input pixel of the phase's own cell
            total = jnp.zeros_like(x)
            for shift, weight in _weights(position, method):
                total += jnp.roll(x, -shift, axis) * jnp.asarray(weight, dtype)
            phases.append(total)
        shape = tuple(n * scale if a == axis else n for a, n in enumerate(x.shape))
        x = jnp.stack(phases, axis + 1).reshape(shape)
    return crop_border(x, margin * scale)


def _weights(position: float, method: str) -> list[tuple[int, float]]:
    """The (input pixel, weight) that interpolate at `position`."""
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
