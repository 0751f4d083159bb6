"""Bicubic resizing by an integer factor, exactly as MATLAB's `imresize`.

MATLAB's rule (Keys 1981, a = -0.5): half-pixel centres, symmetric padding, the kernel widened by the factor when shrinking
(antialiasing), height first and then width; on integer images the result of *each* of the two passes is rounded half away
from zero and clipped.

At an integer factor s the kernel is only ever sampled at odd multiples of 1 / (2 s) or multiples of 1 / s. Its values there
are rational with the denominator 2 s^3 or 16 s^3, and they sum to one without normalisation. So the weights are kept as
integers, and an integer image is resized in integer arithmetic: the result has no rounding error, ties are decided
exactly, and the bytes are the same on every backend. (`jax.image.resize(..., "cubic")` differs at image borders by up to 15
grey levels.)
"""

import functools
import math
import operator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

SUPPORT = 2  # half the width of the bicubic kernel, in pixels of the coarser grid


def _kernel(x: np.ndarray, unit: int) -> np.ndarray:
    """`2 unit^3 h(x / unit)` of Keys' cubic kernel h, in exact integers, for integer x."""
    x = np.abs(x.astype(object))
    near = 3 * x**3 - 5 * x**2 * unit + 2 * unit**3
    far = -(x**3) + 5 * x**2 * unit - 8 * x * unit**2 + 4 * unit**3
    return np.where(x <= unit, near, np.where(x < 2 * unit, far, 0))


