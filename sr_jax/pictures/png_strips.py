"""Reads and writes PNG files in strips of rows. zlib works in parts anyway, and libpng filters the rows of a strip as a file of
its own, whose pixels are not compressed and which begins with the row before the strip."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import imagecodecs
import numpy as np

from sr_jax.errors import InputError
from sr_jax.pictures import exif, read, segments
from sr_jax.pictures.picture import File, Metadata, Picture, Target, divided
from sr_jax.pictures.segments import PNG_MAGIC
from sr_jax.pictures.write import PNG_LEVEL, in_c_order, png_chunks

MOST_WIDE = 1_000_000
"""Pixels of a row that libpng reads and writes."""
STRIP = 2**20
"""Bytes of a strip, if a row is not longer."""
BLOCK = 2**18
"""Bytes that are read at once."""
MOST_DEFLATE = 1032
"""Bytes that a byte of a compressed stream stands for at most."""
CONTAINERS = {1: (8, 0), 2: (8, 4), 3: (8, 2), 4: (8, 6), 6: (16, 2), 8: (16, 6)}
"""Bits and colour type of a file whose filters reach as many bytes to the left, whatever the bytes mean."""
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by colour type."""
PLAIN = (0, 2, 4, 6)
"""Colour types whose samples are gray or RGB."""
CUT = "is damaged (its pixels are cut short)"


