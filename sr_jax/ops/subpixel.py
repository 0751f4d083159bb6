"""Between channels and pixels: depth-to-space, and transposed convolution as convolution + depth-to-space."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

Pair = tuple[int, int]


def depth_to_space(x: Num[Array, "b h w c"], scale: int | Pair) -> Num[Array, "b h_out w_out c_out"]:
    """Channel `(r * scale + q) * c_out + c` at (y, x) becomes channel c at `(scale * y + r, scale * x + q)`.

    PyTorch's `pixel_shuffle` orders its channels otherwise: `(c * scale + r) * scale + q`.

    Raises:
      ValueError: if the number of channels is not a multiple of scale^2.
    """
    b, h, w, c = x.shape
    sh, sw = _cell(scale)
    if c % (sh * sw):
        raise ValueError(f"{c} channels cannot be spread over {sh}x{sw} pixels: use a multiple of {sh * sw}")
    x = x.reshape(b, h, w, sh, sw, c // (sh * sw))
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h * sh, w * sw, c // (sh * sw))


def space_to_depth(x: Num[Array, "b sh sw c"], scale: int | Pair) -> Num[Array, "b h w c_out"]:
    """The inverse of `depth_to_space`.

    Raises:
      ValueError: if `scale` does not divide height and width.
    """
    b, h, w, c = x.shape
    sh, sw = _cell(scale)
    if h % sh or w % sw:
        raise ValueError(f"a {h}x{w} image cannot be cut into cells of {sh}x{sw}: crop it to a multiple")
    x = x.reshape(b, h // sh, sh, w // sw, sw, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // sh, w // sw, sh * sw * c)


def _cell(scale: int | Pair) -> Pair:
    sh, sw = scale if isinstance(scale, tuple) else (scale, scale)
    if any(not isinstance(s, int) or s < 1 for s in (sh, sw)):
        raise ValueError(f"scale={scale!r} must be an integer of at least 1, or a pair of them")
    return sh, sw


def interleave(phases: Sequence[Sequence[Num[Array, "b h w c"]]]) -> Num[Array, "b h_out w_out c"]:
    """`phases[r][q]` at (y, x) becomes the pixel `(s * y + r, s * x + q)`, for lists of s or, each way, any number."""
    rows = [jnp.stack(row, 3) for row in phases]
    out = jnp.stack(rows, 2)
    b, h, sh, w, sw, c = out.shape
    return out.reshape(b, h * sh, w * sw, c)


def subpixel_from_transposed(w: Float[Array, "k k2 i o"], *, stride: int, padding: int) -> Float[Array, "m m i o_phases"]:
    """The kernel with which convolution (stride 1, same size) + `depth_to_space` equals a transposed convolution.

    It is the transposed convolution whose output is `stride` times its input, that is with
    `output_padding = stride + 2 * padding - k`, with zeros beyond the border in both cases (Shi et al. 2016,
    arXiv 1609.07009). The kernel has the smallest odd size that holds all taps; its output channels are in the order of
    `depth_to_space`.

    Raises:
      ValueError: if that output padding is negative, or not below the stride.
    """
    k = w.shape[0]
    if w.shape[1] != k:
        raise ValueError(f"a {k}x{w.shape[1]} kernel is not square")
    output_padding = stride + 2 * padding - k
    if not 0 <= output_padding < stride:
        right = [p for p in range(k) if 0 <= stride + 2 * p - k < stride]
        raise ValueError(
            f"a {k}x{k} transposed convolution with stride={stride} and padding={padding} does not give {stride} times its "
            f"input: padding must be {' or '.join(map(str, right)) or 'half of an odd kernel size, rounded down'}"
        )
    half = max((k - 1 - padding) // stride, (stride - 1 + padding) // stride)
    # Output s i + r takes x[i + m] through tap r + padding - s m, where there is one.
    taps = np.arange(stride) + padding - stride * np.arange(-half, half + 1)[:, None]
    taps = np.where((taps >= 0) & (taps < k), taps, k)
    padded = jnp.pad(w, ((0, 1), (0, 1), (0, 0), (0, 0)))
    phases = padded[taps[:, None, :, None], taps[None, :, None, :]]  # (m, n, r, q, in, out)
    m, n, r, q, i, o = phases.shape
    return phases.transpose(0, 1, 4, 2, 3, 5).reshape(m, n, i, r * q * o)


def transposed_from_subpixel(filters: Float[Array, "k k i o_phases"], *, scale: int) -> tuple[Float[Array, "k2 k2 i o"], int]:
    """The inverse: kernel and padding of the transposed convolution with stride `scale` that is the same operator.

    The kernel has the size `scale * k`, the output padding is 0.

    Raises:
      ValueError: if the kernel's size is even, or its output channels are not a multiple of scale^2.
    """
    m, n, i, channels = filters.shape
    if m != n or m % 2 == 0:
        raise ValueError(f"a {m}x{n} kernel has no middle: 'same' padding is symmetric for odd, square kernels only")
    if channels % scale**2:
        raise ValueError(f"{channels} output channels are not a multiple of scale^2 = {scale**2}")
    phases = filters[::-1, ::-1].reshape(m, n, i, scale, scale, channels // scale**2)
    w = phases.transpose(0, 3, 1, 4, 2, 5).reshape(m * scale, n * scale, i, channels // scale**2)
    return w, scale * (m // 2)
