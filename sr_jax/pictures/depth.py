"""Samples of 8 and 16 bits and floating point, as networks read and return them: float32, usually in [0, 1]."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Num


class Levels(NamedTuple):
    """The values that a network sees as 0 and 1."""

    zero: float
    one: float


def levels(pixels: Num[np.ndarray, "h w c"]) -> Levels:
    """Returns the range of a picture's type. For floating point, this is [0, 1] or, where values exceed it, their range."""
    if pixels.dtype.kind == "u":
        return Levels(0, float(np.iinfo(pixels.dtype).max))
    return levels_between(float(pixels.min()), float(pixels.max()))


def levels_between(least: float, greatest: float) -> Levels:
    """Returns the range of a picture in floating point with this least and this greatest value."""
    return Levels(0, 1) if least >= 0 and greatest <= 1 else Levels(least, greatest if greatest > least else least + 1)


def to_network(pixels: Num[np.ndarray, "h w c"], given: Levels) -> Float32[np.ndarray, "h w c"]:
    """Converts samples to float32, with the levels at 0 and 1."""
    if given.zero == 0:
        return np.divide(pixels, np.float32(given.one), dtype=np.float32)  # without a copy of the whole picture
    return ((pixels - np.float64(given.zero)) / (given.one - given.zero)).astype(np.float32)


def from_network(values: Float32[np.ndarray, "h w c"], given: Levels, dtype: str) -> Num[np.ndarray, "h w c"]:
    """Converts a network's values to samples: integers of the full range, rounded half up and clipped, or floats as they are.

    Args:
      values: 0 and 1 stand for the levels.
      dtype: uint8, uint16 or float32.
    """
    if dtype == "float32":
        return values if given == (0, 1) else (values * (given.one - given.zero) + given.zero).astype(np.float32)
    greatest = np.float32(np.iinfo(dtype).max)
    scaled = values * greatest
    scaled += np.float32(0.5)
    return np.clip(np.floor(scaled, out=scaled), 0, greatest, out=scaled).astype(dtype)
