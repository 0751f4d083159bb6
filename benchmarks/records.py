"""How large are tiles, and how quickly are they written and read, with each way to store them without loss?

    python benchmarks/records.py --images FOLDER

All store the same tiles, which are those of `data.pipeline=records`. *size* is a share of the bytes of their pixels. For a
window, the bytes of its tile are unpacked, and a part of the tile is restored. Pillow's formats restore the whole tile. All are
measured in each round, in CPU time, and the script prints medians.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image as PILImage
from tabulate import tabulate

from sr_jax.data.images import SUFFIXES, decode_image
from sr_jax.data.records import tiles
from sr_jax.data.records.tiles import Span

WINDOW = 64
"""Height and width of a window [pixels]."""

Way = tuple[Callable[[np.ndarray], bytes], Callable[[bytes, tuple[int, int]], Any], str]
"""From a tile to the bytes of a record, from these to a window, and how ArrayRecord compresses the bytes."""


def window_of(size: tuple[int, int]) -> tuple[Span, Span]:
    """Returns rows and columns of a window in the middle of a tile."""
    rows, columns = (Span((length - WINDOW) // 2, (length + WINDOW) // 2) for length in size)
    return rows, columns


def pillow(name: str, **options: Any) -> Way:
    """Stores tiles in a format of Pillow."""

    def encode(tile: np.ndarray) -> bytes:
        file = io.BytesIO()
        PILImage.fromarray(tile.squeeze()).save(file, name, **options)
        return file.getvalue()

    def decode(data: bytes, size: tuple[int, int]) -> np.ndarray:
        rows, columns = window_of(size)
        with PILImage.open(io.BytesIO(data)) as image:
            return np.asarray(image)[slice(*rows), slice(*columns)]

    return encode, decode, "uncompressed"


def restore(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """Restores a window from the differences of its rows."""
    rows, columns = window_of(size)
    return tiles.decode(data, size=size, rows=rows, columns=columns)


def raw(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """Returns a window of the pixels themselves."""
    rows, columns = window_of(size)
    return np.frombuffer(data, np.uint8).reshape(*size, -1)[slice(*rows), slice(*columns)]


WAYS: dict[str, Way] = {
    "differences, zstd:1 (in use)": (tiles.encode, restore, "zstd:1"),
    "differences, zstd:3": (tiles.encode, restore, "zstd:3"),
    "differences, brotli:1": (tiles.encode, restore, "brotli:1"),
    "pixels, zstd:1": (np.ndarray.tobytes, raw, "zstd:1"),
    "pixels": (np.ndarray.tobytes, raw, "uncompressed"),
    "PNG, level 1": pillow("PNG", compress_level=1),
    "PNG, level 6": pillow("PNG", compress_level=6),
    "WebP, lossless, fastest": pillow("WEBP", lossless=True, quality=0, method=0, exact=True),
    "TIFF, zstd": pillow("TIFF", compression="zstd", tiffinfo={317: 2}),
}


def measure(way: Way, pictures: list[np.ndarray], scratch: Path) -> tuple[int, float, float]:
    """Returns the size of a file of all tiles, and the seconds of CPU time to write it, and to read a window of each tile."""
    encode, decode, compression = way
    begin = time.process_time()
    writer = ArrayRecordWriter(str(scratch), f"group_size:1,{compression}")
    for tile in pictures:
        writer.write(encode(tile))
    writer.close()
    written = time.process_time()
    source = ArrayRecordDataSource(str(scratch))
    windows = [decode(source[i], tile.shape[:2]) for i, tile in enumerate(pictures)]
    read = time.process_time()
    for window, tile in zip(windows, pictures, strict=True):
        rows, columns = window_of(tile.shape[:2])
        np.testing.assert_array_equal(window.squeeze(), tile[slice(*rows), slice(*columns)].squeeze())
    return os.path.getsize(scratch), written - begin, read - written


def main() -> None:
    data = os.environ.get("SR_JAX_DATA")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=Path(data, "BSDS200") if data else None, required=not data)
    parser.add_argument("--most", type=int, default=100, help="number of images")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    paths = sorted(path for path in options.images.rglob("*") if path.suffix.lower() in SUFFIXES)[: options.most]
    pictures = [tile for path in paths for tile in cut(decode_image(path.read_bytes(), path.name))]
    pixels = sum(tile.nbytes for tile in pictures)
    with tempfile.TemporaryDirectory() as scratch:
        rounds = [
            {name: measure(way, pictures, Path(scratch, "tiles")) for name, way in WAYS.items()} for _ in range(options.rounds)
        ]
    lines = []
    for name in WAYS:
        size, written, read = (statistics.median(r[name][i] for r in rounds) for i in range(3))
        lines.append((name, size / pixels, pixels / written / 1e6, 1e3 * read / len(pictures)))
    print(f"{len(pictures)} tiles of {len(paths)} images, {pixels / 1e6:.0f} MB of pixels; load {os.getloadavg()[0]:.1f}\n")
    header = ["", "size", "written [MB/s]", "window [ms]"]
    print(tabulate(lines, header, "github", floatfmt=("", ".2f", ".0f", ".2f")))


def cut(pixels: np.ndarray) -> list[np.ndarray]:
    """Returns the tiles of an image that hold a window."""
    height, width, _ = pixels.shape
    spans = [[tiles.span(i, length) for i in range(tiles.count(length))] for length in (height, width)]
    pieces = (np.ascontiguousarray(pixels[slice(*rows), slice(*columns)]) for rows in spans[0] for columns in spans[1])
    return [piece for piece in pieces if min(piece.shape[:2]) >= WINDOW]


if __name__ == "__main__":
    main()
