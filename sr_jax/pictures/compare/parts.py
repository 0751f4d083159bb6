"""The parts of pictures that a page shows, as gray or RGB of 8 bits."""

import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage

from sr_jax.ops.resize import imresize_host
from sr_jax.pictures.alpha import bleed
from sr_jax.pictures.depth import Levels, from_network, levels, to_network
from sr_jax.pictures.picture import CHANNELS, CMYK, Picture

MOST_SHOWN = 2**21
"""Pixels of a result that a page shows. Its file has about 10 MB for a photograph of this size, and 35 MB at most."""
MARGIN = 4
"""LR pixels around a part of which bicubic interpolation reads."""
BLOCK = 32
"""Side of the blocks in which detail is measured [LR pixels]."""

Slices = tuple[slice, slice]


def window(lr: Picture, size: tuple[int, int]) -> Slices:
    """The part of the result that is shown: all of it, or the part with the most detail. It consists of whole LR pixels."""
    if math.prod(size) <= MOST_SHOWN:
        return slice(0, size[0]), slice(0, size[1])
    (h, w), factors = lr.pixels.shape[:2], (size[0] / lr.pixels.shape[0], size[1] / lr.pixels.shape[1])
    height, width = _extent((h, w), most=int(MOST_SHOWN / math.prod(factors)))
    corner = _most_detailed(lr.pixels[..., lr.pixels.shape[-1] // 2], height, width)
    rows, columns = (
        slice(math.ceil(start * factor), math.floor((start + extent) * factor))
        for start, extent, factor in zip(corner, (height, width), factors, strict=True)
    )
    return rows, columns


def middle(shape: tuple[int, int], *, scale: int) -> Slices:
    """The part in the middle of LR whose result is shown, if the picture is too large to look for details.

    Args:
      shape: height and width of LR [pixels].
      scale: the factor of its result.
    """
    rows, columns = (
        slice((whole - extent) // 2, (whole - extent) // 2 + extent)
        for whole, extent in zip(shape, _extent(shape, most=MOST_SHOWN // scale**2), strict=True)
    )
    return rows, columns


def _extent(shape: tuple[int, int], *, most: int) -> tuple[int, int]:
    """Height and width of a part of so many pixels, in the shape of the whole if it is not too narrow."""
    h, w = shape
    most = max(1, min(most, h * w))
    height = min(h, max(1, int(h * math.sqrt(most / (h * w)))))
    width = min(w, max(1, most // height))
    return min(h, max(1, most // width)), width


def around(region: Slices, shape: tuple[int, int]) -> Slices:
    """A part with the pixels around it that bicubic interpolation reads."""
    rows, columns = (slice(max(0, p.start - MARGIN), min(n, p.stop + MARGIN)) for p, n in zip(region, shape, strict=True))
    return rows, columns


def enlarged(region: Slices, scale: int, *, corner: tuple[int, int] = (0, 0)) -> Slices:
    """The same part in the result, counted from a corner in LR."""
    rows, columns = (
        slice(scale * (p.start - first), scale * (p.stop - first)) for p, first in zip(region, corner, strict=True)
    )
    return rows, columns


def _most_detailed(channel: np.ndarray, height: int, width: int) -> tuple[int, int]:
    """The corner of the part with the greatest differences between neighbours, which are summed in blocks."""
    h, w = channel.shape
    side = min(BLOCK, h, w)
    blocks = np.zeros((h // side, w // side))
    for i in range(len(blocks)):
        rows = channel[i * side : (i + 1) * side, : w // side * side].astype(np.float32)
        steps = np.abs(np.diff(rows, axis=1, append=rows[:, -1:]))
        blocks[i] = steps.reshape(side, -1, side).sum((0, 2))
    n, m = (max(1, min(extent // side, many)) for extent, many in zip((height, width), blocks.shape, strict=True))
    total = np.pad(blocks.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[n:, m:] - total[:-n, m:] - total[n:, :-m] + total[:-n, :-m]
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    return min(int(row) * side, h - height), min(int(column) * side, w - width)


def divided(region: Slices, shape: tuple[int, int], size: tuple[int, int]) -> Slices:
    """The same part in LR, for a size that is a multiple of its shape."""
    rows, columns = (
        slice(part.start * small // large, part.stop * small // large)
        for part, small, large in zip(region, shape, size, strict=True)
    )
    return rows, columns


def cut(picture: Picture, region: Slices) -> Picture:
    return picture._replace(pixels=picture.pixels[region], alpha=None if picture.alpha is None else picture.alpha[region])


def bicubic(lr: Picture, size: tuple[int, int], region: Slices, given: Levels) -> UInt8[np.ndarray, "sh sw c"]:
    """A part of the picture, enlarged with MATLAB's bicubic interpolation."""
    if (region[0].stop - region[0].start, region[1].stop - region[1].start) == size:
        part, inner, target = lr, region, size
    else:
        places = divided(region, lr.pixels.shape[:2], size)
        outer = around(places, (lr.pixels.shape[0], lr.pixels.shape[1]))
        factors = [n // m for n, m in zip(size, lr.pixels.shape, strict=False)]
        target = tuple((a.stop - a.start) * f for a, f in zip(outer, factors, strict=True))
        rows, columns = (
            slice((p.start - a.start) * f, (p.stop - a.start) * f) for p, a, f in zip(places, outer, factors, strict=True)
        )
        part, inner = cut(lr, outer), (rows, columns)
    pixels = part.pixels if part.alpha is None else bleed(part.pixels, part.alpha)
    # 8 bits are rounded after each pass, as MATLAB does and as the protocol says
    values = pixels if pixels.dtype == np.uint8 else to_network(pixels, given)
    enlarged = imresize_host(values, shape=target, kernel="bicubic", antialias=True)[inner]
    alpha = part.alpha
    if alpha is not None:
        alpha = to_network(alpha, Levels(0, 1) if alpha.dtype.kind == "f" else levels(alpha))
        alpha = imresize_host(alpha, shape=target, kernel="bicubic", antialias=True)[inner].clip(0, 1).astype(np.float32)
    enlarged = enlarged if enlarged.dtype == np.uint8 else enlarged.clip(0, 1).astype(np.float32)
    return shown(lr._replace(pixels=enlarged, alpha=alpha), Levels(0, 1))


def shown(picture: Picture, given: Levels) -> UInt8[np.ndarray, "h w c"]:
    """The picture as gray or RGB of 8 bits, without transparency.

    Args:
      given: what is black and white in floating point.
    """
    pixels = _of_8_bits(picture.pixels, given)
    if picture.space == CMYK:
        pixels = np.asarray(PILImage.fromarray(pixels, "CMYK").convert("RGB"))
    elif picture.space == CHANNELS:
        pixels = np.round(pixels.mean(-1, keepdims=True)).astype(np.uint8)
    if picture.alpha is None:
        return pixels
    alpha = to_network(picture.alpha, Levels(0, 1) if picture.alpha.dtype.kind == "f" else levels(picture.alpha))
    return np.round(pixels * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _of_8_bits(pixels: np.ndarray, given: Levels) -> UInt8[np.ndarray, "h w c"]:
    if pixels.dtype == np.uint8:
        return pixels
    return from_network(to_network(pixels, given if pixels.dtype.kind == "f" else levels(pixels)), Levels(0, 1), "uint8")
