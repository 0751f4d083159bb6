"""How an image is cut into tiles, and a tile becomes the bytes of a record.

A tile shares OVERLAP pixels with the next one, so that a window of at most OVERLAP pixels always lies in one tile. Its bytes
are three planes, R - G, G and B - G, or one plane of a gray image. A row has the differences from pixel to pixel, which
ArrayRecord compresses. Rows are restored one by one, so that a window costs little more than unpacking its tile.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

STEP = 512
"""Pixels from the beginning of a tile to that of the next one."""
OVERLAP = 64
"""Pixels that two tiles share: the default patch with the margin of bicubic reduction at x4."""
MOST_BYTES = 3 * (STEP + OVERLAP) ** 2


class Span(NamedTuple):
    """Rows or columns, from the first to the one after the last."""

    first: int
    last: int


def count(length: int) -> int:
    """Returns the number of tiles along a side of an image; 0 for an image without pixels."""
    return max(1, -(-(length - OVERLAP) // STEP)) if length else 0


def span(index: int, length: int) -> Span:
    """Returns where a tile lies along a side of an image."""
    return Span(index * STEP, min(length, (index + 1) * STEP + OVERLAP))


def covering(wanted: Span, length: int) -> Iterator[tuple[int, Span]]:
    """Yields the tiles that together hold a span, each with the part of it that is taken from this tile."""
    first = wanted.first
    while first < wanted.last:
        index = min(first // STEP, count(length) - 1)
        last = min(wanted.last, span(index, length).last)
        yield index, Span(first, last)
        first = last


def split(pixels: UInt8[np.ndarray, "h w c"]) -> Iterator[bytes]:
    """Yields the records of an image's tiles, row by row."""
    height, width, _ = pixels.shape
    for row in range(count(height)):
        for column in range(count(width)):
            yield encode(pixels[slice(*span(row, height)), slice(*span(column, width))])


def encode(tile: UInt8[np.ndarray, "h w c"]) -> bytes:
    """Returns the bytes of a tile with one or three channels."""
    planes = np.moveaxis(tile, -1, 0).copy()
    if len(planes) == 3:
        planes[::2] -= planes[1]
    planes[:, :, 1:] -= planes[:, :, :-1].copy()
    return planes.tobytes()


def decode(data: bytes, *, size: tuple[int, int], rows: Span, columns: Span) -> UInt8[np.ndarray, "h w c"]:
    """Restores a part of a tile.

    Args:
      size: height and width of the tile.
      rows, columns: the part.
    """
    planes = np.frombuffer(data, np.uint8).reshape(-1, *size)[:, slice(*rows), : columns.last]
    planes = np.cumsum(planes, axis=2, dtype=np.uint8)[:, :, columns.first :]
    if len(planes) == 3:
        planes[::2] += planes[1]
    return np.moveaxis(planes, 0, -1)
