"""GIF animations: the frames of a file, and files of frames. Pillow decodes and encodes the pixels of each frame."""

import io
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage

from sr_jax.errors import InputError
from sr_jax.pictures.frames import CLEAR, KEEP, RESTORE, Box, Layer, changes, in_units

MAGIC = (b"GIF87a", b"GIF89a")
DISPOSALS = {2: CLEAR, 3: RESTORE}
"""The disposal methods; the others keep what is seen (GIF89a, section 23)."""
LOOPS, XMP = b"NETSCAPE2.0", b"XMP DataXMP"
XMP_TRAILER = b"\1" + bytes(range(255, -1, -1)) + b"\0"
"""What ends XMP, so that it can be skipped as if it lay in blocks (XMP specification, part 3, section 1.1.2)."""
PER_SECOND = 100
MOST_SAMPLES = 2**18
"""Pixels of an animation from which its palette is chosen."""
VISIBLE = 128
"""Opacity from which on a pixel is seen."""
EXTENSION, DESCRIPTOR, CONTROL, APPLICATION = 0x21, 0x2C, 0xF9, 0xFF


class Frame(NamedTuple):
    """A frame as its file holds it."""

    box: Box
    palette: bytes
    is_interlaced: bool
    transparent: int | None
    disposal: int
    duration: Fraction
    data: bytes
    """The compressed pixels, in blocks."""


class Gif(NamedTuple):
    """The content of a file."""

    shape: tuple[int, int]
    """Height and width of the canvas."""
    plays: int
    """How often it is shown; 0: without end."""
    frames: list[Frame]
    xmp: bytes | None

    @property
    def has_alpha(self) -> bool:
        """Whether parts of the canvas may be transparent."""
        first = self.frames[0]
        is_full = first.box[:2] == (0, 0) and first.box[2:] == self.shape
        return not is_full or first.transparent is not None or any(frame.disposal == CLEAR for frame in self.frames)


def parse(data: bytes) -> Gif:
    """Returns the frames of a file, which are not decoded yet. What is cut off behind whole frames is left out.

    Raises:
      InputError: if there is no whole frame.
    """
    if len(data) < 13:
        raise InputError("is damaged (its header is cut short)")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place = 13
    everywhere, place = _palette(data, place, flags)
    plays, xmp, frames = 1, None, []
    control: tuple[int | None, int, Fraction] = (None, KEEP, Fraction(0))
    while place < len(data) and data[place] in (EXTENSION, DESCRIPTOR):
        if data[place] == EXTENSION:
            kind, start = data[place + 1 : place + 2], place + 2
            blocks, place = _blocks(data, start)
            content = b"".join(blocks)
            if kind == bytes([CONTROL]) and len(content) >= 4:
                bits, hundredths, transparent = struct.unpack_from("<BHB", content)
                disposal = DISPOSALS.get(bits >> 2 & 7, KEEP)
                control = (transparent if bits & 1 else None, disposal, Fraction(hundredths, PER_SECOND))
            elif content.startswith(LOOPS) and len(content) >= 14 and content[11] == 1:
                (more,) = struct.unpack_from("<H", content, 12)
                plays = more + 1 if more else 0
            elif content.startswith(XMP):
                end = data.find(XMP_TRAILER, start)
                xmp = data[start + 1 + len(XMP) : end] if end > 0 else None
            continue
        if place + 10 > len(data):
            break  # refused below
        left, top, across, down, flags = struct.unpack_from("<HHHHB", data, place + 1)
        own, place = _palette(data, place + 10, flags)
        start = place
        blocks, place = _blocks(data, start + 1)
        if place > len(data):
            break
        box = Box(top, left, down, across)
        frames.append(Frame(box, own or everywhere, bool(flags & 64), *control, data[start:place]))
        control = (None, KEEP, Fraction(0))
    if place > len(data) or data[place : place + 1] == bytes([DESCRIPTOR]):
        raise InputError(f"is damaged (its frame {len(frames) + 1} is cut short)")
    if not frames or not all(frame.box.height and frame.box.width for frame in frames):
        raise InputError("is damaged (it has a frame without pixels)")
    first = frames[0].box
    shape = max(height, first.top + first.height), max(width, first.left + first.width)
    for i, (_, _, down, across) in enumerate((frame.box for frame in frames), 1):
        if down > shape[0] or across > shape[1]:
            raise InputError(f"is damaged (its frame {i} is larger than its canvas)")
    return Gif(shape, plays, frames, xmp)


def layers(gif: Gif) -> Iterator[Layer]:
    """Decodes the frames one after another: RGB and opacity, uint8."""
    for frame in gif.frames:
        _, _, height, width = frame.box
        head = MAGIC[1] + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + bytes(768)
        descriptor = struct.pack("<BHHHHB", DESCRIPTOR, 0, 0, width, height, 64 * frame.is_interlaced)
        with PILImage.open(io.BytesIO(head + descriptor + frame.data + b";"), formats=["GIF"]) as image:
            index = np.asarray(image)
        palette = np.frombuffer(frame.palette or bytes(range(256)) * 3, np.uint8)
        palette = palette.reshape(-1, 3) if frame.palette else palette.reshape(3, -1).T
        seen = index != (-1 if frame.transparent is None else frame.transparent)
        if (index[seen] >= len(palette)).any():
            raise InputError("is damaged (its pixels have colours that its palette lacks)")
        colours = palette[np.minimum(index, len(palette) - 1)]
        pixels = np.concatenate([colours, np.where(seen, 255, 0).astype(np.uint8)[..., None]], -1)
        yield Layer(pixels, frame.box.top, frame.box.left, True, frame.disposal, frame.duration)


