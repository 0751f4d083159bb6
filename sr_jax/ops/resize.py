"""Resizing of images, exactly as MATLAB's `imresize`.

MATLAB uses half-pixel centres, symmetric padding and weights that sum to one. It widens the kernel by the factor when it
shrinks an image (antialiasing). It resizes the axis with the smaller scale first, and height before width. On integer images,
the result of *each* of the two passes is rounded half away from zero and clipped.

At integer factors, the weights of the bicubic, bilinear and box kernels are rational (`sr_jax.ops.resize_kernels`). They are
kept as integers, and integer images are resized in integer arithmetic: the result has no rounding error, ties are decided
exactly, and the bytes are the same on every backend. In contrast, `jax.image.resize(..., "cubic")` differs from MATLAB at the
borders by up to 15 grey levels. Everything else is summed in floating point.

The same code runs on the host (`xp` is `numpy`: float64 or wider, nothing to compile) and on a device (`xp` is `jax.numpy`).
"""

import functools
import math
import operator
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from sr_jax.ops.resize_kernels import KERNELS, SUPPORT, downsample_weights, find_kernel, resize_weights, upsample_weights


def _finish(total: Any, denominator: int, dtype: np.dtype, xp: ModuleType) -> Any:
    """Divides a sum and converts it to `dtype`. Integers are rounded half away from zero and clipped."""
    if not jnp.issubdtype(dtype, jnp.integer):
        return (total / float(denominator)).astype(dtype)  # an integer could exceed 32 bits
    if jnp.issubdtype(total.dtype, jnp.integer):
        rounded = (2 * total + denominator) // (2 * denominator)  # exact for total >= 0; negative results are clipped to 0
    else:
        rounded = xp.floor(total / denominator + 0.5)
    return xp.clip(rounded, 0, np.iinfo(dtype).max).astype(dtype)


def _working_float(dtype: np.dtype, xp: ModuleType) -> np.dtype:
    """The type of the sums of a float image, or of an integer image with real weights."""
    least = np.float64 if xp is np else np.float32
    return xp.promote_types(dtype, least) if jnp.issubdtype(dtype, jnp.floating) else np.dtype(least)


def _fits(dtype: np.dtype, weights: np.ndarray) -> bool:
    """Whether an image can be summed with integer weights: integer images only if the sums fit in 32 bits."""
    if not jnp.issubdtype(dtype, jnp.integer):
        return True
    largest = np.iinfo(dtype).max * int(np.abs(weights).sum(-1).max())
    return 2 * largest + int(weights.sum(-1).max()) <= np.iinfo(np.int32).max


def _working(x: Any, weights: np.ndarray, xp: ModuleType) -> tuple[Any, np.ndarray]:
    """The image and its integer weights in the type of the sums."""
    if not _fits(x.dtype, weights):
        raise ValueError(f"a {x.dtype} image cannot be resized exactly in 32-bit integers at this scale; convert it to float")
    dtype = np.int32 if jnp.issubdtype(x.dtype, jnp.integer) else _working_float(x.dtype, xp)
    return x.astype(dtype), weights.astype(dtype)


def _downsample_axis(x: Any, scale: int, axis: int, *, kernel: str, antialias: bool, xp: ModuleType) -> Any:
    """Shrinks an axis that has a margin of the kernel's support on both sides."""
    weights, denominator, offset = downsample_weights(scale, kernel=kernel, antialias=antialias)
    support = KERNELS[kernel].support
    start = support * scale + offset
    size = x.shape[axis] // scale - 2 * support
    working, weights = _working(x, weights, xp)
    return _finish(_filter(working, weights, start, size, scale, axis), denominator, x.dtype, xp)


def _filter(x: Any, weights: np.ndarray, start: int, size: int, stride: int, axis: int) -> Any:
    """`sum_t weights[t] x[start + stride * i + t]` for i < size, along one axis."""

    def tap(t: int) -> Any:
        index = [slice(None)] * x.ndim
        index[axis] = slice(start + t, start + t + (size - 1) * stride + 1, stride)
        return weights[t] * x[tuple(index)]

    return functools.reduce(operator.add, map(tap, range(len(weights))))


def _upsample_axis(x: Any, scale: int, axis: int, *, kernel: str, xp: ModuleType) -> Any:
    weights, denominator, offset = upsample_weights(scale, kernel=kernel)
    size, support = x.shape[axis], KERNELS[kernel].support
    working, weights = _working(_pad(x, axis, support, support, xp), weights, xp)
    phases = [_filter(working, row, support + int(o), size, 1, axis) for row, o in zip(weights, offset, strict=True)]
    shape = list(x.shape)
    shape[axis] = size * scale
    return _finish(xp.stack(phases, axis + 1).reshape(shape), denominator, x.dtype, xp)


