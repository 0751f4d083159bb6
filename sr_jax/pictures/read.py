"""Reads the files of pictures: TIFF by `read_tiff.py`, HEIF by `heif.py`, and the rest by `read_pillow.py`."""

import contextlib
import io
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import UnidentifiedImageError

from sr_jax.errors import InputError
from sr_jax.pictures import exif, heif, read_pillow, read_tiff
from sr_jax.pictures.gif import Gif
from sr_jax.pictures.picture import File, Header, Metadata, Picture

MAGIC_BYTES = 64
"""Bytes of a file that tell its format."""


def read_header(source: Path | bytes, name: str) -> Header:
    """Reads what is known of a picture before it is decoded.

    Args:
      source: the file, or its bytes.
      name: the name in errors.

    Raises:
      InputError: if this is not a picture, or not one that can be enlarged.
    """
    with naming(name), opened(source) as file:
        start = _start(file)
        if start.startswith(read_tiff.MAGIC):
            return read_tiff.read_header(file)
        if heif.is_heif(start):
            return heif.read_header(file)
        moving = read_pillow.moving_of(file, start)
        with read_pillow.opened(file) as image:
            return read_pillow.header_of(image, file, moving)


def decode(source: Path | bytes, name: str) -> Picture:
    """Decodes a picture and applies its orientation. Of several frames or pages, this is the first one.

    Args:
      source: the file, or its bytes.
      name: the name in errors.

    Raises:
      InputError: as `read_header`, or if the picture is damaged.
    """
    with contextlib.closing(decode_all(source, name)) as pictures:
        return next(pictures)


def decode_all(source: Path | bytes, name: str) -> Generator[Picture]:
    """Decodes the frames or pages of a file one after another, each when it is asked for. There is one in most files.

    The arguments and errors are those of `decode`.
    """
    with contextlib.ExitStack() as stack:
        with naming(name):
            pictures = _pictures(stack.enter_context(opened(source)))
        while True:
            with naming(name):
                picture = next(pictures, None)
            if picture is None:
                return
            yield picture


def decode_file(file: File) -> Picture:
    """Decodes a picture, or the first of several ones. Errors are of any type, and lack its name."""
    with contextlib.closing(_pictures(file)) as pictures:
        return next(pictures)


class Told(NamedTuple):
    """What a file says of its pixels."""

    header: Header
    metadata: Metadata
    orientation: int


def read_told(file: File) -> Told:
    """Reads what a still picture says of its pixels, if it is not TIFF. Errors are of any type, and lack its name."""
    with read_pillow.opened(file) as image:
        header = read_pillow.header_of(image, file, None)
        return Told(header, read_pillow.metadata_of(image, file, header.format), read_pillow.orientation_of(image))


def _pictures(file: File) -> Generator[Picture]:
    start = _start(file)
    if start.startswith(read_tiff.MAGIC):
        yield from read_tiff.decode_all(file)
        return
    if heif.is_heif(start):
        yield heif.decode(file)
        return
    moving = read_pillow.moving_of(file, start)
    with read_pillow.opened(file) as image:
        header = read_pillow.header_of(image, file, moving)
        metadata = read_pillow.metadata_of(image, file, header.format)
        metadata = metadata._replace(xmp=moving.xmp) if isinstance(moving, Gif) else metadata
        orientation = read_pillow.orientation_of(image)
        for pixels, alpha, duration in read_pillow.decoded(image, file, header, moving):
            turned = exif.turn_both(pixels, alpha, orientation)
            yield Picture(*turned, header.space, metadata, header.format, duration)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Turns whatever a decoder raises into an InputError with the picture's name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; a picture that cannot be used gets an error
            yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{name}: is not a picture of a known kind; give PNG, JPEG, WebP, TIFF, BMP, AVIF, GIF or HEIF"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise exceptions of all kinds
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{name}: is damaged or cannot be read ({reason:.120})") from None


@contextlib.contextmanager
def opened(source: Path | bytes) -> Iterator[File]:
    """Opens a file, or its bytes."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    else:
        with source.open("rb") as file:
            yield file


def begins(file: File, beginnings: tuple[bytes, ...]) -> bool:
    """Returns whether a file begins with one of these bytes."""
    return _start(file).startswith(beginnings)


def _start(file: File) -> bytes:
    start = file.read(MAGIC_BYTES)
    file.seek(0)
    if not start:
        raise InputError("is empty")
    return start
