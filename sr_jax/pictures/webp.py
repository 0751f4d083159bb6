"""WebP animations: puts frames that are encoded one by one into one file (WebP container specification)."""

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8

from sr_jax.pictures.frames import Box, changes, in_units

PER_SECOND, MOST_UNITS = 1000, 2**24 - 1
ANIMATION, XMP, EXIF, ALPHA, ICC = 0x02, 0x04, 0x08, 0x10, 0x20
"""Flags of VP8X."""
OF_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")
REPLACES = 2
"""The flag of a frame that replaces its area, transparency included. Without the flag 1, it stays."""


def encode(
    frames: Sequence[UInt8[np.ndarray, "h w c"]],
    durations: list[Fraction],
    *,
    plays: int,
    metadata: dict[bytes, bytes | None],
    encode_one: Callable[[UInt8[np.ndarray, "h w c"]], bytes],
) -> bytes:
    """Returns the file of an animation. Each frame after the first one holds only the part that changes.

    Args:
      frames: RGB, or RGB and opacity.
      durations: of each frame [s].
      plays: how often the animation is shown; 0: without end.
      metadata: the content of the chunks ICCP, EXIF and XMP.
      encode_one: returns the WebP file of a part.
    """
    height, width, channels = frames[0].shape
    flags = ANIMATION | (ALPHA if channels == 4 else 0)
    flags |= sum(flag for name, flag in ((b"ICCP", ICC), (b"EXIF", EXIF), (b"XMP ", XMP)) if metadata.get(name))
    parts = [_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _of_24_bits(width - 1) + _of_24_bits(height - 1))]
    parts += [_chunk(b"ICCP", icc) for icc in [metadata.get(b"ICCP")] if icc]
    parts.append(_chunk(b"ANIM", bytes(4) + struct.pack("<H", min(plays, 65_535))))
    before: np.ndarray | None = None
    for frame, milliseconds in zip(frames, in_units(durations, PER_SECOND, most=MOST_UNITS, least=1), strict=True):
        box = Box(0, 0, height, width) if before is None else changes(before, frame, even=True)
        place = [box.left // 2, box.top // 2, box.width - 1, box.height - 1, milliseconds]
        pixels = [_chunk(kind, content) for kind, content in _chunks(encode_one(frame[box.slices])) if kind in OF_PIXELS]
        parts.append(_chunk(b"ANMF", b"".join([*map(_of_24_bits, place), bytes([REPLACES]), *pixels])))
        before = frame
    parts += [_chunk(name, content) for name in (b"EXIF", b"XMP ") if (content := metadata.get(name))]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<L", len(body)) + body


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<4sL", data, place)
        yield kind, data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<L", len(content)) + content + bytes(len(content) % 2)


def _of_24_bits(value: int) -> bytes:
    return value.to_bytes(3, "little")
