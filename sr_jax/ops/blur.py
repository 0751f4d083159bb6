"""The image model `y = S(k * x)`, blur and subsampling, and its adjoint.

The Fourier operators invert this model and share its conventions:

- `*` is true convolution with a circular boundary. S keeps the pixels 0, s, 2s, ... of each axis.
- A kernel has the shape (kh, kw), (kh, kw, c) for one kernel a channel, or (b, kh, kw, c) for one a channel and image.
- Tap `centre` of the kernel lies on the kept pixel: `y[i] = sum_t k[t] x[s i - (t - centre)]`.
- The default, `centre = (k + s - 2) / 2`, puts pixel i of y into the middle of its s x s cell of x. Images that were
  downsampled with half-pixel centres (MATLAB's `imresize`, mean pooling) are aligned this way. It needs k and s to be both
  even or both odd.
- "Classical" degradations and USRNet put the middle of an odd kernel on pixel s i. For them, give `centre=(k - 1) // 2`.
"""

import functools
import itertools
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from sr_jax.ops.subpixel import Pair, interleave

BlurKernel = Float[Array, "kh kw"] | Float[Array, "kh kw c_or_1"] | Float[Array, "b_or_1 kh kw c_or_1"]


def blur_downsample(
    x: Float[Array, "b sh sw c"], k: BlurKernel, *, scale: int, centre: int | Pair | None = None
) -> Float[Array, "b h w c"]:
    """Blurs and subsamples images: `A x = S(k * x)` with a circular boundary.

    Args:
      x: images with values in any range.
      k: the blur kernel; the module docstring of `sr_jax.ops.blur` lists its shapes.
      scale: the factor s of the subsampling, an integer of at least 1.
      centre: the tap that lies on the kept pixel, or a pair (row, column); by default `(k + s - 2) / 2`.

    Raises:
      ValueError: if `scale` is not a positive integer or does not divide the image, or if the kernel does not fit the image.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import blur_downsample
      >>> x = jnp.arange(8.0).reshape(1, 2, 4, 1)
      >>> print(blur_downsample(x, jnp.full((2, 2), 1 / 4), scale=2)[0, :, :, 0])  # the means of the cells
      [[2.5 4.5]]
    """
    check_scale(scale)
    check_image_shape(x.shape)
    if x.shape[1] % scale or x.shape[2] % scale:
        raise ValueError(f"a {x.shape[1]}x{x.shape[2]} image cannot be subsampled by {scale}: crop it to a multiple")
    k = as_batch(k, x.shape)
    check_kernel_fits(k.shape[1:3], x.shape[1:3])
    return _blur_downsample(x, k, scale, find_centre(k.shape[1:3], scale, centre))


@functools.partial(jax.jit, static_argnums=(2, 3))
def _blur_downsample(x: Array, k: Array, scale: int, centres: Pair) -> Array:
    size = (x.shape[1] // scale, x.shape[2] // scale)
    pads = [(max(0, n - 1 - c), max(0, c - (scale - 1))) for n, c in zip(k.shape[1:3], centres, strict=True)]
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)), mode="wrap")
    out_type = jnp.result_type(x, k)
    total = jnp.zeros((x.shape[0], *size, x.shape[3]), jnp.promote_types(out_type, jnp.float32))
    for t, u in itertools.product(range(k.shape[1]), range(k.shape[2])):
        first = (pads[0][0] + centres[0] - t, pads[1][0] + centres[1] - u)
        last = [f + scale * (n - 1) + 1 for f, n in zip(first, size, strict=True)]
        window = lax.slice(x, (0, *first, 0), (x.shape[0], *last, x.shape[3]), (1, scale, scale, 1))
        total += window * k[:, t, u][:, None, None]
    return total.astype(out_type)


def blur_downsample_adjoint(
    r: Float[Array, "b h w c"], k: BlurKernel, *, scale: int, centre: int | Pair | None = None
) -> Float[Array, "b sh sw c"]:
    """Computes `A^T r`, where A is `blur_downsample`: `<A x, r> = <x, A^T r>`.

    This is a transposed convolution with the flipped kernel.

    Args:
      r: LR images with values in any range.
      k: the blur kernel, as in `blur_downsample`.
      scale: the factor s of the subsampling.
      centre: the tap that lies on the kept pixel, as in `blur_downsample`.

    Raises:
      ValueError: if `scale` is not a positive integer, or if the kernel does not fit the HR image.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import blur_downsample_adjoint
      >>> r = jnp.array([4.0, 8.0]).reshape(1, 1, 2, 1)
      >>> print(blur_downsample_adjoint(r, jnp.full((2, 2), 1 / 4), scale=2)[0, :, :, 0])
      [[1. 1. 2. 2.]
       [1. 1. 2. 2.]]
    """
    check_scale(scale)
    k = as_batch(k, r.shape)
    check_kernel_fits(k.shape[1:3], (r.shape[1] * scale, r.shape[2] * scale))
    return _blur_downsample_adjoint(r, k, scale, find_centre(k.shape[1:3], scale, centre))


