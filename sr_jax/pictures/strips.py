"""Pictures that are read and written in strips of rows, so that memory does not grow with their height."""

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tifffile

from sr_jax.errors import InputError
from sr_jax.pictures import read, read_tiff
from sr_jax.pictures.alpha import bleed, within_neighbours
from sr_jax.pictures.picture import Metadata, Picture, Target
from sr_jax.pictures.png_strips import MOST_WIDE, PngStrips, write_png
from sr_jax.pictures.rows import Rows
from sr_jax.pictures.segments import PNG_MAGIC
from sr_jax.pictures.tiff_strips import TiffStrips, write_tiff

__all__ = ["MOST_WIDE", "WRITERS", "Strips", "bled", "opacity", "opened", "part", "reach_of", "write"]

WRITERS = {"png": write_png, "tiff": write_tiff}
"""The formats that are written in strips."""


class Strips:
    """A picture that is open, and is read in strips as often as it is iterated over. Errors name it."""

    def __init__(self, inner: PngStrips | TiffStrips, name: str):
        self._inner, self._name = inner, name
        self.header, self.metadata, self.rows = inner.header, inner.metadata, inner.rows

    def __iter__(self) -> Iterator[Picture]:
        strips = iter(self._inner)
        while True:
            with read.naming(self._name):
                strip = next(strips, None)
            if strip is None:
                return
            yield strip


@contextlib.contextmanager
def opened(source: Path | bytes, name: str) -> Iterator[Strips]:
    """Opens a picture that is read in strips.

    Args:
      source: the file, or its bytes.
      name: the name in errors.

    Raises:
      InputError: if it cannot be read so.
    """
    with contextlib.ExitStack() as stack:
        with read.naming(name):
            file = stack.enter_context(read.opened(source))
            if read.begins(file, read_tiff.MAGIC):
                inner = TiffStrips(stack.enter_context(tifffile.TiffFile(file)), file)
            elif read.begins(file, (PNG_MAGIC[:4],)):
                inner = PngStrips(file)
            else:
                raise InputError("only PNG and TIFF are read in strips; convert it")
        yield Strips(inner, name)


def part(source: Path | bytes, name: str, region: tuple[slice, slice]) -> Picture:
    """Returns a part of a picture. Nothing else of it is held.

    Args:
      source, name: as in `opened`.
      region: the rows and columns, inside the picture.

    Raises:
      InputError: if it cannot be read so, or ends before.
    """
    rows, columns = region
    found: list[Picture] = []
    top = 0
    with opened(source, name) as picture:
        for strip in picture:
            cut = slice(max(0, rows.start - top), max(0, rows.stop - top)), columns
            alpha = None if strip.alpha is None else strip.alpha[cut].copy()
            found.append(strip._replace(pixels=strip.pixels[cut].copy(), alpha=alpha))
            top += strip.pixels.shape[0]
            if top >= rows.stop:
                alphas = [one.alpha for one in found if one.alpha is not None]
                pixels = np.concatenate([one.pixels for one in found])
                return strip._replace(pixels=pixels, alpha=np.concatenate(alphas) if alphas else None)
    raise InputError(f"{name}: is damaged (it ends too early)")


def write(file: Target, strips: Iterable[Picture], name: str, *, size: tuple[int, int], metadata: Metadata) -> None:
    """Writes a picture in strips.

    Args:
      file: can be read, too, and any place in it can be reached.
      strips: the picture from top to bottom, cut between rows.
      name: the format, one of `WRITERS`.
      size: its height and width [pixels].
      metadata: those of the result.
    """
    WRITERS[name](file, strips, size=size, metadata=metadata)


def bled(strips: Iterable[np.ndarray], *, height: int, reach: int) -> Iterator[np.ndarray]:
    """Bleeds the colours of a picture, as `alpha.bleed` does, near what can be seen.

    Pixels at most `reach` away from a visible one get its colour. Those farther away may get another one.

    Args:
      strips: colours with opacity as their last channel.
      height: of the picture [pixels].
    """
    least = 2 * reach + 1  # the rows around a strip are computed in vain
    strips = iter(strips)
    rows, start = Rows(strips), 0
    while start < height:
        stop = min(height, start + least)
        first, last = max(0, start - reach), min(height, stop + reach)
        window = rows.between(first, last)
        colours = bleed(window[..., :-1], window[..., -1:])
        both = np.concatenate([colours, window[..., -1:]], -1)
        yield both[start - first : stop - first]
        start = stop


def reach_of(radius: int) -> int:
    """Returns how far from a visible pixel colours are seen, if a pixel of a network's output depends on those within a radius.

    Opacity is zero where the 3x3 pixels around are invisible. So a pixel that is seen has a visible neighbour.
    """
    return math.ceil(math.sqrt(2) * (radius + 1))


def opacity(enlarged: Iterable[np.ndarray], alpha: Iterable[np.ndarray], *, height: int, scale: int) -> Iterator[np.ndarray]:
    """Limits enlarged opacity in strips to its neighbours, as `alpha.within_neighbours` does.

    Args:
      enlarged: strips of the enlarged opacity, cut between rows of the picture.
      alpha: strips of the opacity of the picture.
    """
    rows, start = Rows(alpha), 0
    for strip in enlarged:
        stop = start + len(strip) // scale
        first, last = max(0, start - 1), min(height, stop + 1)
        margins = scale * (start - first), scale * (last - stop)
        padded = np.pad(strip, (margins, (0, 0), (0, 0)))
        yield within_neighbours(padded, rows.between(first, last))[margins[0] : margins[0] + len(strip)]
        start = stop
