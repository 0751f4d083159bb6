"""JPEG compression and decompression (ITU-T T.81, baseline; JFIF colours), without the entropy coding, which is lossless.

The arithmetic is that of libjpeg, in integers: colours in 16-bit fixed point, chroma averaged with alternating rounding,
tables scaled by quality, transforms in 13-bit fixed point ("islow"), chroma enlarged by a triangle filter ("fancy"). So the
bytes equal libjpeg's on every backend. Quantisation decides many ties, which floats would round either way.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

SUBSAMPLINGS = ("4:2:0", "4:4:4")

# T.81, tables K.1 and K.2.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMINANCE = np.full((8, 8), 99)
_CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# JFIF 1.02: rows give Y, Cb, Cr from R, G, B.
_FORWARD = np.array([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])
_BITS = 16
_HALF = 1 << (_BITS - 1)

_DCT_BITS = 13


def _dct_matrix() -> np.ndarray:
    """The left half of the DCT matrix times sqrt(8), in 13-bit fixed point. The right half mirrors it, with odd rows negated.

    The entries are sums of the rounded rotations of Loeffler, Ligtenberg and Moschytz (ICASSP 1989), as in libjpeg.
    """
    a, b, c, d, e = (round(v * 2**_DCT_BITS) for v in (1.175875602, 0.899976223, 2.562915447, 1.961570560, 0.390180644))
    p, q, r, s = (round(v * 2**_DCT_BITS) for v in (0.298631336, 2.053119869, 3.072711026, 1.501321110))
    low, rise, fall = (round(v * 2**_DCT_BITS) for v in (0.541196100, 0.765366865, 1.847759065))
    one = 2**_DCT_BITS
    return np.array(
        [
            [one, one, one, one],
            [s - b - e + a, a, a - e, a - b],
            [low + rise, low, -low, -low - rise],
            [a, r - c - d + a, a - c, a - d],
            [one, -one, -one, one],
            [a - e, a - c, q - c - e + a, a],
            [low, low - fall, fall - low, -low],
            [a - b, a - d, a, p - b - d + a],
        ]
    )


_DCT = _dct_matrix()


def apply_jpeg(image: Float[Array, "h w 3"], quality: Int[Array, ""] | int, *, subsampling: str) -> Float[Array, "h w 3"]:
    """Compresses an RGB image as JPEG and decompresses it again, with libjpeg's result.

    Args:
      image: RGB in [0, 1]. It is rounded to 8 bits first. The blocks begin at its top left corner.
      quality: libjpeg's quality, 1 to 100; may be traced.
      subsampling: "4:2:0" halves the chroma in both directions, "4:4:4" keeps it.

    Returns:
      The image in [0, 1], in steps of 1/255.

    Raises:
      ValueError: if the subsampling is unknown.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.ops import apply_jpeg
      >>> image = jnp.full((8, 8, 3), 0.5).at[4:].set(0.6)
      >>> compressed = apply_jpeg(image, 10, subsampling="4:4:4")
      >>> compressed.shape, bool(jnp.abs(compressed - image).max() < 0.05)
      ((8, 8, 3), True)
    """
    if subsampling not in SUBSAMPLINGS:
        raise ValueError(f"subsampling={subsampling!r} is not one of {', '.join(SUBSAMPLINGS)}")
    h, w = image.shape[:2]
    rgb = jnp.clip(jnp.floor(image * 255 + 0.5), 0, 255).astype(jnp.int32)
    y, cb, cr = _to_ycc(rgb)
    luminance, chrominance = quantisation_tables(quality)
    y = _code(y, luminance)
    if subsampling == "4:2:0":
        half = (-(-h // 2), -(-w // 2))
        cb, cr = (_double(_code(_halve(c), chrominance)[: half[0], : half[1]])[:h, :w] for c in (cb, cr))
    else:
        cb, cr = (_code(c, chrominance) for c in (cb, cr))
    return _to_rgb(y, cb, cr).astype(jnp.float32) / 255


def quantisation_tables(quality: Int[Array, ""] | int) -> tuple[Int[Array, "8 8"], Int[Array, "8 8"]]:
    """libjpeg's tables for luma and chroma: the standard's times 5000 / q % for q < 50, and times (200 - 2 q) % otherwise."""
    quality = jnp.clip(jnp.asarray(quality, jnp.int32), 1, 100)
    percent = jnp.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    luminance, chrominance = (
        jnp.clip((jnp.asarray(table, jnp.int32) * percent + 50) // 100, 1, 255) for table in (LUMINANCE, _CHROMINANCE)
    )
    return luminance, chrominance


def _to_ycc(rgb: Int[Array, "h w 3"]) -> list[Int[Array, "h w"]]:
    fixed = np.floor(_FORWARD * (1 << _BITS) + 0.5).astype(int)
    rounding = [_HALF, (128 << _BITS) + _HALF - 1, (128 << _BITS) + _HALF - 1]
    return [_dot(rgb, row, r) >> _BITS for row, r in zip(fixed, rounding, strict=True)]


def _dot(channels: Array, weights: np.ndarray, start: int) -> Array:
    return functools.reduce(jnp.add, (int(w) * channels[..., i] for i, w in enumerate(weights)), jnp.int32(start))


def _to_rgb(y: Array, cb: Array, cr: Array) -> Int[Array, "h w 3"]:
    """RGB from YCbCr by JFIF 1.02, with the five-digit coefficients of libjpeg."""
    red, blue, green_red, green_blue = (int(v * (1 << _BITS) + 0.5) for v in (1.402, 1.772, 0.71414, 0.34414))
    cb, cr = cb - 128, cr - 128
    r = y + ((red * cr + _HALF) >> _BITS)
    g = y + ((-green_blue * cb - green_red * cr + _HALF) >> _BITS)
    b = y + ((blue * cb + _HALF) >> _BITS)
    return jnp.clip(jnp.stack([r, g, b], -1), 0, 255)


def _pad_to(plane: Array, rows: int, columns: int) -> Array:
    """Repeats the last row and column until height and width are multiples of `rows` and `columns`."""
    h, w = plane.shape
    return jnp.pad(plane, ((0, -h % rows), (0, -w % columns)), mode="edge")


def _halve(plane: Int[Array, "h w"]) -> Int[Array, "h2 w2"]:
    """Means of 2x2 pixels, padded to whole blocks. The rounding alternates from column to column, so there is no bias."""
    plane = _pad_to(plane, 2, 16)
    plane = lax.optimization_barrier(plane)
    total = plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]
    return (total + 1 + jnp.arange(total.shape[1])[None] % 2) >> 2


def _double(plane: Int[Array, "h w"]) -> Int[Array, "h2 w2"]:
    """Doubles the size with a triangle filter: 3/4 of the nearest pixel and 1/4 of the next one, in both directions.

    Planes of one or two columns repeat their pixels, because libjpeg's filter needs three columns.
    """
    if plane.shape[1] <= 2:
        return plane.repeat(2, 0).repeat(2, 1)
    rows = jnp.pad(plane, ((1, 1), (0, 0)), mode="edge")
    tall = jnp.stack([3 * plane + rows[:-2], 3 * plane + rows[2:]], 1).reshape(-1, plane.shape[1])
    columns = jnp.pad(tall, ((0, 0), (1, 1)), mode="edge")
    left, right = (3 * tall + columns[:, :-2] + 8) >> 4, (3 * tall + columns[:, 2:] + 7) >> 4
    return jnp.stack([left, right], 2).reshape(tall.shape[0], -1)


def _code(plane: Int[Array, "h w"], table: Int[Array, "8 8"]) -> Int[Array, "h w"]:
    """Transforms a plane, quantises the coefficients and transforms them back."""
    h, w = plane.shape
    padded = _pad_to(plane, 8, 8)
    blocks = padded.reshape(padded.shape[0] // 8, 8, -1, 8).transpose(1, 3, 0, 2) - 128  # row and column in a block first
    coefficients = _forward(_forward(blocks, axis=1, shift=_DCT_BITS - 2), axis=0, shift=_DCT_BITS + 2)
    step = 8 * table[:, :, None, None]  # the transform is 8 times the orthonormal one
    whole = jnp.sign(coefficients) * ((jnp.abs(coefficients) + step // 2) // step)
    decoded = whole * table[:, :, None, None]
    decoded = _inverse(_inverse(decoded, axis=0, shift=_DCT_BITS - 2), axis=1, shift=_DCT_BITS + 5)
    return jnp.clip(decoded + 128, 0, 255).transpose(2, 0, 3, 1).reshape(padded.shape)[:h, :w]


def _forward(x: Int[Array, "..."], *, axis: int, shift: int) -> Int[Array, "..."]:
    """The DCT along an axis of 8 values, divided by 2^shift."""
    x = jnp.moveaxis(x, axis, 0)
    parts = x[:4] + x[:3:-1], x[:4] - x[:3:-1]  # even and odd about the middle
    y = [_dot(jnp.moveaxis(parts[k % 2], 0, -1), row, 1 << (shift - 1)) >> shift for k, row in enumerate(_DCT)]
    return lax.optimization_barrier(jnp.stack(y, axis))  # the passes would take long to compile if XLA fused them


def _inverse(y: Int[Array, "..."], *, axis: int, shift: int) -> Int[Array, "..."]:
    """The inverse DCT along an axis of 8 values, divided by 2^shift."""
    y = jnp.moveaxis(y, axis, -1)
    even = [_dot(y[..., ::2], column, 1 << (shift - 1)) for column in _DCT[::2].T]
    odd = [_dot(y[..., 1::2], column, 0) for column in _DCT[1::2].T]
    first = [(e + o) >> shift for e, o in zip(even, odd, strict=True)]
    last = [(e - o) >> shift for e, o in zip(even, odd, strict=True)]
    return lax.optimization_barrier(jnp.stack(first + last[::-1], axis))
