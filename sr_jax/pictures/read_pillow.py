"""Reads the files of pictures that Pillow knows, and PNG of 16 bits by libpng.

The frames of GIF and PNG are taken apart in `gif.py` and `apng.py`, and those of WebP and AVIF by Pillow.
"""

import contextlib
import io
import struct
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image as PILImage
from PIL import ImageFile

from sr_jax.errors import InputError
from sr_jax.pictures import apng, exif, gif, segments
from sr_jax.pictures.apng import Apng
from sr_jax.pictures.frames import composite
from sr_jax.pictures.gif import Gif
from sr_jax.pictures.picture import CMYK, GRAY, RGB, File, Header, Metadata, divided

PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "AVIF")
NAMES = {"MPO": "jpeg", "DIB": "bmp"}
"""Our names of formats that Pillow calls something else. MPO is a camera's JPEG with a preview behind it."""
MOVED_BY_PILLOW = ("webp", "avif")
"""Formats whose animations Pillow takes apart."""
SPACES = {"L": (GRAY, 1), "RGB": (RGB, 3), "CMYK": (CMYK, 4)}
PNG_HEADER = 26
"""Bytes of a PNG file up to the number of bits and the colour type."""
PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Number of channels by colour type, with alpha."""
CAPTION = "XML:com.adobe.xmp"
"""The name of the text of a PNG that holds XMP."""

_LIMIT = threading.Lock()


@contextlib.contextmanager
def opened(file: File) -> Iterator[ImageFile.ImageFile]:
    """The image, opened without Pillow's limit of pixels: the caller compares the size with the memory."""
    with _LIMIT:
        limit = PILImage.MAX_IMAGE_PIXELS
        PILImage.MAX_IMAGE_PIXELS = None
        try:
            image = PILImage.open(file, formats=PILLOW_FORMATS)
        finally:
            PILImage.MAX_IMAGE_PIXELS = limit
    with image:
        if image.format == "PNG" and (blob := segments.png_exif(file)):
            image.info["exif"] = blob
        yield image


def moving_of(file: File, start: bytes) -> Gif | Apng | None:
    """The frames of a GIF or PNG file that is an animation."""
    if start.startswith(gif.MAGIC):
        parsed = gif.parse(file.read())
        file.seek(0)
        return parsed if len(parsed.frames) > 1 else None
    if start.startswith(segments.PNG_MAGIC) and segments.moves(file):
        parsed = apng.parse(file.read())
        file.seek(0)
        return parsed
    return None


def decoded(
    image: ImageFile.ImageFile, file: File, header: Header, moving: Gif | Apng | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None, Fraction | None]]:
    """Colours, opacity and duration of each frame, as the file holds them."""
    if moving:
        layers = gif.layers(moving) if isinstance(moving, Gif) else apng.layers(moving, _decode_frame)
        for canvas, duration in composite(layers, moving.shape):
            pixels, alpha = divided(canvas)
            yield pixels, alpha if header.has_alpha else None, duration
    elif header.is_animation:
        for i in range(header.frames):
            image.seek(i)
            pixels, alpha = _decode_8_bits(image, header)
            yield pixels, alpha, Fraction(int(image.info["duration"]), 1000)
    elif header.dtype == "uint16":
        yield *_decode_png16(image, file), None
    else:
        yield *_decode_8_bits(image, header), None


def _decode_frame(png: bytes) -> np.ndarray:
    """Colours and opacity of a PNG file."""
    file = io.BytesIO(png)
    with opened(file) as image:
        ((pixels, alpha, _),) = decoded(image, file, header_of(image, file, None), None)
    full = np.full_like(pixels[..., :1], np.iinfo(pixels.dtype).max)
    return np.concatenate([pixels, full if alpha is None else alpha], -1)


def header_of(image: ImageFile.ImageFile, file: File, moving: Gif | Apng | None) -> Header:
    kind = image.format or ""
    name = NAMES.get(kind, kind.lower())
    height, width = moving.shape if moving else (image.height, image.width)
    if orientation_of(image) > 4:
        height, width = width, height
    bits, color_type = _png_depth(file) if name == "png" else (8, 0)
    if bits == 16:
        channels = PNG_CHANNELS[color_type]
        has_alpha = channels % 2 == 0 or "transparency" in image.info
        channels -= channels % 2 == 0
        header = Header(name, height, width, channels, "uint16", GRAY if channels == 1 else RGB, has_alpha)
    else:
        mode, has_alpha = ("RGB", False) if isinstance(moving, Gif) else _mode(image)
        space, channels = SPACES[mode]
        header = Header(name, height, width, channels, "uint8", space, has_alpha)
    if moving:
        return header._replace(has_alpha=moving.has_alpha, frames=len(moving.frames), plays=moving.plays)
    if name in MOVED_BY_PILLOW and getattr(image, "is_animated", False):
        plays = int(image.info.get("loop", 0))  # AVIF does not say it to Pillow, and is usually shown without end
        return header._replace(frames=getattr(image, "n_frames", 1), plays=plays)
    return header


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
    return divided(both)


def _decode_png16(image: ImageFile.ImageFile, file: File) -> tuple[np.ndarray, np.ndarray | None]:
    file.seek(0)
    data = file.read()
    segments.check_png(data)
    pixels = _with_channels(imagecodecs.png_decode(data))
    if pixels.dtype != np.uint16 or pixels.shape[:2] != (image.height, image.width):
        raise InputError("is damaged")
    if pixels.shape[-1] % 2 == 0:
        return divided(pixels)
    if "transparency" not in image.info:
        return pixels, None
    clear = (pixels == np.asarray(image.info["transparency"], np.uint16)).all(-1, keepdims=True)
    return pixels, np.where(clear, np.uint16(0), np.uint16(65535))


def _with_channels(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., None] if pixels.ndim == 2 else pixels


def orientation_of(image: ImageFile.ImageFile) -> int:
    """The orientation, from 1 to 8. Anything else counts as 1."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & {*image.info}:
        return 1  # Pillow would decode all pixels to look for EXIF behind them
    try:
        value: Any = image.getexif().get(exif.ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, struct.error, OSError):  # damaged metadata
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def metadata_of(image: ImageFile.ImageFile, file: File, name: str) -> Metadata:
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
