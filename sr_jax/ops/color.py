"""Colours and number formats: RGB, YCbCr in studio range as MATLAB's `rgb2ycbcr` defines it, float and 8 bits.

In float images, R, G and B lie in [0, 1], Y in [16, 235] / 255, Cb and Cr in [16, 240] / 255; nothing is rounded or clipped.
uint8 images hold grey levels, rounded half away from zero and clipped to [0, 255].

The standard is "bt601" (MATLAB and the papers) or "bt709" (high-definition video). Every function takes JAX and NumPy arrays
and returns the kind it was given. NumPy arrays stay on the host, where nothing is compiled.
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
"""Y, Cb and Cr of black [grey levels of 255]."""


class Standard(NamedTuple):
    """Defines `ycbcr = numerators / denominators @ rgb + OFFSET` [grey levels of 255], with R, G and B in [0, 1]."""

    numerators: np.ndarray
    denominators: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        return self.numerators / self.denominators[:, None]


STANDARDS = {
    # ITU-R BT.601 with three decimals, as in MATLAB
    "bt601": Standard(
        np.array([[65481, 128553, 24966], [-37797, -74203, 112000], [112000, -93786, -18214]]), np.array([1000, 1000, 1000])
    ),
    # ITU-R BT.709 has Kr = 0.2126 and Kb = 0.0722. With y = Kr R + (1 - Kr - Kb) G + Kb B, and plus OFFSET,
    # Y = 219 y, Cb = 112 (B - y) / (1 - Kb) and Cr = 112 (R - y) / (1 - Kr).
    "bt709": Standard(
        np.array([[219], [112], [112]]) * np.array([[2126, 7152, 722], [-2126, -7152, 9278], [7874, -7152, -722]]),
        np.array([10000, 9278, 7874]),
    ),
}

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""The mean R, G and B of DIV2K's training pixels, in [0, 1], which EDSR and its successors subtract."""


def rgb_to_y(rgb: Num[A, "*b h w 3"], *, standard: str = "bt601") -> Num[A, "*b h w 1"]:
    """Computes the Y channel of RGB images.

    Args:
      rgb: float in [0, 1], or uint8.
      standard: "bt601" or "bt709".

    Returns:
      Y in [16, 235] / 255 (float) or in [16, 235] (uint8).

    Raises:
      ValueError: if the image is neither float nor uint8, or the standard is unknown.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import rgb_to_y
      >>> print(rgb_to_y(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))[0, :, 0])
      [ 16 235]
    """
    return _forward(rgb, _find(standard), rows=1)


def rgb_to_ycbcr(rgb: Num[A, "*b h w 3"], *, standard: str = "bt601") -> Num[A, "*b h w 3"]:
    """Converts RGB images to YCbCr, as MATLAB's `rgb2ycbcr`.

    uint8 images are converted in integers, so the bytes are the same on every backend.

    Args:
      rgb: float in [0, 1], or uint8.
      standard: "bt601" or "bt709".

    Raises:
      ValueError: if the image is neither float nor uint8, or the standard is unknown.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import rgb_to_ycbcr
      >>> print(rgb_to_ycbcr(np.array([[[255, 0, 0]]], np.uint8))[0, 0])
      [ 81  90 240]
    """
    return _forward(rgb, _find(standard), rows=3)


def ycbcr_to_rgb(ycbcr: Num[A, "*b h w 3"], *, standard: str = "bt601") -> Num[A, "*b h w 3"]:
    """Converts YCbCr images to RGB, as MATLAB's `ycbcr2rgb`: the inverse of `rgb_to_ycbcr`.

    uint8 images are converted in float64 on the host and in float32 on a device, where a value within 1e-4 of a tie may be
    rounded either way.

    Args:
      ycbcr: float, or uint8.
      standard: "bt601" or "bt709".

    Returns:
      RGB. Float colours outside of the RGB gamut lie outside [0, 1]; they are not clipped.

    Raises:
      ValueError: if the image is neither float nor uint8, or the standard is unknown.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import ycbcr_to_rgb
      >>> print(ycbcr_to_rgb(np.array([[[235, 128, 128]]], np.uint8))[0, 0])
      [255 255 255]
    """
    xp, inverse = _namespace(ycbcr), np.linalg.inv(_find(standard).matrix)
    if not _is_uint8(ycbcr):
        return xp.stack(_combine(_channels(ycbcr), inverse * 255, -inverse @ OFFSET), -1)
    centred = [x.astype(_float(xp)) - int(o) for x, o in zip(_channels(ycbcr), OFFSET, strict=True)]
    return _to_levels(xp.stack(_combine(centred, inverse * 255, np.zeros(3)), -1), xp)


def to_float(image: UInt[A, "*b h w c"]) -> Float[A, "*b h w c"]:
    """Converts uint8 or uint16 images to float in [0, 1].

    Args:
      image: integers of the full range of their type.

    Returns:
      float32 for a JAX array, float64 for a NumPy array.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import to_float
      >>> print(to_float(np.array([[[0, 51, 255]]], np.uint8))[0, 0])
      [0.  0.2 1. ]
    """
    return image.astype(_float(_namespace(image))) / np.iinfo(image.dtype).max


def to_uint8(image: Float[A, "*b h w c"]) -> UInt8[A, "*b h w c"]:
    """Converts float images in [0, 1] to uint8, rounded half up as by MATLAB's `uint8`, and clipped.

    Args:
      image: float. Values outside [0, 1] are clipped.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import to_uint8
      >>> print(to_uint8(np.array([[[-0.1, 0.5, 1.1]]]))[0, 0])
      [  0 128 255]
    """
    return _to_levels(image * 255, _namespace(image))


def network_input(image: UInt[A, "*b h w _c"], *, channels: int) -> Float32[A, "*b h w {channels}"]:
    """Converts an image to what a network reads: its Y channel or its RGB channels in [0, 1].

    A gray image is its own Y channel. As RGB, its three channels are equal.

    Args:
      image: gray or RGB, uint8 or uint16.
      channels: 1 for Y, 3 for RGB.

    Example:
      >>> import numpy as np
      >>> from sr_jax.ops import network_input
      >>> network_input(np.zeros((4, 5, 1), np.uint8), channels=3).shape
      (4, 5, 3)
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
    """One channel of a uint8 image, in 32-bit integers. Before rounding, it is `total / denominator`, within [16, 240]."""
    denominator = 255 * int(standard.denominators[row])
    products = (int(n) * x.astype(xp.int32) for n, x in zip(standard.numerators[row], _channels(rgb), strict=True))
    total = functools.reduce(operator.add, products) + int(OFFSET[row]) * denominator
    return ((2 * total + denominator) // (2 * denominator)).astype(xp.uint8)


def _combine(channels: list[Any], matrix: np.ndarray, offset: np.ndarray) -> list[Any]:
    """`matrix @ channels + offset` as products and sums, because some backends multiply matrices with reduced precision."""
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
        raise ValueError(
            f"a {image.dtype} image cannot be converted between RGB and YCbCr: convert it to float (`to_float`) or uint8 first"
        )
    return image.dtype == np.uint8


def _find(standard: str) -> Standard:
    if standard not in STANDARDS:
        raise ValueError(f"standard={standard!r} is not one of {', '.join(STANDARDS)}")
    return STANDARDS[standard]