def encode(frames: Sequence[UInt8[np.ndarray, "h w c"]], durations: list[Fraction], *, plays: int, xmp: bytes | None) -> bytes:
    """Returns the file of an animation, or of a single picture.

    All frames share a palette, and pixels that do not change keep their colour of it, so that nothing flickers. Without
    transparency, a frame holds only the part that changes.

    Args:
      frames: RGB, or RGB and opacity. Pixels of less than half the full opacity are transparent.
      durations: of each frame [s].
      plays: how often the animation is shown; 0: without end.
    """
    is_clear = frames[0].shape[-1] == 4 and any((frame[..., 3] < VISIBLE).any() for frame in frames)
    palette = _choose(frames, 255 if is_clear else 256)
    entries = np.zeros((256, 3), np.uint8)
    entries[: len(palette)] = palette
    height, width = frames[0].shape[:2]
    parts = [MAGIC[1], struct.pack("<HHBBB", width, height, 0xF7, 0, 0), entries.tobytes()]
    if plays != 1:
        parts += [_extension(APPLICATION, LOOPS, struct.pack("<BH", 1, min(max(0, plays - 1), 65_535)))]
    if xmp:
        parts += [bytes([EXTENSION, APPLICATION, len(XMP)]), XMP, xmp, XMP_TRAILER]
    before: tuple[np.ndarray, np.ndarray] | None = None
    for frame, hundredths in zip(frames, in_units(durations, PER_SECOND, most=65_535, least=2), strict=True):
        index = _indices(frame, palette, is_clear=is_clear)
        box = Box(0, 0, height, width)
        if before is not None:
            index = np.where((before[0] == frame).all(-1), before[1], index)
            box = box if is_clear else changes(before[0], frame, even=False)
        disposal = 2 if is_clear and len(frames) > 1 else 1
        control = struct.pack("<BHB", disposal << 2 | is_clear, hundredths, 255 if is_clear else 0)
        parts += [_extension(CONTROL, control), _image(index[box.slices], box)]
        before = frame, index
    return b"".join([*parts, b";"])


def _choose(frames: Sequence[np.ndarray], count: int) -> UInt8[np.ndarray, "n 3"]:
    """A palette for all frames, in the order of the codes of its colours."""
    exact = np.zeros(0, np.uint32)
    for frame in frames:
        exact = np.union1d(exact, _codes(_seen(frame)))
        if len(exact) > count:
            break
    else:
        return _colours(exact if len(exact) else np.zeros(1, np.uint32))
    step = max(1, -(-sum(frame.shape[0] * frame.shape[1] for frame in frames) // MOST_SAMPLES))
    samples = np.concatenate([_seen(frame)[i % step :: step] for i, frame in enumerate(frames)])
    image = PILImage.fromarray(np.ascontiguousarray(samples[None]))
    quantized = image.quantize(count, method=PILImage.Quantize.MEDIANCUT, kmeans=1).getpalette() or []
    return _colours(np.unique(_codes(np.array(quantized, np.uint8).reshape(-1, 3)[:count])))


def _colours(codes: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.uint8)


def _seen(frame: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    """The colours of all pixels that are not transparent."""
    return frame[frame[..., 3] >= VISIBLE][:, :3] if frame.shape[-1] == 4 else frame.reshape(-1, 3)


def _codes(colours: np.ndarray) -> np.ndarray:
    """Each colour as one number."""
    values = colours.astype(np.uint32)
    return values[..., 0] << 16 | values[..., 1] << 8 | values[..., 2]


def _indices(frame: np.ndarray, palette: np.ndarray, *, is_clear: bool) -> UInt8[np.ndarray, "h w"]:
    """The places in the palette, dithered by error diffusion where it lacks colours. Transparent pixels get the last place."""
    given, codes = _codes(palette), _codes(frame)
    places = np.minimum(np.searchsorted(given, codes), len(given) - 1)
    seen = frame[..., 3] >= VISIBLE if is_clear else np.ones(frame.shape[:2], bool)
    index, is_exact = places.astype(np.uint8), given[places] == codes
    if not is_exact[seen].all():
        holder = PILImage.new("P", (1, 1))
        holder.putpalette(palette.tobytes())
        image = PILImage.fromarray(np.ascontiguousarray(frame[..., :3]))
        dithered = np.asarray(image.quantize(palette=holder, dither=PILImage.Dither.FLOYDSTEINBERG))
        index = np.where(is_exact, index, dithered)  # areas of one colour stay so
    return np.where(seen, index, np.uint8(255))


def _image(index: np.ndarray, box: Box) -> bytes:
    """A frame of a file, without a palette of its own."""
    image = PILImage.fromarray(np.ascontiguousarray(index))
    image.putpalette(bytes(range(256)) * 3)
    file = io.BytesIO()
    image.save(file, "GIF", optimize=False, interlace=0)
    (frame,) = parse(file.getvalue()).frames
    return struct.pack("<BHHHHB", DESCRIPTOR, box.left, box.top, box.width, box.height, 0) + frame.data


def _extension(kind: int, *blocks: bytes) -> bytes:
    return bytes([EXTENSION, kind]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _palette(data: bytes, place: int, flags: int) -> tuple[bytes, int]:
    """A palette, if the flags say that there is one, and the place behind it."""
    size = 3 << (flags & 7) + 1 if flags & 128 else 0
    return data[place : place + size], place + size


def _blocks(data: bytes, place: int) -> tuple[list[bytes], int]:
    """Blocks with their lengths, and the place behind them. It lies behind the end of a file that is cut short."""
    blocks = []
    while place < len(data) and (size := data[place]):
        blocks.append(data[place + 1 : place + 1 + size])
        place += 1 + size
    return blocks, place + 1