def _pad(x: Any, axis: int, before: int, after: int, xp: ModuleType) -> Any:
    pad = [(0, 0)] * x.ndim
    pad[axis] = (before, after)
    return xp.pad(x, pad, mode="symmetric")


def bicubic_downsample_window(x: Num[Array, "*b h w c"], scale: int) -> Num[Array, "*b h_out w_out c"]:
    """Shrinks a window of an image. The window includes a margin of `2 * scale` pixels on every side.

    The result equals the same part of the whole image's reduction byte for byte, if the window's corner lies on a multiple of
    `scale` and its pixels beyond the image are the symmetric reflection of the image.
    """
    for axis in (x.ndim - 3, x.ndim - 2):
        x = _downsample_axis(x, scale, axis, kernel="bicubic", antialias=True, xp=jnp)
    return x


def bicubic_downsample(x: Num[Array, "*b h w c"], scale: int) -> Num[Array, "*b h_out w_out c"]:
    """Shrinks images by bicubic interpolation with antialiasing: MATLAB's `imresize(x, 1 / scale)`.

    Args:
      x: images whose height and width are multiples of `scale`. uint8 and uint16 are resized exactly, with rounding after
        each pass. Floats of any range are not rounded.
      scale: the factor, an integer of at least 1.

    Raises:
      ValueError: if height or width is not a multiple of `scale`, or 32 bits are too short for a uint16 image.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import bicubic_downsample
      >>> print(bicubic_downsample(jnp.arange(16, dtype=jnp.uint8).reshape(4, 4, 1), 2)[..., 0])
      [[ 2  5]
       [10 13]]
    """
    h, w = x.shape[-3:-1]
    if h % scale or w % scale:
        raise ValueError(f"a {h}x{w} image cannot be reduced by {scale}: crop it to multiples of {scale} first")
    if scale == 1:
        return x
    margin = SUPPORT * scale
    pad = [(0, 0)] * (x.ndim - 3) + [(margin, margin), (margin, margin), (0, 0)]
    return bicubic_downsample_window(jnp.pad(x, pad, mode="symmetric"), scale)


def bicubic_upsample(x: Num[Array, "*b h w c"], scale: int) -> Num[Array, "*b h_out w_out c"]:
    """Enlarges images by bicubic interpolation: MATLAB's `imresize(x, scale)`.

    Args:
      x: images. uint8 and uint16 are resized exactly, with rounding after each pass. Floats of any range are not rounded.
      scale: the factor, an integer of at least 1.

    Raises:
      ValueError: if 32 bits are too short for a uint16 image.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import bicubic_upsample
      >>> print(bicubic_upsample(jnp.array([[[0], [128]]], jnp.uint8), 2)[0, :, 0])
      [  0  26 102 140]
    """
    if scale == 1:
        return x
    for axis in (x.ndim - 3, x.ndim - 2):
        x = _upsample_axis(x, scale, axis, kernel="bicubic", xp=jnp)
    return x


class Pass(NamedTuple):
    """The resizing of one axis."""

    axis: int
    size: int
    scale: float


def imresize(
    x: Num[Array, "*b h w c"],
    *,
    scale: float | int | Sequence[float | int] | None = None,
    shape: Sequence[int] | None = None,
    kernel: str,
    antialias: bool,
) -> Num[Array, "*b h_out w_out c"]:
    """Resizes images: MATLAB's `imresize(x, scale, kernel)` or `imresize(x, shape, kernel)`. It is compiled for each shape.

    Args:
      x: images. uint8 and uint16 are rounded and clipped after each pass. With a bicubic, bilinear or box kernel at an
        integer factor this is exact while 32 bits suffice; otherwise the sums are float32, and ties may be rounded either
        way. Floats of any range are not rounded and can be differentiated; half precision is summed in float32.
      scale: output pixels for each input pixel, or a pair (height, width). Sizes are rounded up.
      shape: the output's height and width, in place of `scale`.
      kernel: "bicubic", "bilinear", "box", "lanczos2" or "lanczos3".
      antialias: whether the kernel is widened when an axis shrinks, which is MATLAB's default.

    Raises:
      ValueError: if not exactly one of scale and shape is given, one is not positive, the kernel is unknown, or the image is
        empty or has another integer type.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import imresize
      >>> imresize(jnp.zeros((7, 10, 3)), scale=0.5, kernel="lanczos3", antialias=True).shape
      (4, 5, 3)
    """
    return _imresize(x, _passes(x, scale, shape, kernel), kernel, antialias)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _imresize(x: Array, passes: tuple[Pass, ...], kernel: str, antialias: bool) -> Array:
    return _resize(x, passes, kernel, antialias, jnp)


