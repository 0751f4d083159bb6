"""The parts of PNG and JPEG files: chunks and segments, which pass from the input to the result as they are."""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence

from sr_jax.errors import InputError
from sr_jax.pictures.picture import File, Rest

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_START = len(PNG_MAGIC)
PNG_KEPT = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"tIME"}
"""Chunks that say something of the picture rather than of its pixels. Others are made anew or dropped."""
XMP_TEXT = b"XML:com.adobe.xmp"
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
MADE_ANEW = (XMP_TEXT, b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp", b"Raw profile type icc")
"""Names of texts of PNG that hold what Pillow reads as EXIF, XMP or a profile."""

JPEG_START = b"\xff\xd8"
APP0, APP1, APP2, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
SCAN, END, TABLES = 0xDA, 0xD9, 0xDB
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
DROPPED = {APP0, APP1, APP2, APP14}
"""JFIF, EXIF and XMP, profiles, Adobe's colour transform: the writer makes them anew."""
MOST = 65_533
"""Bytes that a segment of JPEG holds."""


def kept(name: str, file: File) -> Rest:
    """Returns the parts of a file that its result keeps unchanged, if it has the same format."""
    file.seek(0)
    if name == "png":
        return tuple((kind.decode(), content) for kind, content in _chunks(file) if _is_kept(kind, content))
    if name == "jpeg":
        return tuple((f"{marker:x}", content) for marker, content in _segments(file.read()) if _is_kept_segment(marker))
    return ()


def check_png(png: bytes) -> None:
    """Checks the sums of all chunks up to the last one, because libpng only warns of some damages.

    Raises:
      InputError: if the file is damaged.
    """
    for _ in checked_chunks(png):
        pass


def checked_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the kinds and contents of all chunks of a PNG file, the last one included.

    Raises:
      InputError: if a chunk is damaged, or the file is cut short.
    """
    place = PNG_START
    while place + 12 <= len(png):
        size, kind = struct.unpack_from(">L4s", png, place)
        end = place + 8 + size
        if end + 4 > len(png) or struct.unpack_from(">L", png, end)[0] != zlib.crc32(memoryview(png)[place + 4 : end]):
            break
        yield kind, png[place + 8 : end]
        if kind == b"IEND":
            return
        place = end + 4
    raise InputError("is damaged (its pixels are cut short or changed)")


def moves(file: File) -> bool:
    """Returns whether a PNG file says before its pixels that it is an animation. The place in the file stays."""
    kind, _ = _first_of(file, b"acTL", b"IDAT")
    return kind == b"acTL"


def png_exif(file: File) -> bytes | None:
    """Returns the EXIF data of a PNG file, which may lie behind its pixels. The place in the file stays."""
    _, content = _first_of(file, b"eXIf", reads=True)
    return content


def _first_of(file: File, *kinds: bytes, reads: bool = False) -> tuple[bytes | None, bytes | None]:
    """The kind of the first chunk of these kinds in a PNG file, and its content if this is asked for; None without one."""
    place = file.tell()
    try:
        file.seek(PNG_START)
        while len(start := file.read(8)) == 8:
            size, kind = struct.unpack(">L4s", start)
            if kind in kinds:
                return kind, file.read(size) if reads else None
            file.seek(size + 4, io.SEEK_CUR)
        return None, None
    finally:
        file.seek(place)


def with_chunks(png: bytes, chunks: Sequence[tuple[str, bytes]]) -> bytes:
    """Returns a PNG file with more chunks, which lie before its pixels."""
    end_of_header = PNG_START + 25
    added = b"".join(chunk(name.encode(), content) for name, content in chunks)
    return b"".join([png[:end_of_header], added, png[end_of_header:]])


def with_segments(jpeg: bytes, parts: Sequence[tuple[int, bytes]]) -> bytes:
    """Returns a JPEG file with more segments, which lie behind its JFIF header. Those that are too long are left out."""
    place = len(JPEG_START)
    if jpeg[place : place + 2] == bytes([0xFF, APP0]):
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    added = b"".join(
        bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content
        for marker, content in parts
        if len(content) <= MOST
    )
    return b"".join([jpeg[:place], added, jpeg[place:]])


def text_chunk(keyword: bytes, text: bytes) -> bytes:
    """The content of an iTXt chunk with text in UTF-8."""
    return keyword + b"\0\0\0\0\0" + text


def profile_chunk(profile: bytes) -> bytes:
    """The content of an iCCP chunk."""
    return b"ICC profile\0\0" + zlib.compress(profile, 9)


def luminance_steps(jpeg: bytes) -> tuple[int, ...]:
    """Returns the 64 steps by which the luminance of a JPEG file is quantised, or nothing if they are missing.

    They go from low frequencies to high ones in the order of the file (ITU-T T.81, section B.2.4.1).
    """
    for marker, content in _segments(jpeg):
        place = 0
        while marker == TABLES and place < len(content):
            size, which = 1 + (content[place] >> 4), content[place] & 15
            steps = content[place + 1 : place + 1 + 64 * size]
            if which == 0 and size in (1, 2) and len(steps) == 64 * size:
                return struct.unpack(f">64{'B' if size == 1 else 'H'}", steps)
            place += 1 + 64 * size
    return ()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def _chunks(file: File) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG file except its pixels. A damaged file ends early."""
    end = file.seek(0, io.SEEK_END)
    place = PNG_START
    while place + 8 <= end:
        file.seek(place)
        size, kind = struct.unpack(">L4s", file.read(8))
        if kind == b"IEND" or place + 12 + size > end:
            return
        if kind != b"IDAT":
            yield kind, file.read(size)
        place += 12 + size


def _is_kept(kind: bytes, content: bytes) -> bool:
    return kind in PNG_KEPT and not (kind in PNG_TEXTS and content.partition(b"\0")[0] in MADE_ANEW)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments of a JPEG file before its first scan. A damaged file ends early."""
    place = len(JPEG_START)
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF or marker in WITHOUT_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        size = int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (SCAN, END) or size < 2:
            return
        yield marker, data[place + 4 : place + 2 + size]
        place += 2 + size


def _is_kept_segment(marker: int) -> bool:
    return (APP0 <= marker <= 0xEF or marker == COMMENT) and marker not in DROPPED
