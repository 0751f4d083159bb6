"""Orientation and sizes in EXIF data, which are changed in place so that everything else stays byte for byte."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Num

PREFIX = b"Exif\0\0"
ORIENTATION, WIDTH, HEIGHT, EXIF_IFD, PIXEL_WIDTH, PIXEL_HEIGHT = 0x0112, 0x0100, 0x0101, 0x8769, 0xA002, 0xA003
"""Numbers of tags (EXIF 2.32, section 4.6)."""
SHORT, LONG = 3, 4
MOST_ENTRIES = 4096

TURNS = {1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""For each orientation, the quarter turns to the left, and whether the picture is mirrored afterwards."""


class Entry(NamedTuple):
    """An entry of a directory."""

    tag: int
    kind: int
    value: int
    """Its value, if it is a whole number."""
    place: int
    """Where the value lies."""


def turn(pixels: Num[np.ndarray, "h w c"], orientation: int) -> Num[np.ndarray, "h2 w2 c"]:
    """Applies an orientation.

    Args:
      orientation: from 1, which changes nothing, to 8, as EXIF defines them.
    """
    quarters, mirrored = TURNS[orientation]
    turned = np.rot90(pixels, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def turn_both(
    pixels: Num[np.ndarray, "h w c"], alpha: Num[np.ndarray, "h w 1"] | None, orientation: int
) -> tuple[Num[np.ndarray, "h2 w2 c"], Num[np.ndarray, "h2 w2 1"] | None]:
    """Applies an orientation to colours and opacity."""
    return turn(pixels, orientation), None if alpha is None else turn(alpha, orientation)


def enlarged(blob: bytes, *, size: tuple[int, int]) -> bytes | None:
    """Returns EXIF data for a picture of another size, with its orientation applied and without its thumbnail.

    Args:
      blob: the data, a TIFF structure.
      size: height and width of the picture [pixels].

    Returns:
      the data; None if they are damaged.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(blob[:4])
    if order is None:
        return None
    changed = bytearray(blob)
    height, width = size
    values = {ORIENTATION: 1, WIDTH: width, PIXEL_WIDTH: width, HEIGHT: height, PIXEL_HEIGHT: height}
    try:
        (first,) = struct.unpack_from(f"{order}L", blob, 4)
        directories = [first]
        directories += [entry.value for entry in _entries(blob, first, order) if entry.tag == EXIF_IFD]
        for directory in directories:
            for entry in _entries(blob, directory, order):
                if entry.tag in values:
                    _put(changed, entry, values[entry.tag], order)
        (count,) = struct.unpack_from(f"{order}H", blob, first)
        struct.pack_into(f"{order}L", changed, first + 2 + 12 * count, 0)  # the next directory is that of the thumbnail
    except (struct.error, ValueError):
        return None
    return bytes(changed)


def _entries(blob: bytes, directory: int, order: str) -> Iterator[Entry]:
    (count,) = struct.unpack_from(f"{order}H", blob, directory)
    if count > MOST_ENTRIES:
        raise ValueError("too many entries")
    for place in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, _ = struct.unpack_from(f"{order}HHL", blob, place)
        (value,) = struct.unpack_from(f"{order}{'H' if kind == SHORT else 'L'}", blob, place + 8)
        yield Entry(tag, kind, value, place + 8)


def _put(blob: bytearray, entry: Entry, value: int, order: str) -> None:
    """Writes a number in place. One that does not fit into 16 bits becomes one of 32 bits, for which there is room."""
    if entry.tag == ORIENTATION:  # programs turn the picture also if it has an odd type
        struct.pack_into(f"{order}HL", blob, entry.place - 6, SHORT, 1)
        entry = entry._replace(kind=SHORT)
    if entry.kind not in (SHORT, LONG):
        return
    kind = SHORT if entry.kind == SHORT and value < 2**16 else LONG
    struct.pack_into(f"{order}H", blob, entry.place - 6, kind)
    struct.pack_into(
        f"{order}{'HH' if kind == SHORT else 'L'}", blob, entry.place, *((value, 0) if kind == SHORT else (value,))
    )
