"""RGB and YCbCr in studio range, as MATLAB's `rgb2ycbcr` and `ycbcr2rgb`.

Float images: R, G and B lie in [0, 1], Y in [16, 235] / 255, Cb and Cr in [16, 240] / 255; nothing is rounded or clipped.
uint8 images: all in grey levels, rounded half away from zero, and clipped to [0, 255].

The standard is "bt601" (MATLAB's, and the papers') or "bt709" (high-definition video). Every function here takes JAX arrays and
NumPy arrays, and gives back what it was given: NumPy's stay on the host, where nothing is compiled.
"""

import functools
import operator
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Num, UInt, UInt8

A = TypeVar("A", Array, np.ndarray)

OFFSET = np.array([16, 128, 128])
"""Y, Cb and Cr of black, in grey levels of 255."""


class Standard(NamedTuple):
    """`ycbcr = numerators / denominators @ rgb + OFFSET`, in grey levels of 255 from R, G and B in [0, 1]."""

    numerators: np.ndarray
    denominators: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        return self.numerators / self.denominators[:, None]


STANDARDS = {
    # ITU-R BT.601 with three decimals, as MATLAB has it
    "bt601": Standard(
        np.array([[65481, 128553, 24966], [-37797, -74203, 112000], [112000, -93786, -18214]]), np.array([1000, 1000, 1000])
    ),
    # ITU-R BT.709, from Kr = 0.2126 and Kb = 0.0722: with y = Kr R + (1 - Kr - Kb) G + Kb B,
    # Y = 219 y, Cb = 112 (B - y) / (1 - Kb) and Cr = 112 (R - y) / (1 - Kr), and OFFSET
    "bt709": Standard(
        np.array([[219], [112], [112]]) * np.array([[2126, 7152, 722], [-2126, -7152, 9278], [7874, -7152, -722]]),
        np.array([10000, 9278, 7874]),
    ),
}

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""R, G and B of DIV2K's average training pixel, in [0, 1], which EDSR and its successors subtract."""


def rgb_to_y(rgb: Num[A, "*b h w 3"], *, standard: str = "bt601") -> Num[A, "*b h w 1"]:
    """The Y channel of an RGB image.

    Raises:
      ValueError: if the image is neither float nor uint8, or the standard is unknown.
    """
    return _forward(rgb, _find(standard), rows=1)


def rgb_to_ycbcr(rgb: Num[A, "*b h w 3"], *, standard: str = "bt601") -> Num[A, "*b h w 3"]:
    """RGB to YCbCr. The bytes of a uint8 image are exact, and so the same on every backend.

    Raises:
      ValueError: as `rgb_to_y`.
    """
    return _forward(rgb, _find(standard), rows=3)


def ycbcr_to_rgb(ycbcr: Num[A, "*b h w 3"], *, standard: str = "bt601") -> Num[A, "*b h w 3"]:
    """The inverse of `rgb_to_ycbcr`. In float, what leaves the RGB gamut lies outside [0, 1] and is not clipped.

    uint8 is computed in float: 64 bits on the host, 32 on a device, where a value within 1e-4 of a tie may fall either way.

    Raises:
      ValueError: as `rgb_to_y`.
    """
    xp, inverse = _namespace(ycbcr), np.linalg.inv(_find(standard).matrix)
    if not _is_uint8(ycbcr):
        return xp.stack(_combine(_channels(ycbcr), inverse * 255, -inverse @ OFFSET), -1)
    centred = [x.astype(_float(xp)) - int(o) for x, o in zip(_channels(ycbcr), OFFSET, strict=True)]
    return _to_levels(xp.stack(_combine(centred, inverse * 255, np.zeros(3)), -1), xp)


def to_float(image: UInt[A, "*b h w c"]) -> Float[A, "*b h w c"]:
    """uint8 or uint16 of the full range to [0, 1]: float32 of a JAX array, float64 of a NumPy array."""
    return image.astype(_float(_namespace(image))) / np.iinfo(image.dtype).max


def to_uint8(image: Float[A, "*b h w c"]) -> UInt8[A, "*b h w c"]:
    """Float in [0, 1] to uint8, rounded half up as MATLAB's `uint8`, and clipped."""
    return _to_levels(image * 255, _namespace(image))


def network_input(image: UInt[A, "*b h w _c"], *, channels: int) -> Float32[A, "*b h w {channels}"]:
    """An image as a network reads it, in [0, 1]: its Y channel, or RGB. A gray image is its own Y, and R, G and B alike.

    Args:
      image: gray or RGB, uint8 or uint16.
      channels: 1 for Y, 3 for RGB.
    """
    values = to_float(image)
    if channels == 1 and values.shape[-1] == 3:
        values = rgb_to_y(values)
    xp = _namespace(image)
    return xp.broadcast_to(values.astype(np.float32), (*values.shape[:-1], channels))


def _forward(rgb: Any, standard: Standard, *, rows: int) -> Any:
    xp = _namespace(rgb)
    if not _is_uint8(rgb):
        return xp.stack(_combine(_channels(rgb), standard.matrix[:rows] / 255, OFFSET[:rows] / 255), -1)
    return xp.stack([_exact_row(rgb, standard, row, xp) for row in range(rows)], -1)


def _exact_row(rgb: Any, standard: Standard, row: int, xp: ModuleType) -> Any:
    """One channel of uint8 in 32-bit integers: `total / denominator` is it before rounding, which lies in [16, 240]."""
    denominator = 255 * int(standard.denominators[row])
    products = (int(n) * x.astype(xp.int32) for n, x in zip(standard.numerators[row], _channels(rgb), strict=True))
    total = functools.reduce(operator.add, products) + int(OFFSET[row]) * denominator
    return ((2 * total + denominator) // (2 * denominator)).astype(xp.uint8)


def _combine(channels: list[Any], matrix: np.ndarray, offset: np.ndarray) -> list[Any]:
    """`matrix @ channels + offset` as plain products and sums: float32 on every backend, never a reduced matmul."""
    return [
        functools.reduce(operator.add, (float(w) * x for w, x in zip(row, channels, strict=True))) + float(o)
        for row, o in zip(matrix, offset, strict=True)
    ]


def _to_levels(levels: Any, xp: ModuleType) -> Any:
    return xp.clip(xp.floor(levels + 0.5), 0, 255).astype(xp.uint8)


def _channels(image: Any) -> list[Any]:
    return [image[..., i] for i in range(image.shape[-1])]


def _namespace(image: Any) -> ModuleType:
    return np if isinstance(image, np.ndarray) else jnp


def _float(xp: ModuleType) -> Any:
    return np.float64 if xp is np else np.float32


def _is_uint8(image: Any) -> bool:
    if not (image.dtype == np.uint8 or jnp.issubdtype(image.dtype, jnp.floating)):
        raise ValueError(f"a {image.dtype} image has no colours here: convert it to float in [0, 1] (`to_float`) or to uint8")
    return image.dtype == np.uint8


def _find(standard: str) -> Standard:
    if standard not in STANDARDS:
        raise ValueError(f"standard={standard!r} is none of {', '.join(STANDARDS)}")
    return STANDARDS[standard]
