"""Animations in PNG files: each frame becomes a PNG file of its own, and back."""

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Num

from sr_jax.errors import InputError
from sr_jax.pictures.frames import CLEAR, KEEP, RESTORE, Box, Layer, changes, in_units
from sr_jax.pictures.segments import PNG_MAGIC, checked_chunks, chunk

DISPOSALS = {0: KEEP, 1: CLEAR, 2: RESTORE}
OVER = 1
FOR_PIXELS = (b"PLTE", b"tRNS")
"""Chunks without which pixels cannot be decoded."""
PER_SECOND, MOST_UNITS = 1000, 65_535
DEFAULT_DENOMINATOR = 100
"""What a denominator of 0 means (PNG specification, third edition, section 11.3.6.2)."""


class Frame(NamedTuple):
    """A frame as its file holds it."""

    box: Box
    duration: Fraction
    disposal: int
    is_over: bool
    data: list[bytes]
    """The parts of its compressed pixels."""


class Apng(NamedTuple):
    """The content of a file."""

    shape: tuple[int, int]
    """Height and width of the canvas."""
    plays: int
    """How often it is shown; 0: without end."""
    frames: list[Frame]
    header: bytes
    """The content of IHDR."""
    shared: list[tuple[bytes, bytes]]
    """Chunks that each frame needs."""

    @property
    def has_alpha(self) -> bool:
        """Whether parts of the canvas may be transparent."""
        first = self.frames[0].box
        is_full = first[:2] == (0, 0) and first[2:] == self.shape
        has_own = self.header[9] in (4, 6) or any(kind == b"tRNS" for kind, _ in self.shared)
        return has_own or not is_full or any(frame.disposal == CLEAR for frame in self.frames)


def parse(data: bytes) -> Apng | None:
    """Returns the frames of a file, which are not decoded yet; None if it is a still picture.

    A default picture that is not one of the frames is left out, as viewers of animations do.

    Raises:
      InputError: if frames are missing or chunks are damaged.
    """
    control: tuple[int, int] | None = None
    header, shared, frames = b"", [], []
    is_before_pixels, is_default_shown = True, False
    for kind, content in checked_chunks(data):
        match kind:
            case b"IHDR":
                header = content
            case b"acTL" if is_before_pixels and len(content) == 8:
                control = struct.unpack(">LL", content)
            case b"fcTL" if len(content) == 26:
                frames.append(_frame(content))
            case b"IDAT":
                is_before_pixels, is_default_shown = False, is_default_shown or (is_before_pixels and len(frames) == 1)
                if control is None:
                    return None
                if frames:
                    frames[-1].data.append(content)
            case b"fdAT" if frames:
                frames[-1].data.append(content[4:])
            case _ if kind in FOR_PIXELS:
                shared.append((kind, content))
    if control is None or len(header) < 13 or not frames or (control[0] == 1 and is_default_shown):
        return None
    count, plays = control
    frames = frames[:count]
    if len(frames) < max(1, count) or not all(frame.data for frame in frames):
        raise InputError(f"is damaged (it has {sum(bool(frame.data) for frame in frames)} of {count:,} frames)")
    width, height = struct.unpack_from(">LL", header)
    for frame in frames:
        top, left, down, across = frame.box
        if not down or not across or top + down > height or left + across > width:
            raise InputError("is damaged (a frame lies outside its canvas)")
    return Apng((height, width), plays, frames, header, shared)


def layers(apng: Apng, decode: Callable[[bytes], Num[np.ndarray, "h w c"]]) -> Iterator[Layer]:
    """Decodes the frames one after another.

    Args:
      decode: returns colours and opacity of a PNG file.
    """
    for frame in apng.frames:
        top, left, height, width = frame.box
        head = struct.pack(">LL", width, height) + apng.header[8:]
        chunks = [(b"IHDR", head), *apng.shared, (b"IDAT", b"".join(frame.data)), (b"IEND", b"")]
        pixels = decode(PNG_MAGIC + b"".join(chunk(*one) for one in chunks))
        yield Layer(pixels, top, left, frame.is_over, frame.disposal, frame.duration)


def encode(
    frames: Sequence[Num[np.ndarray, "h w c"]],
    durations: list[Fraction],
    *,
    plays: int,
    first: bytes,
    encode_one: Callable[[Num[np.ndarray, "h w c"]], bytes],
) -> bytes:
    """Returns the file of an animation. Each frame after the first one holds only the part that changes.

    Args:
      durations: of each frame [s].
      first: the PNG file of the first frame, with the metadata of the whole animation.
      encode_one: returns the PNG file of a part.
    """
    parts = [PNG_MAGIC]
    delays = _delays(durations)
    height, width = frames[0].shape[:2]
    for kind, content in checked_chunks(first):
        if kind == b"IDAT" and not any(b"acTL" in part[:8] for part in parts):
            parts.append(chunk(b"acTL", struct.pack(">LL", len(frames), plays)))
            parts.append(_control(0, Box(0, 0, height, width), delays[0]))
        if kind != b"IEND":
            parts.append(chunk(kind, content))
    number = 1
    for before, frame, delay in zip(frames, frames[1:], delays[1:], strict=False):
        box = changes(before, frame, even=False)
        parts.append(_control(number, box, delay))
        pixels = b"".join(content for kind, content in checked_chunks(encode_one(frame[box.slices])) if kind == b"IDAT")
        parts.append(chunk(b"fdAT", struct.pack(">L", number + 1) + pixels))
        number += 2
    return b"".join([*parts, chunk(b"IEND", b"")])


def _delays(durations: list[Fraction]) -> list[tuple[int, int]]:
    """Each duration as a fraction, which is exact if the format can hold it."""
    if all(duration.numerator <= MOST_UNITS and duration.denominator <= MOST_UNITS for duration in durations):
        return [(duration.numerator, duration.denominator) for duration in durations]
    return [(unit, PER_SECOND) for unit in in_units(durations, PER_SECOND, most=MOST_UNITS, least=1)]


def _control(number: int, box: Box, delay: tuple[int, int]) -> bytes:
    """A chunk that says where a frame lies and how long it is seen. It replaces its area, and stays."""
    top, left, height, width = box
    return chunk(b"fcTL", struct.pack(">LLLLLHHBB", number, width, height, left, top, *delay, 0, 0))


def _frame(content: bytes) -> Frame:
    _, width, height, left, top, numerator, denominator, disposal, blend = struct.unpack(">LLLLLHHBB", content)
    duration = Fraction(numerator, denominator or DEFAULT_DENOMINATOR)
    return Frame(Box(top, left, height, width), duration, DISPOSALS.get(disposal, KEEP), blend == OVER, [])