class Ihdr(NamedTuple):
    """What the header of a PNG file says (PNG specification, section 11.2.1)."""

    width: int
    height: int
    bits: int
    kind: int
    """Colour type."""
    interlace: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row without that of its filter."""
        return -(-self.width * self.bits * SAMPLES[self.kind] // 8)

    @property
    def reach(self) -> int:
        """Bytes from a pixel to the same place in the next one, for filters."""
        return max(1, self.bits * SAMPLES[self.kind] // 8)


class PngStrips:
    """A PNG file that is read in strips.

    Args:
      file: stays open, and is read by nobody else.

    Raises:
      InputError: if the file cannot be read so. Like all errors here, it lacks the name of the file.
    """

    def __init__(self, file: File):
        self._file = file
        self._told = read.read_told(file)
        self.header, self.metadata = self._told.header, self._told.metadata
        self._ihdr = _ihdr(file)
        if self._ihdr.interlace:
            raise InputError("its rows are interlaced; save it without interlacing")
        if self._told.orientation > 2:
            raise InputError("its EXIF orientation turns it; save it upright")
        if self._ihdr.width > MOST_WIDE:
            raise InputError(f"its rows have more than {MOST_WIDE:,} pixels")
        size = file.seek(0, io.SEEK_END)
        if size * MOST_DEFLATE < self._ihdr.height * (self._ihdr.row_bytes + 1):
            raise InputError(CUT)
        self.rows = min(self._ihdr.height, max(1, STRIP // (self._ihdr.row_bytes + 1)))
        """Rows of a strip."""

    def __iter__(self) -> Iterator[Picture]:
        ihdr = self._ihdr
        counts = [self.rows] * (ihdr.height // self.rows)
        counts += [ihdr.height % self.rows] if ihdr.height % self.rows else []
        before = bytes(ihdr.row_bytes)
        colours: list[tuple[str, bytes]] = []  # those chunks by which samples become colours
        for filtered in _inflated(_pixels(self._file, colours), [count * (ihdr.row_bytes + 1) for count in counts]):
            samples = _unfiltered(ihdr, before, filtered)
            raw = _as_bytes(samples)
            before = raw[-1].tobytes()
            yield self._picture(samples, raw, colours)

    def _picture(self, samples: np.ndarray, raw: np.ndarray, colours: Sequence[tuple[str, bytes]]) -> Picture:
        ihdr, header = self._ihdr, self.header
        if ihdr.kind in PLAIN and ihdr.bits >= 8 and "tRNS" not in dict(colours):
            values = raw.view(">u2").astype(np.uint16) if ihdr.bits == 16 else raw
            pixels = values.reshape(len(samples), ihdr.width, SAMPLES[ihdr.kind])
            alpha = None
            if header.has_alpha:
                pixels, alpha = divided(pixels)
        else:
            unfiltered = np.pad(raw, ((0, 0), (1, 0))).tobytes()
            strip = read.decode_file(io.BytesIO(_file(ihdr._replace(height=len(raw)), unfiltered, colours)))
            pixels, alpha = strip.pixels, strip.alpha
        return Picture(*exif.turn_both(pixels, alpha, self._told.orientation), header.space, self.metadata, "png")


def write_png(file: Target, strips: Iterable[Picture], *, size: tuple[int, int], metadata: Metadata) -> None:
    """Writes a picture in strips.

    Args:
      strips: the picture from top to bottom, cut between rows.
      size: its height and width [pixels].
      metadata: those of the result.
    """
    strips = iter(strips)
    first = next(strips)
    channels = first.pixels.shape[-1] + (first.alpha is not None)
    kind = {count: kind for kind, count in SAMPLES.items() if kind in PLAIN}[channels]
    ihdr = Ihdr(size[1], size[0], 8 * first.pixels.dtype.itemsize, kind, 0)
    file.write(PNG_MAGIC + _ihdr_chunk(ihdr))
    for name, content in png_chunks(first._replace(metadata=metadata)):
        file.write(segments.chunk(name.encode(), content))
    deflater = zlib.compressobj(PNG_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_FILTERED)
    before: np.ndarray | None = None
    rows = max(1, STRIP // (ihdr.row_bytes + 1))
    for strip in itertools.chain([first], strips):
        for start in range(0, len(strip.pixels), rows):
            part = strip.rows(start, start + rows).to_array()
            if compressed := deflater.compress(_filtered(part, before)):
                file.write(segments.chunk(b"IDAT", compressed))
            before = part[-1:].copy()
    file.write(segments.chunk(b"IDAT", deflater.flush()) + segments.chunk(b"IEND", b""))


def _ihdr(file: File) -> Ihdr:
    file.seek(len(PNG_MAGIC))
    start = file.read(21)
    if len(start) < 21 or start[4:8] != b"IHDR":
        raise InputError("is damaged (its header is cut short)")
    width, height, bits, kind, _, _, interlace = struct.unpack(">LLBBBBB", start[8:])
    return Ihdr(width, height, bits, kind, interlace)


def _ihdr_chunk(ihdr: Ihdr) -> bytes:
    content = struct.pack(">LLBBBBB", ihdr.width, ihdr.height, ihdr.bits, ihdr.kind, 0, 0, ihdr.interlace)
    return segments.chunk(b"IHDR", content)


def _file(ihdr: Ihdr, rows: bytes, chunks: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """A file of rows that are not compressed."""
    added = b"".join(segments.chunk(name.encode(), content) for name, content in chunks)
    pixels = segments.chunk(b"IDAT", zlib.compress(rows, 0))
    return b"".join([PNG_MAGIC, _ihdr_chunk(ihdr), added, pixels, segments.chunk(b"IEND", b"")])


def _pixels(file: File, colours: list[tuple[str, bytes]]) -> Iterator[bytes]:
    """The compressed pixels in blocks, whose sums are checked. What says which colours the samples mean goes to `colours`."""
    file.seek(len(PNG_MAGIC))
    kind = b""
    while kind != b"IEND":
        start = file.read(8)
        if len(start) < 8:
            raise InputError(CUT)
        left, kind = struct.unpack(">L4s", start)
        crc, kept = zlib.crc32(kind), []
        while left:
            block = file.read(min(left, BLOCK))
            if not block:
                raise InputError(CUT)
            left -= len(block)
            crc = zlib.crc32(block, crc)
            if kind == b"IDAT":
                yield block
            elif kind in (b"PLTE", b"tRNS") and sum(map(len, kept)) < BLOCK:
                kept.append(block)
        if file.read(4) != crc.to_bytes(4, "big"):
            raise InputError("is damaged (its pixels are cut short or changed)")
        if kept:
            colours.append((kind.decode(), b"".join(kept)))


def _inflated(blocks: Iterator[bytes], sizes: Sequence[int]) -> Iterator[bytes]:
    """The bytes of a compressed stream in parts of these sizes. There must be no more and no fewer."""
    inflater = zlib.decompressobj()

    def more(most: int) -> bytes:
        while not inflater.eof:
            block = inflater.unconsumed_tail or next(blocks, None)
            if part := inflater.decompress(block or b"", most):
                return part
            if block is None:
                break
        return b""

    for size in sizes:
        parts, missing = [], size
        while missing:
            part = more(missing)
            if not part:
                raise InputError(CUT)
            parts.append(part)
            missing -= len(part)
        yield parts[0] if len(parts) == 1 else b"".join(parts)
    if more(1):
        raise InputError("is damaged (it holds more rows than its header says)")
    if not inflater.eof:
        raise InputError(CUT)
    for _ in blocks:  # their sums are checked
        pass


def _unfiltered(ihdr: Ihdr, before: bytes, filtered: bytes) -> np.ndarray:
    """The rows of a strip without their filters, as an array of any shape (rows ...)."""
    bits, kind = CONTAINERS[ihdr.reach]
    count = len(filtered) // (ihdr.row_bytes + 1)
    container = Ihdr(ihdr.row_bytes // ihdr.reach, count + 1, bits, kind, 0)
    return imagecodecs.png_decode(_file(container, b"\0" + before + filtered))[1:]


def _as_bytes(samples: np.ndarray) -> np.ndarray:
    """The rows as the bytes that a file holds."""
    ordered = samples.astype(">u2") if samples.dtype == np.uint16 else samples
    return np.ascontiguousarray(ordered).view(np.uint8).reshape(len(samples), -1)


def _filtered(rows: np.ndarray, before: np.ndarray | None) -> bytes:
    """The rows with their filters, which look at the row before."""
    both = rows if before is None else np.concatenate([before, rows])
    png = imagecodecs.png_encode(in_c_order(both), level=0, filter=imagecodecs.PNG.FILTER.PAETH)
    blocks = b"".join(_pixels(io.BytesIO(png), []))
    filtered = zlib.decompress(blocks)
    return filtered if before is None else filtered[len(filtered) // len(both) :]
