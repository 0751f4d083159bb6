"""The colours of a video's frames: planes of integers, Y'CbCr in floating point, and RGB.

Y is kept in the range [16, 235] / 255 that networks were trained with, whatever the video's range and depth are: a limited Y of
8 or 10 bits is only divided. Cb and Cr lie in [-0.5, 0.5].
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt

from sr_jax.video.resample import Grid, resample, scaled

Plane = Float32[np.ndarray, "_h _w"]
Samples = UInt[np.ndarray, "_h _w"]

COEFFICIENTS = {
    "bt709": (0.2126, 0.0722),
    "bt601": (0.299, 0.114),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
    "bt2020": (0.2627, 0.0593),
}
"""Kr and Kb of the matrices (ITU-T H.273, table 4): Y = Kr R + (1 - Kr - Kb) G + Kb B."""

SITINGS = {
    "left": (0.5, 0.0),
    "center": (0.5, 0.5),
    "topleft": (0.0, 0.0),
    "top": (0.0, 0.5),
    "bottomleft": (1.0, 0.0),
    "bottom": (1.0, 0.5),
}
"""Where the first sample of chroma lies, down and to the right of the first one of luma [pixels], for 4:2:0."""

BLACK, WHITE = 16 / 255, 235 / 255


class Coding(NamedTuple):
    """What the samples of frames stand for."""

    kind: Literal["yuv", "gray", "rgb"]
    bits: int
    is_full: bool
    """Whether the samples use all values, rather than the limited ("TV") range."""
    matrix: str
    """A name in `COEFFICIENTS`, or another one where no conversion is known."""
    step: tuple[int, int] = (1, 1)
    """Rows and columns of luma for one of chroma."""
    siting: str = "left"

    def chroma(self, height: int, width: int) -> tuple[Grid, Grid]:
        """The grids of chroma's rows and columns in an image, in its pixels."""
        first = (SITINGS[self.siting][axis] if self.step[axis] == 2 else (self.step[axis] - 1) / 2 for axis in (0, 1))
        sizes = (-(-size // step) for size, step in zip((height, width), self.step, strict=True))
        rows, columns = (Grid(*values) for values in zip(sizes, first, map(float, self.step), strict=True))
        return rows, columns


class YCbCr(NamedTuple):
    """A frame in floating point."""

    y: Plane
    chroma: tuple[Plane, Plane] | None
    """Cb and Cr, on a grid of their own; None for gray."""


def decode(planes: Sequence[Samples], coding: Coding) -> YCbCr:
    """Converts the planes of a frame, which are Y, Cb and Cr, or Y, or G, B and R."""
    if coding.kind == "rgb":
        g, b, r = (plane.astype(np.float32) / np.float32(2**coding.bits - 1) for plane in planes)
        return _from_rgb(r, g, b, coding.matrix)
    y = planes[0].astype(np.float32)
    y *= np.float32(_luma_unit(coding))
    if coding.is_full:
        y += np.float32(BLACK)
    if coding.kind == "gray":
        return YCbCr(y, None)
    cb, cr = ((plane.astype(np.float32) - np.float32(_zero(coding))) * np.float32(_chroma_unit(coding)) for plane in planes[1:])
    return YCbCr(y, (cb, cr))


def encode(y: Plane, chroma: tuple[Plane, Plane], coding: Coding) -> list[Samples]:
    """Converts to the planes Y, Cb and Cr of integers, rounded half up and clipped."""
    luma = (y - np.float32(BLACK) if coding.is_full else y) / np.float32(_luma_unit(coding))
    others = (plane / np.float32(_chroma_unit(coding)) + np.float32(_zero(coding)) for plane in chroma)
    return [_rounded(plane, coding.bits) for plane in (luma, *others)]


def to_rgb(frame: YCbCr, coding: Coding) -> Float32[np.ndarray, "h w 3"]:
    """Returns RGB in [0, 1]. Colours that RGB cannot show are clipped."""
    assert frame.chroma is not None
    height, width = frame.y.shape
    luma = Grid(height), Grid(width)
    cb, cr = (resample(plane, coding.chroma(height, width), luma) for plane in frame.chroma)
    kr, kb = COEFFICIENTS[coding.matrix]
    y = (frame.y - np.float32(BLACK)) / np.float32(WHITE - BLACK)
    r, b = y + np.float32(2 * (1 - kr)) * cr, y + np.float32(2 * (1 - kb)) * cb
    g = (y - np.float32(kr) * r - np.float32(kb) * b) / np.float32(1 - kr - kb)
    return np.stack([r, g, b], -1).clip(0, 1)


def enlarged_from_rgb(rgb: Float32[np.ndarray, "sh sw 3"], coding: Coding) -> tuple[Plane, tuple[Plane, Plane]]:
    """Returns Y of an enlarged frame and its chroma on the grid of the result.

    Args:
      coding: that of the result.
    """
    frame = _from_rgb(rgb[..., 0], rgb[..., 1], rgb[..., 2], coding.matrix)
    assert frame.chroma is not None
    height, width = frame.y.shape
    target = coding.chroma(height, width)
    cb, cr = (resample(plane, (Grid(height), Grid(width)), target) for plane in frame.chroma)
    return frame.y, (cb, cr)


def enlarged_chroma(frame: YCbCr, given: Coding, coding: Coding, size: tuple[int, int]) -> tuple[Plane, Plane]:
    """Enlarges Cb and Cr by bicubic interpolation from their grid to that of the result. Gray frames get neutral ones.

    Args:
      frame: the frame that is enlarged.
      given, coding: the codings of the frame and of the result.
      size: height and width of the result.
    """
    target = coding.chroma(*size)
    if frame.chroma is None:
        neutral = np.zeros((target[0].size, target[1].size), np.float32)
        return neutral, neutral
    shape = frame.y.shape
    source = given.chroma(*shape)
    inside = [scaled(grid, out / own) for grid, out, own in zip(target, size, shape, strict=True)]
    cb, cr = (resample(plane, source, (inside[0], inside[1])) for plane in frame.chroma)
    return cb, cr


def _from_rgb(r: Plane, g: Plane, b: Plane, matrix: str) -> YCbCr:
    kr, kb = COEFFICIENTS[matrix]
    y = np.float32(kr) * r + np.float32(1 - kr - kb) * g + np.float32(kb) * b
    cb, cr = (b - y) / np.float32(2 * (1 - kb)), (r - y) / np.float32(2 * (1 - kr))
    return YCbCr(y * np.float32(WHITE - BLACK) + np.float32(BLACK), (cb, cr))


def _luma_unit(coding: Coding) -> float:
    """What one level is worth in Y."""
    return (WHITE - BLACK) / (2**coding.bits - 1) if coding.is_full else 1 / (255 * 2 ** (coding.bits - 8))


def _chroma_unit(coding: Coding) -> float:
    return 1 / (2**coding.bits - 1) if coding.is_full else 1 / (224 * 2 ** (coding.bits - 8))


def _zero(coding: Coding) -> int:
    """The level of chroma that stands for gray."""
    return 2 ** (coding.bits - 1)


def _rounded(values: Plane, bits: int) -> Samples:
    rounded = np.floor(values + np.float32(0.5)).clip(0, 2**bits - 1)
    return rounded.astype(np.uint8 if bits == 8 else np.uint16)