@functools.partial(jax.jit, static_argnums=(2, 3))
def _blur_downsample_adjoint(r: Array, k: Array, scale: int, centres: Pair) -> Array:
    out_type = jnp.result_type(r, k)
    # Pixel s j + phase takes tap t of r[j + shift] where t + phase - centre = s shift.
    rows, columns = (
        [phase_taps(n, scale, c, phase) for phase in range(scale)] for n, c in zip(k.shape[1:3], centres, strict=True)
    )
    pads = []
    for phases in (rows, columns):
        shifts = [shift for taps in phases for _, shift in taps]
        pads.append((max(0, -min(shifts)), max(0, max(shifts))))
    padded = jnp.pad(r, ((0, 0), *pads, (0, 0)), mode="wrap")

    def phase(rows: list[Pair], columns: list[Pair]) -> Array:
        total = jnp.zeros(r.shape, jnp.promote_types(out_type, jnp.float32))
        for (t, dy), (u, dx) in itertools.product(rows, columns):
            y, x = dy + pads[0][0], dx + pads[1][0]
            window = padded[:, y : y + r.shape[1], x : x + r.shape[2]]
            total += window * k[:, t, u][:, None, None]
        return total.astype(out_type)

    return interleave([[phase(r, c) for c in columns] for r in rows])


def find_centre(kernel_size: Sequence[int], scale: int, centre: int | Pair | None) -> Pair:
    """The tap (row, column) that lies on the kept pixel: `centre`, or `(k + s - 2) / 2` by default.

    Raises:
      ValueError: if the default is not an integer, or the centre lies outside of the kernel.
    """
    if centre is None:
        if any((k + scale) % 2 for k in kernel_size):
            sizes = "x".join(map(str, kernel_size))
            raise ValueError(
                f"a {sizes} kernel has no tap at the centre (k + s - 2) / 2 of the cells of scale={scale}: use a kernel of "
                f"{'even' if scale % 2 == 0 else 'odd'} size, or give the tap that lies on the kept pixel (for its middle: "
                f"centre={tuple((k - 1) // 2 for k in kernel_size)})"
            )
        return (kernel_size[0] + scale - 2) // 2, (kernel_size[1] + scale - 2) // 2
    return check_centre(kernel_size, centre, beyond=(0, scale - 1))


def check_centre(kernel_size: Sequence[int], centre: int | Pair, *, beyond: Pair) -> Pair:
    """The centre as a pair.

    It may lie `beyond` the first and the last tap by so many pixels, because a kernel can be smaller than a cell.

    Raises:
      ValueError: if the centre is not an integer or a pair of integers, or lies farther outside of the kernel.
    """
    try:
        cy, cx = map(operator.index, centre if isinstance(centre, Sequence) else (centre, centre))
    except (TypeError, ValueError):
        raise ValueError(f"centre={centre!r} must be an integer, or a pair of them (row, column)") from None
    if not all(-beyond[0] <= c < k + beyond[1] for c, k in zip((cy, cx), kernel_size, strict=True)):
        raise ValueError(f"centre={centre} is not a tap of a {kernel_size[0]}x{kernel_size[1]} kernel")
    return cy, cx


def phase_taps(kernel_size: int, scale: int, centre: int, phase: int) -> list[Pair]:
    """The pairs (tap, shift) that connect pixel `s j + phase` of x to pixel `j + shift` of y."""
    offsets = [(t, t + phase - centre) for t in range(kernel_size)]
    return [(t, offset // scale) for t, offset in offsets if offset % scale == 0]


def as_batch(k: Array, image_shape: tuple[int, ...]) -> Float[Array, "b kh kw c"]:
    """The kernel with all four axes. The axes of images and channels have size 1 where these share a kernel.

    Raises:
      ValueError: if the kernel does not fit the numbers of images and channels in `image_shape` (b, h, w, c).
    """
    check_image_shape(image_shape)
    b, _, _, c = image_shape
    if k.ndim not in (2, 3, 4):
        raise ValueError(f"a kernel of shape {k.shape} does not have the axes (kh, kw), (kh, kw, c) or (b, kh, kw, c)")
    full = k[None, :, :, None] if k.ndim == 2 else k[None] if k.ndim == 3 else k
    if full.shape[0] not in (1, b) or full.shape[3] not in (1, c):
        raise ValueError(f"a kernel of shape {k.shape} does not fit {b} images of {c} channels")
    return full


def check_kernel_fits(kernel_size: Sequence[int], size: Sequence[int], *, margin: int = 0) -> None:
    """Raises ValueError if a kernel has no taps, or is larger than an image with `margin` more pixels on each side."""
    (kh, kw), (h, w) = kernel_size, (n + 2 * margin for n in size)
    if min(kh, kw) < 1:
        raise ValueError(f"a {kh}x{kw} kernel has no taps")
    if kh > h or kw > w:
        extended, hint = (" with its margin", "give a larger margin") if margin else ("", "use a larger image")
        raise ValueError(f"a {kh}x{kw} kernel is larger than the {h}x{w} image{extended}: crop the kernel, or {hint}")


def check_image_shape(shape: tuple[int, ...]) -> None:
    """Raises ValueError unless the shape has four axes."""
    if len(shape) != 4:
        raise ValueError(f"images of shape {shape} must have the axes (batch, height, width, channels)")


def check_scale(scale: object) -> None:
    """Raises ValueError unless `scale` is an integer of at least 1."""
    if isinstance(scale, bool) or not hasattr(scale, "__index__") or operator.index(scale) < 1:  # pyright: ignore
        raise ValueError(f"scale={scale!r} must be an integer of at least 1")