def imresize_host(
    x: Num[np.ndarray, "*b h w c"],
    *,
    scale: float | int | Sequence[float | int] | None = None,
    shape: Sequence[int] | None = None,
    kernel: str,
    antialias: bool,
) -> Num[np.ndarray, "*b h_out w_out c"]:
    """Resizes NumPy images on the host, in float64 where `imresize` uses float32, and without compilation.

    Args:
      x, scale, shape, kernel, antialias: as in `imresize`.

    Raises:
      ValueError: as `imresize`.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import imresize_host
      >>> print(imresize_host(np.arange(4.0).reshape(2, 2, 1), scale=0.5, kernel="box", antialias=True).item())
      1.5
    """
    return _resize(x, _passes(x, scale, shape, kernel), kernel, antialias, np)


def _passes(x: Any, scale: Any, shape: Any, kernel: str) -> tuple[Pass, ...]:
    """Both passes in MATLAB's order: the smaller scale first, and height before width."""
    find_kernel(kernel)
    if x.dtype not in (np.uint8, np.uint16) and not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"a {x.dtype} image cannot be resized: it must be uint8, uint16 or float")
    if x.ndim < 3 or not all(x.shape[-3:]):
        raise ValueError(
            f"an image of shape {x.shape} cannot be resized: it must have pixels, and axes (height, width, channels)"
        )
    if (scale is None) == (shape is None):
        raise ValueError(f"scale={scale!r} and shape={shape!r}: give exactly one of them")
    sizes = x.shape[-3:-1]
    if shape is not None:
        if len(shape) != 2 or not all(hasattr(n, "__index__") and n >= 1 for n in shape):
            raise ValueError(f"shape={shape!r} must be two positive integers (height, width)")
        scales = [out / n for out, n in zip(shape, sizes, strict=True)]
    else:
        scales = list(scale) if isinstance(scale, Sequence) else [scale, scale]
        if len(scales) != 2 or not all(math.isfinite(s) and s > 0 for s in scales):
            raise ValueError(f"scale={scale!r} must be a positive number, or a pair of them (height, width)")
        shape = [math.ceil(n * s) for n, s in zip(sizes, scales, strict=True)]
    passes = [Pass(x.ndim - 3 + i, int(shape[i]), float(scales[i])) for i in range(2)]
    return tuple(sorted(passes, key=lambda p: p.scale))


def _resize(x: Any, passes: tuple[Pass, ...], kernel: str, antialias: bool, xp: ModuleType) -> Any:
    for p in passes:
        x = _resize_axis(x, p, kernel, antialias, xp)
    return x


def _resize_axis(x: Any, p: Pass, kernel: str, antialias: bool, xp: ModuleType) -> Any:
    """Resizes one axis, with integer weights if the factor and the kernel allow them, and real weights otherwise."""
    if p.scale == 1:
        return x
    support, _, rational = KERNELS[kernel]
    shrink, grow = round(1 / p.scale), round(p.scale)
    if rational and p.scale == grow and _fits(x.dtype, upsample_weights(grow, kernel=kernel)[0]):
        return _upsample_axis(x, grow, p.axis, kernel=kernel, xp=xp)
    by_integer = math.isclose(1 / p.scale, shrink, rel_tol=1e-15)  # 1 / s is a rounded number
    if rational and by_integer and _fits(x.dtype, downsample_weights(shrink, kernel=kernel, antialias=antialias)[0]):
        margin = support * shrink
        padded = _pad(x, p.axis, margin, margin + p.size * shrink - x.shape[p.axis], xp)
        return _downsample_axis(padded, shrink, p.axis, kernel=kernel, antialias=antialias, xp=xp)
    return _resize_axis_by_real_weights(x, p, kernel, antialias, xp)


def _resize_axis_by_real_weights(x: Any, p: Pass, kernel: str, antialias: bool, xp: ModuleType) -> Any:
    weights, index = resize_weights(x.shape[p.axis], p.size, scale=p.scale, kernel=kernel, antialias=antialias)
    weights = weights.astype(_working_float(x.dtype, xp))
    along = [p.size if axis == p.axis else 1 for axis in range(x.ndim)]
    taps = (weights[:, t].reshape(along) * xp.take(x, index[:, t], axis=p.axis, mode="clip") for t in range(weights.shape[1]))
    return _finish(functools.reduce(operator.add, taps), 1, x.dtype, xp)
