"""Reads the files of pictures. TIFF is read by `read_tiff.py`, everything else by Pillow, and PNG of 16 bits by libpng."""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image as PILImage
from PIL import ImageFile, UnidentifiedImageError

from sr_jax.errors import InputError
from sr_jax.pictures import exif, read_tiff, segments
from sr_jax.pictures.picture import CMYK, GRAY, RGB, File, Header, Metadata, Picture

PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "AVIF")
NAMES = {"MPO": "jpeg", "DIB": "bmp"}
"""Our names of formats that Pillow calls something else. MPO is a camera's JPEG with a preview behind it."""
SPACES = {"L": (GRAY, 1), "RGB": (RGB, 3), "CMYK": (CMYK, 4)}
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_HEADER = 26
"""Bytes of a PNG file up to the number of bits and the colour type."""
PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Number of channels by colour type, with alpha."""
CAPTION = "XML:com.adobe.xmp"
"""The name of the text of a PNG that holds XMP."""


def read_header(source: Path | bytes, name: str) -> Header:
    """Reads what is known of a picture before it is decoded.

    Args:
      source: the file, or its bytes.
      name: the name in errors.

    Raises:
      InputError: if this is not a picture, or not one that can be enlarged.
    """
    with naming(name), opened(source) as file:
        if begins(file, read_tiff.MAGIC):
            return read_tiff.read_header(file)
        with _pillow(file) as image:
            return _header(image, file)


def decode(source: Path | bytes, name: str) -> Picture:
    """Decodes a picture and applies its orientation.

    Args:
      source: the file, or its bytes.
      name: the name in errors.

    Raises:
      InputError: as `read_header`, or if the picture is damaged.
    """
    with naming(name), opened(source) as file:
        return decode_file(file)


def decode_file(file: File) -> Picture:
    """Decodes a picture and applies its orientation. Errors are of any type, and lack its name."""
    if begins(file, read_tiff.MAGIC):
        return read_tiff.decode(file)
    with _pillow(file) as image:
        header = _header(image, file)
        metadata = _metadata(image, file, header.format)
        if header.dtype == "uint16":
            pixels, alpha = _decode_png16(image, file)
        else:
            pixels, alpha = _decode_8_bits(image, header)
        orientation = _orientation(image)
    turned = exif.turn(pixels, orientation), None if alpha is None else exif.turn(alpha, orientation)
    return Picture(*turned, header.space, metadata, header.format)


class Told(NamedTuple):
    """What a file says of its pixels."""

    header: Header
    metadata: Metadata
    orientation: int


def read_told(file: File) -> Told:
    """Reads what a file that is not TIFF says of its pixels. Errors are of any type, and lack its name."""
    with _pillow(file) as image:
        header = _header(image, file)
        return Told(header, _metadata(image, file, header.format), _orientation(image))


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
        raise InputError(f"{name}: is not a picture of a known kind; give PNG, JPEG, WebP, TIFF, BMP, AVIF or GIF") from None
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
    start = file.read(4)
    file.seek(0)
    if not start:
        raise InputError("is empty")
    return start in beginnings


@contextlib.contextmanager
def _pillow(file: File) -> Iterator[ImageFile.ImageFile]:
    """The image, opened without Pillow's limit of pixels: the caller compares the size with the memory."""
    limit = PILImage.MAX_IMAGE_PIXELS
    PILImage.MAX_IMAGE_PIXELS = None
    try:
        with PILImage.open(file, formats=PILLOW_FORMATS) as image:
            if image.format == "PNG" and (blob := segments.png_exif(file)):
                image.info["exif"] = blob
            yield image
    finally:
        PILImage.MAX_IMAGE_PIXELS = limit


