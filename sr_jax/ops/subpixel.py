"""Moving values between channels and pixels; transposed convolution as a convolution and depth-to-space."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

Pair = tuple[int, int]


def depth_to_space(x: Num[Array, "b h w c"], scale: int | Pair) -> Num[Array, "b h_out w_out c_out"]:
    """Moves channels to pixels, the sub-pixel step of ESPCN (Shi et al. 2016, arXiv 1609.05158).

    Channel `(r * scale + q) * c_out + c` at (y, x) becomes channel c at `(scale * y + r, scale * x + q)`. PyTorch's
    `pixel_shuffle` orders the channels differently: `(c * scale + r) * scale + q`.

    Args:
      x: values of any type and range.
      scale: an integer of at least 1, or a pair (vertical, horizontal).

    Raises:
      ValueError: if the number of channels is not a multiple of scale^2.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import depth_to_space
      >>> print(depth_to_space(jnp.arange(4).reshape(1, 1, 1, 4), 2)[0, :, :, 0])
      [[0 1]
       [2 3]]
    """
    b, h, w, c = x.shape
    sh, sw = _cell(scale)
    if c % (sh * sw):
        raise ValueError(f"{c} channels cannot be spread over {sh}x{sw} pixels: use a multiple of {sh * sw}")
    x = x.reshape(b, h, w, sh, sw, c // (sh * sw))
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h * sh, w * sw, c // (sh * sw))


def space_to_depth(x: Num[Array, "b sh sw c"], scale: int | Pair) -> Num[Array, "b h w c_out"]:
    """Moves the pixels of each `scale x scale` cell to channels: the inverse of `depth_to_space`.

    Args:
      x: values of any type and range.
      scale: an integer of at least 1, or a pair (vertical, horizontal).

    Raises:
      ValueError: if `scale` does not divide height and width.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import space_to_depth
      >>> print(space_to_depth(jnp.arange(8).reshape(1, 2, 4, 1), 2)[0, 0])
      [[0 1 4 5]
       [2 3 6 7]]
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
    """Makes one image of its phases: `phases[r][q]` at (y, x) becomes the pixel `(rows * y + r, columns * x + q)`.

    There are `rows` lists of `columns` arrays each.
    """
    rows = [jnp.stack(row, 3) for row in phases]
    out = jnp.stack(rows, 2)
    b, h, sh, w, sw, c = out.shape
    return out.reshape(b, h * sh, w * sw, c)


def subpixel_from_transposed(w: Float[Array, "k k2 i o"], *, stride: int, padding: int) -> Float[Array, "m m i o_phases"]:
    """Converts the kernel of a transposed convolution to that of a convolution followed by `depth_to_space`.

    Both compute the same function, with zeros beyond the border (Shi et al. 2016, arXiv 1609.07009). The convolution has
    stride 1 and keeps the size. The transposed convolution makes its input `stride` times as large, so its
    `output_padding` is `stride + 2 * padding - k`.

    Args:
      w: the kernel of `conv_transpose2d`, in any range.

    Returns:
      The kernel of the convolution. It has the smallest odd size m that holds all taps, and its output channels are in the
      order of `depth_to_space`.

    Raises:
      ValueError: if the kernel is not square, or its output padding is negative or not below the stride.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import subpixel_from_transposed
      >>> subpixel_from_transposed(jnp.ones((4, 4, 8, 3)), stride=2, padding=1).shape
      (3, 3, 8, 12)
    """
    k = w.shape[0]
    if w.shape[1] != k:
        raise ValueError(f"a {k}x{w.shape[1]} kernel is not square")
    output_padding = stride + 2 * padding - k
    if not 0 <= output_padding < stride:
        right = " or ".join(str(p) for p in range(k) if 0 <= stride + 2 * p - k < stride)
        hint = f"padding must be {right}" if right else "the kernel must have an odd size"
        raise ValueError(
            f"a {k}x{k} transposed convolution with stride={stride} and padding={padding} does not make its input {stride} "
            f"times as large: {hint}"
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
    """Converts the kernel of a convolution followed by `depth_to_space` to that of a transposed convolution.

    This is the inverse of `subpixel_from_transposed`.

    Args:
      filters: the kernel of the convolution, of odd size k, in any range.
      scale: the scale of `depth_to_space`, and the stride of the transposed convolution.

    Returns:
      The kernel of `conv_transpose2d`, of size `scale * k`, and its padding. The output padding is 0.

    Raises:
      ValueError: if the kernel is not square, its size is even, or its output channels are not a multiple of scale^2.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import transposed_from_subpixel
      >>> w, padding = transposed_from_subpixel(jnp.ones((3, 3, 8, 12)), scale=2)
      >>> w.shape, padding
      ((6, 6, 8, 3), 2)
    """
    m, n, i, channels = filters.shape
    if m != n or m % 2 == 0:
        raise ValueError(f"a {m}x{n} kernel has no middle: use a square kernel of odd size")
    if channels % scale**2:
        raise ValueError(f"{channels} output channels are not a multiple of scale^2 = {scale**2}")
    phases = filters[::-1, ::-1].reshape(m, n, i, scale, scale, channels // scale**2)
    w = phases.transpose(0, 3, 1, 4, 2, 5).reshape(m * scale, n * scale, i, channels // scale**2)
    return w, scale * (m // 2)
