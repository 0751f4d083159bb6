"""The formats of pictures: their names and limits, and what they can hold."""

from typing import NamedTuple

from sr_jax.pictures import heif
from sr_jax.pictures.picture import CHANNELS, CMYK, GRAY, RGB, Header


class Format(NamedTuple):
    """A format in which pictures are written."""

    suffixes: tuple[str, ...]
    """Ends of names; the first one is given to new files."""
    max_side: int
    """Greatest height and width [pixels]."""
    dtypes: tuple[str, ...]
    """Types of samples, the smallest first."""
    has_alpha: bool
    spaces: tuple[str, ...]
    bytes_per_sample: float
    """Typical size of a file for each sample of 8 bits, by which the space on the disk is judged."""
    moves: bool = False
    """Whether it holds animations."""


FORMATS = {
    "png": Format((".png", ".apng"), 2**31 - 1, ("uint8", "uint16"), True, (GRAY, RGB), 0.6, moves=True),
    "jpeg": Format((".jpg", ".jpeg", ".jpe", ".jfif"), 65_535, ("uint8",), False, (GRAY, RGB, CMYK), 0.2),
    "webp": Format((".webp",), 16_383, ("uint8",), True, (RGB,), 0.1, moves=True),
    "tiff": Format((".tif", ".tiff"), 2**31 - 1, ("uint8", "uint16", "float32"), True, (GRAY, RGB, CMYK, CHANNELS), 0.8),
    "bmp": Format((".bmp", ".dib"), 2**31 - 1, ("uint8",), False, (GRAY, RGB), 1),
    "gif": Format((".gif",), 65_535, ("uint8",), True, (RGB,), 0.3, moves=True),
    "avif": Format((".avif", ".avifs"), 65_536, ("uint8",), True, (GRAY, RGB), 0.1, moves=True),
    "heif": Format((".heic", ".heif", ".hif"), 16_384, ("uint8", "uint16"), True, (GRAY, RGB), 0.1),
}
SUFFIXES = {suffix: name for name, one in FORMATS.items() for suffix in one.suffixes}
"""The formats by the ends of names."""


def target(header: Header, wanted: str | None) -> str:
    """Returns the format of the result: the wanted one, or that of the input. A still GIF becomes PNG, for its colours."""
    own = "png" if header.format == "gif" and not header.is_animation else header.format
    return wanted or own


def problem(header: Header, name: str, *, size: tuple[int, int], dtype: str) -> str:
    """Returns why a format cannot hold the result of a picture, and what to do about it; empty if it can.

    Args:
      name: the format of the result.
      size: height and width of the result [pixels].
      dtype: type of its samples.
    """
    one = FORMATS[name]
    if header.is_animation and not one.moves:
        others = [other for other, theirs in FORMATS.items() if theirs.moves]
        return f"{name} cannot hold an animation; give --format {' or '.join(others)}"
    if len(header.pages) > 1 and name != "tiff":
        return f"{name} cannot hold {len(header.pages)} pages; give --format tiff, or save the pages as single pictures"
    if name == "heif" and not heif.is_there():
        return f"{heif.NEEDS}, or give --format png"
    if max(size) > one.max_side:
        return f"{name} holds at most {one.max_side:,} pixels a side, not {size[1]:,}x{size[0]:,}; give --format png or tiff"
    if header.space not in one.spaces and not (header.space == GRAY and RGB in one.spaces) and header.space != CMYK:
        return f"{name} cannot hold {header.channels} channels; give --format tiff"
    if header.has_alpha and not one.has_alpha:
        return f"{name} cannot hold transparency; give --format png, webp or tiff"
    if dtype not in one.dtypes:
        kind = "floating point" if dtype == "float32" else f"{dtype.removeprefix('uint')} bits"
        others = [other for other, theirs in FORMATS.items() if dtype in theirs.dtypes]
        return f"{name} cannot hold {kind}; give --bits 8, or --format {' or '.join(others)}"
    return ""