def _header(image: ImageFile.ImageFile, file: File) -> Header:
    kind = image.format or ""
    name = NAMES.get(kind, kind.lower())
    if getattr(image, "is_animated", False) and kind != "MPO":
        frames = getattr(image, "n_frames", 2)
        raise InputError(
            f"is an animation of {frames} frames, which cannot be enlarged yet; save its frames as single pictures"
        )
    height, width = image.height, image.width
    if _orientation(image) > 4:
        height, width = width, height
    bits, color_type = _png_depth(file) if name == "png" else (8, 0)
    if bits == 16:
        channels = PNG_CHANNELS[color_type]
        has_alpha = channels % 2 == 0 or "transparency" in image.info
        channels -= channels % 2 == 0
        return Header(name, height, width, channels, "uint16", GRAY if channels == 1 else RGB, has_alpha)
    mode, has_alpha = _mode(image)
    space, channels = SPACES[mode]
    return Header(name, height, width, channels, "uint8", space, has_alpha)


def _png_depth(file: File) -> tuple[int, int]:
    """The number of bits and the colour type of a PNG file."""
    place = file.tell()
    file.seek(0)
    start = file.read(PNG_HEADER)
    file.seek(place)
    return start[24], start[25]


def _mode(image: ImageFile.ImageFile) -> tuple[str, bool]:
    """The mode that an image of 8 bits is converted to, without alpha, and whether it has alpha."""
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if image.mode in ("1", "L", "LA", "La"):
        return "L", has_alpha
    if image.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        return "RGB", has_alpha
    if image.mode == "CMYK":
        return "CMYK", False
    raise InputError(f"its colour mode {image.mode} is not supported; save it as gray or RGB")


def _decode_8_bits(image: ImageFile.ImageFile, header: Header) -> tuple[np.ndarray, np.ndarray | None]:
    if image.format == "PNG" and image.mode == "L" and "transparency" in image.info:
        bits, _ = _png_depth(image.fp)  # pyright: ignore[reportArgumentType]
        image.info["transparency"] *= 255 // (2**bits - 1)  # Pillow scales only the pixels to 8 bits
    image.load()
    if image.mode == "P" and np.asarray(image).max() >= len(image.getpalette() or ()) // 3:
        raise InputError("is damaged (its pixels have colours that its palette lacks)")
    mode = next(mode for mode, (space, _) in SPACES.items() if space == header.space)
    if not header.has_alpha:
        return _with_channels(np.asarray(image.convert(mode))), None
    both = _with_channels(np.asarray(image.convert("LA" if mode == "L" else "RGBA")))
    return np.ascontiguousarray(both[..., :-1]), np.ascontiguousarray(both[..., -1:])


def _decode_png16(image: ImageFile.ImageFile, file: File) -> tuple[np.ndarray, np.ndarray | None]:
    file.seek(0)
    data = file.read()
    segments.check_png(data)
    pixels = _with_channels(imagecodecs.png_decode(data))
    if pixels.dtype != np.uint16 or pixels.shape[:2] != (image.height, image.width):
        raise InputError("is damaged")
    if pixels.shape[-1] % 2 == 0:
        return np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1:])
    if "transparency" not in image.info:
        return pixels, None
    clear = (pixels == np.asarray(image.info["transparency"], np.uint16)).all(-1, keepdims=True)
    return pixels, np.where(clear, np.uint16(0), np.uint16(65535))


def _with_channels(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _orientation(image: ImageFile.ImageFile) -> int:
    """The orientation, from 1 to 8. Anything else counts as 1."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & {*image.info}:
        return 1  # Pillow would decode all pixels to look for EXIF behind them
    try:
        value: Any = image.getexif().get(exif.ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, struct.error, OSError):  # damaged metadata
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _metadata(image: ImageFile.ImageFile, file: File, name: str) -> Metadata:
    info = image.info
    blob, xmp = info.get("exif"), info.get("xmp") or info.get(CAPTION)
    dpi = info.get("dpi")
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=blob.removeprefix(exif.PREFIX) if blob else None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi else None,
        rest=segments.kept(name, file),
    )