def _reduce(weights: np.ndarray, denominator: int) -> tuple[np.ndarray, int]:
    divisor = math.gcd(denominator, *(int(w) for w in weights.flat))
    return (weights // divisor).astype(np.int32), denominator // divisor


def downsample_weights(scale: int) -> tuple[np.ndarray, int, int]:
    """The antialiased filter of a reduction by `scale`.

    Returns:
      integer weights `w`, their denominator, and the offset `o` (not positive), so that
      `y[i] = sum_t w[t] x[scale * i + o + t] / denominator`.
    """
    # Twice the distance of input t from the centre scale * i + (scale - 1) / 2, in input pixels.
    t = np.arange(-SUPPORT * scale, (SUPPORT + 1) * scale)
    distance = 2 * t - (scale - 1)
    inside = np.abs(distance) < 2 * SUPPORT * scale
    weights, denominator = _reduce(_kernel(distance[inside], 2 * scale), 2 * (2 * scale) ** 3 * scale)
    assert weights.sum() == denominator
    return weights, denominator, int(t[inside][0])


def upsample_weights(scale: int) -> tuple[np.ndarray, int, np.ndarray]:
    """The interpolation filters of an enlargement by `scale`, one for each output phase.

    Returns:
      integer weights `w` of shape (scale, 4), their denominator, and the offsets `o` of shape (scale,), so that
      `y[scale * i + r] = sum_t w[r, t] x[i + o[r] + t] / denominator`.
    """
    # Output scale * i + r lies at i + (2 r + 1 - scale) / (2 scale) on the input grid.
    position = 2 * np.arange(scale) + 1 - scale
    offset = np.floor_divide(position, 2 * scale) - (SUPPORT - 1)
    distance = 2 * scale * (offset[:, None] + np.arange(2 * SUPPORT)) - position[:, None]
    weights, denominator = _reduce(_kernel(distance, 2 * scale), 2 * (2 * scale) ** 3)
    assert (weights.sum(1) == denominator).all()
    return weights, denominator, offset


def _finish(total: Array, denominator: int, dtype: jnp.dtype) -> Array:
    """Divides; integers are rounded half away from zero and clipped to the range of `dtype`."""
    if not jnp.issubdtype(dtype, jnp.integer):
        return total / denominator
    rounded = (2 * total + denominator) // (2 * denominator)  # exact for totals >= 0; negative ones are clipped to 0
    return jnp.clip(rounded, 0, jnp.iinfo(dtype).max).astype(dtype)


def _working(x: Array, weights: np.ndarray) -> tuple[Array, np.ndarray]:
    """The image and the weights in the type the sums are made in."""
    if not jnp.issubdtype(x.dtype, jnp.integer):
        return x, weights.astype(x.dtype)
    peak = jnp.iinfo(x.dtype).max * int(np.abs(weights).sum(-1).max())
    if 2 * peak + int(weights.sum(-1).max()) > np.iinfo(np.int32).max:
        raise ValueError(f"a {x.dtype} image cannot be resized exactly in 32-bit integers at this scale; convert it to float")
    return x.astype(jnp.int32), weights


def _downsample_axis(x: Array, scale: int, axis: int) -> Array:
    weights, denominator, offset = downsample_weights(scale)
    start = SUPPORT * scale + offset
    size = x.shape[axis] // scale - 2 * SUPPORT
    working, weights = _working(x, weights)
    return _finish(_filter(working, weights, start, size, scale, axis), denominator, x.dtype)


def _filter(x: Array, weights: np.ndarray, start: int, size: int, stride: int, axis: int) -> Array:
    """`sum_t weights[t] x[start + stride * i + t]` for i < size, along one axis."""

    def tap(t: int) -> Array:
        index = [slice(None)] * x.ndim
        index[axis] = slice(start + t, start + t + (size - 1) * stride + 1, stride)
        return weights[t] * x[tuple(index)]

    return functools.reduce(operator.add, map(tap, range(len(weights))))


def _upsample_axis(x: Array, scale: int, axis: int) -> Array:
    weights, denominator, offset = upsample_weights(scale)
    size = x.shape[axis]
    pad = [(0, 0)] * x.ndim
    pad[axis] = (SUPPORT, SUPPORT)
    working, weights = _working(jnp.pad(x, pad, mode="symmetric"), weights)
    phases = [_filter(working, row, SUPPORT + int(o), size, 1, axis) for row, o in zip(weights, offset, strict=True)]
    shape = list(x.shape)
    shape[axis] = size * scale
    return _finish(jnp.stack(phases, axis + 1).reshape(shape), denominator, x.dtype)


def bicubic_downsample_window(x: Num[Array, "*b h w c"], scale: int) -> Num[Array, "*b h_out w_out c"]:
    """Shrinks a window that carries its own margin of `2 * scale` pixels on every side.

    What comes out is byte for byte the same piece of the whole image's reduction, if the window's corner lies on a multiple
    of `scale` and its margin beyond the image is the symmetric reflection of the image.
    """
    return _downsample_axis(_downsample_axis(x, scale, x.ndim - 3), scale, x.ndim - 2)


def bicubic_downsample(x: Num[Array, "*b h w c"], scale: int) -> Num[Array, "*b h_out w_out c"]:
    """MATLAB's `imresize(x, 1 / scale)`.

    Args:
      x: image, height and width multiples of `scale`. uint8 and uint16 are resized exactly, with rounding after each pass;
        float of any range is not rounded.
      scale: integer factor, at least 1.

    Raises:
      ValueError: if height or width is no multiple of `scale`.
    """
    h, w = x.shape[-3:-1]
    if h % scale or w % scale:
        raise ValueError(f"a {h}x{w} image cannot be reduced by {scale}: crop it to multiples of {scale} first (`modcrop`)")
    if scale == 1:
        return x
    margin = SUPPORT * scale
    pad = [(0, 0)] * (x.ndim - 3) + [(margin, margin), (margin, margin), (0, 0)]
    return bicubic_downsample_window(jnp.pad(x, pad, mode="symmetric"), scale)


def bicubic_upsample(x: Num[Array, "*b h w c"], scale: int) -> Num[Array, "*b h_out w_out c"]:
    """MATLAB's `imresize(x, scale)`; the types are treated as in `bicubic_downsample`."""
    if scale == 1:
        return x
    return _upsample_axis(_upsample_axis(x, scale, x.ndim - 3), scale, x.ndim - 2)
