"""Interpolation kernels and the weights of a resize.

At an integer factor s, a kernel is sampled only at multiples of 1 / (2 s). The bicubic (Keys 1981, a = -0.5), bilinear and
box kernels are rational there, and their sum is the same for every output pixel. So their weights are kept as integers.
"""

import difflib
import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

SUPPORT = 2
"""Half the width of the bicubic kernel [pixels of the coarser grid]."""


class ResizeKernel(NamedTuple):
    """An interpolation kernel h."""

    support: int
    """h is zero beyond this distance."""
    values: Callable[[np.ndarray, int], np.ndarray]
    """Maps `(x, unit)` to h(x / unit) times a constant. If h is rational, integers are mapped to integers."""
    rational: bool
    """Whether h is rational at rational positions."""


def _bicubic(x: np.ndarray, unit: int) -> np.ndarray:
    """`2 unit^3 h(x / unit)`, where h is Keys' cubic kernel."""
    x = np.abs(x)
    near = 3 * x**3 - 5 * x**2 * unit + 2 * unit**3
    far = -(x**3) + 5 * x**2 * unit - 8 * x * unit**2 + 4 * unit**3
    return np.where(x <= unit, near, np.where(x < 2 * unit, far, 0))


def _bilinear(x: np.ndarray, unit: int) -> np.ndarray:
    return np.maximum(unit - np.abs(x), 0)


def _box(x: np.ndarray, unit: int) -> np.ndarray:
    return ((-unit <= 2 * x) & (2 * x < unit)).astype(x.dtype)


def _lanczos(x: np.ndarray, unit: int, *, lobes: int) -> np.ndarray:
    x = x / unit
    return np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0)


KERNELS = {
    "bicubic": ResizeKernel(SUPPORT, _bicubic, True),
    "bilinear": ResizeKernel(1, _bilinear, True),
    "box": ResizeKernel(1, _box, True),
    "lanczos2": ResizeKernel(2, functools.partial(_lanczos, lobes=2), False),
    "lanczos3": ResizeKernel(3, functools.partial(_lanczos, lobes=3), False),
}


def resize_weights(
    in_size: int, out_size: int, *, scale: float, kernel: str, antialias: bool
) -> tuple[Float[np.ndarray, "out taps"], Int[np.ndarray, "out taps"]]:
    """The weights w and the indices n of one pass, so that `y[i] = sum_t w[i, t] x[n[i, t]]`.

    Args:
      scale: output pixels for each input pixel. It can differ from `out_size / in_size`, because sizes are rounded up.
      kernel: one of `KERNELS`.
      antialias: whether the kernel is widened when the axis shrinks.

    Raises:
      ValueError: if the kernel is unknown.
    """
    support, values, _ = find_kernel(kernel)
    shrink = min(scale, 1.0) if antialias else 1.0
    centre = np.arange(1, out_size + 1) / scale + 0.5 * (1 - 1 / scale)  # MATLAB counts from 1, which decides its rounding
    first = np.floor(centre - support / shrink).astype(np.int64)
    index = first[:, None] + np.arange(math.ceil(2 * support / shrink) + 2)
    weights = values((centre[:, None] - index) * shrink, 1).astype(np.float64)
    used = weights.any(0)
    weights, index = weights[:, used], index[:, used]
    mirrored = (index - 1) % (2 * in_size)
    return weights / weights.sum(1, keepdims=True), np.minimum(mirrored, 2 * in_size - 1 - mirrored)


def downsample_weights(scale: int, *, kernel: str, antialias: bool) -> tuple[Int[np.ndarray, " taps"], int, int]:
    """The filter that shrinks by `scale`, for a rational kernel.

    Returns:
      Integer weights `w`, their denominator and the offset `o`, so that
      `y[i] = sum_t w[t] x[scale * i + o + t] / denominator`. The offset of a widened kernel is not positive.
    """
    support, values, _ = find_kernel(kernel)
    t = np.arange(-support * scale, (support + 1) * scale)
    # Twice the distance from input t to the centre scale * i + (scale - 1) / 2 [input pixels].
    weights = values(scale - 1 - 2 * t, 2 * scale if antialias else 2)
    used = np.flatnonzero(weights)
    weights, denominator = _reduce(weights[used[0] : used[-1] + 1])
    return weights, denominator, int(t[used[0]])


def upsample_weights(scale: int, *, kernel: str) -> tuple[Int[np.ndarray, "scale taps"], int, Int[np.ndarray, " scale"]]:
    """The filters that enlarge by `scale`, one for each output phase, for a rational kernel.

    Returns:
      Integer weights `w`, their denominator and the offsets `o`, so that
      `y[scale * i + r] = sum_t w[r, t] x[i + o[r] + t] / denominator`.
    """
    support, values, _ = find_kernel(kernel)
    # Output scale * i + r lies at i + (2 r + 1 - scale) / (2 scale) on the input grid.
    position = 2 * np.arange(scale) + 1 - scale
    offset = np.floor_divide(position, 2 * scale) - (support - 1)
    distance = position[:, None] - 2 * scale * (offset[:, None] + np.arange(2 * support))
    weights, denominator = _reduce(values(distance, 2 * scale))
    return weights, denominator, offset


def bicubic_kernel(scale: int) -> Float[np.ndarray, "k k"]:
    """The blur kernel k of MATLAB's bicubic reduction: away from the borders, `bicubic_downsample(x)` is `S(k * x)`.

    Give it to `data_step` and `blur_downsample` with `centre=(size - 1) // 2`: its middle tap lies on the top left pixel of a
    cell, the kept one. Its mass therefore lies up and to the left of its middle.

    Args:
      scale: the factor, an integer of at least 1.

    Returns:
      The kernel, of odd size and sum 1, in float32.

    Example:
      >>> from sr_jax.ops import bicubic_kernel
      >>> bicubic_kernel(2).shape, round(float(bicubic_kernel(2).sum()), 4)
      ((9, 9), 1.0)
    """
    weights, denominator, offset = downsample_weights(scale, kernel="bicubic", antialias=True)
    radius = max(-offset, offset + len(weights) - 1)
    taps = np.zeros(2 * radius + 1)
    taps[radius - offset - np.arange(len(weights))] = weights / denominator
    return np.outer(taps, taps).astype(np.float32)


def _reduce(weights: np.ndarray) -> tuple[np.ndarray, int]:
    """The weights in lowest terms, and their sum, which is the same for all filters."""
    sums = np.unique(weights.sum(-1))
    assert len(sums) == 1
    divisor = math.gcd(*(int(w) for w in weights.flat))
    return weights // divisor, int(sums[0]) // divisor


def find_kernel(name: str) -> ResizeKernel:
    if name not in KERNELS:
        near = difflib.get_close_matches(name, KERNELS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"kernel={name!r} is not one of {', '.join(KERNELS)}{hint}")
    return KERNELS[name]
