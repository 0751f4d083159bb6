"""Cuts windows from tiles. Only the tiles that a window touches are read."""

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from jaxtyping import UInt8

from sr_jax.data.pack import reflect
from sr_jax.data.plan import Plan
from sr_jax.data.records import tiles
from sr_jax.data.records.tiles import Span
from sr_jax.errors import TrainingError

UNPACKED = 64
"""Tiles that are kept unpacked, of at most tiles.MOST_BYTES each. They help where a set has few tiles."""


class Records(NamedTuple):
    """Images in files of tiles. Nothing of them is in memory but their sizes."""

    store: "Store"
    image: Any  # Int32 " images"
    """Which image of the store each one is."""
    height: Any  # Int32 " images"
    width: Any  # Int32 " images"


class Store:
    """Files of tiles, which several threads may read.

    Args:
      files: the files, in order.
      sizes: height and width of each image in each file; 0 and 0 for one without tiles.
    """

    def __init__(self, files: Sequence[Path], sizes: Sequence[Sequence[tuple[int, int]]]):
        self._files = files
        self.sizes = list(itertools.chain.from_iterable(sizes))
        numbers = [[tiles.count(height) * tiles.count(width) for height, width in of_file] for of_file in sizes]
        self._ends = np.cumsum([sum(of_file) for of_file in numbers])
        of_image = np.array([*itertools.chain.from_iterable(numbers)], np.int64)
        self._firsts = (np.cumsum(of_image) - of_image).tolist()
        used = [(file, sum(of_file)) for file, of_file in zip(files, numbers, strict=True) if sum(of_file)]
        # With its number of records in brackets, a file is opened when it is first read.
        self._records = ArrayRecordDataSource([f"{file}[0:{records}]" for file, records in used]) if used else ()
        self._unpacked = functools.lru_cache(UNPACKED)(self._read)

    def cut(self, image: int, rows: Span, columns: Span) -> UInt8[np.ndarray, "h w c"]:
        """Returns a part of an image, put together from all tiles that it touches.

        Raises:
          TrainingError: naming the file, if it is missing or damaged.
        """
        height, width = self.sizes[image]
        in_row = tiles.count(width)
        bands = [
            np.concatenate(
                [
                    self._part(
                        self._firsts[image] + row * in_row + column,
                        (tiles.span(row, height), of_rows),
                        (tiles.span(column, width), of_columns),
                    )
                    for column, of_columns in tiles.covering(columns, width)
                ],
                axis=1,
            )
            for row, of_rows in tiles.covering(rows, height)
        ]
        return bands[0] if len(bands) == 1 else np.concatenate(bands)

    def image(self, image: int) -> UInt8[np.ndarray, "h w c"]:
        """Returns a whole image."""
        height, width = self.sizes[image]
        return self.cut(image, Span(0, height), Span(0, width))

    def _part(self, number: int, rows: tuple[Span, Span], columns: tuple[Span, Span]) -> np.ndarray:
        """The part of a tile. Of rows and columns, the first span is the tile in the image, and the second the part."""
        (tile_rows, of_rows), (tile_columns, of_columns) = rows, columns
        size = (tile_rows.last - tile_rows.first, tile_columns.last - tile_columns.first)
        data = self._unpacked(number)
        if len(data) not in (size[0] * size[1], 3 * size[0] * size[1]):
            raise self._damaged(number, "it is of other images")
        return tiles.decode(
            data,
            size=size,
            rows=Span(of_rows.first - tile_rows.first, of_rows.last - tile_rows.first),
            columns=Span(of_columns.first - tile_columns.first, of_columns.last - tile_columns.first),
        )

    def _read(self, number: int) -> bytes:
        try:
            return self._records[number]
        except (RuntimeError, ValueError, IndexError) as error:  # ArrayRecord has no class of its own
            raise self._damaged(number, next(iter(str(error).splitlines()), "")) from None

    def _damaged(self, number: int, reason: str) -> TrainingError:
        file = self._files[int(np.searchsorted(self._ends, number, side="right"))]
        if not file.exists():
            return TrainingError(f"{file} is missing; the same command makes it again")
        return TrainingError(f"{file} is damaged ({reason}); delete it, and the same command makes it again")


def cut(images: Records, plan: Plan, *, patch: int, margin: int) -> UInt8[np.ndarray, "*n w w 3"]:
    """The same as `pack.cut_on_host`, for images in files of tiles.

    Raises:
      TrainingError: naming the file, if one is missing or damaged.
    """
    size = patch + 2 * margin
    windows = np.empty((*plan.image.shape, size, size, 3), np.uint8)
    of_image = (a[plan.image].ravel().tolist() for a in images[1:])
    corners = ((a - margin).ravel().tolist() for a in (plan.top, plan.left))
    for window, image, height, width, y, x in zip(windows.reshape(-1, size, size, 3), *of_image, *corners, strict=True):
        if 0 <= y <= height - size and 0 <= x <= width - size:
            window[:] = images.store.cut(image, Span(y, y + size), Span(x, x + size))
        else:
            rows, columns = reflect(np.arange(y, y + size), height), reflect(np.arange(x, x + size), width)
            top, left = int(rows.min()), int(columns.min())
            part = images.store.cut(image, Span(top, int(rows.max()) + 1), Span(left, int(columns.max()) + 1))
            window[:] = part[(rows - top)[:, None], columns - left]
    return windows
