"""RGB and YCbCr, as MATLAB's `rgb2ycbcr` and `ycbcr2rgb` (ITU-R BT.601, studio range).

Y lies in [16, 235] / 255, Cb and Cr in [16, 240] / 255, for R, G and B in [0, 1].
"""

import functools
import operator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Rows give Y, Cb and Cr in grey levels of 255, from R, G and B in [0, 1].
_FORWARD = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
_OFFSET = np.array([16.0, 128.0, 128.0])
_INVERSE = np.linalg.inv(_FORWARD)


def _combine(channels: list[Array], matrix: np.ndarray, offset: np.ndarray) -> list[Array]:
    """`matrix @ channels + offset` as plain products and sums: float32 on every backend, never a reduced matmul."""
    return [
        functools.reduce(operator.add, (float(w) * x for w, x in zip(row, channels, strict=True))) + float(o)
        for row, o in zip(matrix, offset, strict=True)
    ]


def rgb_to_y(rgb: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
    """The Y channel of an RGB image; both in [0, 1]."""
    return _combine(_channels(rgb), _FORWARD[:1] / 255, _OFFSET[:1] / 255)[0][..., None]


def rgb_to_ycbcr(rgb: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
    """RGB in [0, 1] to YCbCr in [0, 1], studio range, not rounded."""
    return jnp.stack(_combine(_channels(rgb), _FORWARD / 255, _OFFSET / 255), -1)


def ycbcr_to_rgb(ycbcr: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
    """The inverse of `rgb_to_ycbcr`; what leaves the RGB gamut lies outside [0, 1] and is not clipped."""
    return jnp.stack(_combine(_channels(ycbcr), _INVERSE * 255, -_INVERSE @ _OFFSET), -1)


def _channels(image: Array) -> list[Array]:
    return [image[..., i] for i in range(image.shape[-1])]


def to_float(image: Array) -> Array:
    """uint8 or uint16 of the full range to float32 in [0, 1]."""
    return image.astype(jnp.float32) / jnp.iinfo(image.dtype).max


def to_uint8(image: Float[Array, "*b h w c"]) -> Array:
    """Float in [0, 1] to uint8, rounded half up as MATLAB's `uint8`, and clipped."""
    return jnp.clip(jnp.floor(image * 255 + 0.5), 0, 255).astype(jnp.uint8)
