"""Reads and writes TIFF files in strips of rows: those of the file, or rows of its tiles."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tifffile

from sr_jax.errors import InputError
from sr_jax.pictures import directories, exif, read_tiff
from sr_jax.pictures.picture import File, Metadata, Picture, Target
from sr_jax.pictures.rows import cut
from sr_jax.pictures.write import BIG, tiff_options

STRIP = 2**20
"""Bytes of a strip of a file that is not divided, if a row is not longer."""
BUFFER = 2**24
"""Bytes that tifffile reads or encodes at once."""
MOST_TILE = 2**27
"""Bytes of a tile that is read."""
TILE = 256
"""Side of the tiles that are written [pixels]."""
COMPRESSIONS = {1: "none", 5: "LZW", 6: "JPEG", 7: "JPEG", 8: "deflate", 32773: "PackBits", 32946: "deflate", 50000: "zstd"}
"""Compressions whose decoders return no more than they are asked for."""


class TiffStrips:
    """A TIFF file that is read in strips.

    Args:
      tiff: stays open, and is read by nobody else.
      file: the file that it reads.

    Raises:
      InputError: if the file cannot be read so. Like all errors here, it lacks the name of the file.
    """

    def __init__(self, tiff: tifffile.TiffFile, file: File):
        self._tiff, self._file = tiff, file
        self._page = page = read_tiff.only_page(tiff, file)
        self._layout = read_tiff.layout_of(page, file)
        self.header, self.metadata = self._layout.header, read_tiff.metadata_of(page, file)
        if self._layout.orientation > 2:
            raise InputError("its orientation turns it; save it upright")
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            raise InputError("its channels lie one after another; save it with its samples side by side")
        if page.compression not in COMPRESSIONS:
            raise InputError(f"its compression is {page.compression!s}; save it with one of {', '.join(_names())}")
        if page.predictor != 1 and page.compression == 1:
            raise InputError("it has a predictor without compression; save it with compression")
        self._is_contiguous = page.is_contiguous and page.fillorder == 1
        row = page.imagewidth * page.samplesperpixel * page.dtype.itemsize
        if self._is_contiguous and page.dataoffsets[0] + page.imagelength * row > file.seek(0, 2):
            raise InputError("is damaged (its pixels are cut short)")
        if page.is_tiled and page.tilelength * page.tilewidth * row > MOST_TILE * page.imagewidth:
            raise InputError(
                f"its tiles of {page.tilewidth:,}x{page.tilelength:,} pixels are too large; save it with smaller ones"
            )
        whole = max(1, STRIP // row) if self._is_contiguous else page.tilelength if page.is_tiled else page.rowsperstrip
        self.rows = min(page.imagelength, whole)
        """Rows of a strip."""

    def __iter__(self) -> Iterator[Picture]:
        for samples in self._contiguous() if self._is_contiguous else self._pieces():
            pixels, alpha = read_tiff.interpret(samples, self._layout, self._page)
            turned = exif.turn_both(pixels, alpha, self._layout.orientation)
            yield Picture(*turned, self.header.space, self.metadata, "tiff")

    def _contiguous(self) -> Iterator[np.ndarray]:
        page = self._page
        dtype = page.dtype.newbyteorder(self._tiff.byteorder)
        shape = (page.imagewidth, page.samplesperpixel)
        row = int(np.prod(shape)) * dtype.itemsize
        for start in range(0, page.imagelength, self.rows):
            count = min(self.rows, page.imagelength - start)
            self._file.seek(page.dataoffsets[0] + start * row)
            data = self._file.read(count * row)
            if len(data) < count * row:
                raise InputError("is damaged (its pixels are cut short)")
            yield np.frombuffer(data, dtype).astype(page.dtype.newbyteorder("=")).reshape(count, *shape)

    def _pieces(self) -> Iterator[np.ndarray]:
        page = self._page
        strip: np.ndarray | None = None
        first = 0
        for piece, (_, _, top, left, _), _ in page.segments(maxworkers=1, buffersize=BUFFER):
            if piece is None:
                raise InputError("is damaged (some of its strips or tiles are missing)")
            if strip is None or top != first:
                if strip is not None:
                    yield strip
                height = min(self.rows, page.imagelength - top)
                strip, first = np.zeros((height, page.imagewidth, page.samplesperpixel), piece.dtype), top
            part = piece[0, : len(strip), : page.imagewidth - left]
            strip[: part.shape[0], left : left + part.shape[1]] = part
        if strip is not None:
            yield strip


def write_tiff(file: Target, strips: Iterable[Picture], *, size: tuple[int, int], metadata: Metadata) -> None:
    """Writes a picture in strips, as tiles, with addresses of 64 bits if it is large.

    Args:
      strips: the picture from top to bottom, cut between rows.
      size: its height and width [pixels].
      metadata: those of the result.
    """
    strips = iter(strips)
    first = next(strips)
    channels = first.to_array().shape[-1]
    across, down = -(-size[1] // TILE), -(-size[0] // TILE)
    dtype = first.pixels.dtype

    def arrays() -> Iterator[np.ndarray]:
        yield first.to_array()
        for strip in strips:
            yield strip.to_array()

    def tiles() -> Iterator[np.ndarray]:
        for rows in cut(arrays(), TILE):
            for column in range(across):
                tile = rows[:, column * TILE : (column + 1) * TILE]
                tile = np.pad(tile, ((0, TILE - tile.shape[0]), (0, TILE - tile.shape[1]), (0, 0)))
                yield tile[..., 0] if channels == 1 else tile

    is_big = across * down * TILE**2 * channels * dtype.itemsize > BIG
    options: dict[str, Any] = tiff_options(first._replace(metadata=metadata))
    with tifffile.TiffWriter(file, bigtiff=is_big) as tiff:
        shape = size if channels == 1 else (*size, channels)
        tiff.write(tiles(), shape=shape, dtype=dtype, tile=(TILE, TILE), buffersize=BUFFER, **options)
    directories.append(file, [directories.of_blob(metadata.exif or b"")])


def _names() -> list[str]:
    return list(dict.fromkeys(COMPRESSIONS.values()))
