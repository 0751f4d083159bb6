"""Writes the files of pictures: PNG by libpng, TIFF by tifffile, everything else by Pillow."""

import io
from fractions import Fraction
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from jaxtyping import Num
from PIL import Image as PILImage

from sr_jax.errors import InputError
from sr_jax.pictures import exif, segments
from sr_jax.pictures.picture import CHANNELS, CMYK, GRAY, RGB, Metadata, Picture

JPEG_QUALITY, QUALITY = 95, 90
"""Defaults for JPEG, and for WebP and AVIF."""
PNG_LEVEL = 1
"""Higher levels of compression take several times as long, for files that are a few percent smaller."""
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
PROFILE_HEADER = b"ICC_PROFILE\0"
PROFILE_PART = 65_519
METRE = 39.3701
"""Inches in a metre."""
BIG = 2**32 - 2**25
"""Bytes of samples from which on a TIFF file needs addresses of 64 bits."""
PHOTOMETRIC = {GRAY: "minisblack", CHANNELS: "minisblack", RGB: "rgb", CMYK: "separated"}
XMP_TAG = 700


def encode(picture: Picture, name: str, *, quality: int | None) -> bytes:
    """Returns the bytes of a file.

    Args:
      name: the format, a name in `FORMATS`, which can hold the picture.
      quality: from 1 to 100; None for the default. Formats without loss ignore it.

    Raises:
      InputError: if the encoder refuses the picture.
    """
    try:
        return _ENCODERS.get(name, _encode_by_pillow)(picture, name, quality)
    except (OSError, ValueError, RuntimeError, tifffile.TiffFileError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be written as {name} ({error})") from error


def _encode_png(picture: Picture, name: str, quality: int | None) -> bytes:
    del name, quality
    pixels = in_c_order(picture.to_array())
    data = bytes(imagecodecs.png_encode(pixels, level=PNG_LEVEL, filter=imagecodecs.PNG.FILTER.PAETH))
    return segments.with_chunks(data, png_chunks(picture))


def in_c_order(pixels: Num[np.ndarray, "h w c"]) -> Num[np.ndarray, "h w c"]:
    """Returns the pixels with the strides of C, also along axes of length 1, because imagecodecs looks at them."""
    return np.ascontiguousarray(pixels).reshape(-1).reshape(pixels.shape)


def png_chunks(picture: Picture) -> list[tuple[str, bytes]]:
    """Returns the chunks of a PNG file that hold what is said of the picture. They belong before its pixels."""
    metadata = picture.metadata
    rest = list(metadata.rest) if picture.format == "png" else []
    if metadata.icc is not None:
        rest = [("iCCP", segments.profile_chunk(metadata.icc)), *(part for part in rest if part[0] not in ("iCCP", "sRGB"))]
    if metadata.dpi and "pHYs" not in dict(rest):
        across, down = (round(dpi * METRE) for dpi in metadata.dpi)
        rest.append(("pHYs", across.to_bytes(4, "big") + down.to_bytes(4, "big") + b"\1"))
    if metadata.exif:
        rest.append(("eXIf", metadata.exif))
    if metadata.xmp:
        rest.append(("iTXt", segments.text_chunk(segments.XMP_TEXT, metadata.xmp)))
    return rest


def _encode_tiff(picture: Picture, name: str, quality: int | None) -> bytes:
    del name, quality
    pixels = picture.to_array()
    is_flat = pixels.shape[-1] == 1
    file = io.BytesIO()
    options = {**tiff_options(picture), "bigtiff": pixels.nbytes > BIG}
    tifffile.imwrite(file, pixels[..., 0] if is_flat else pixels, **options)
    return file.getvalue()


def tiff_options(picture: Picture) -> dict[str, Any]:
    """Returns the options with which tifffile writes a picture. Rows may be missing from it."""
    metadata, is_flat = picture.metadata, picture.pixels.shape[-1] == 1 and picture.alpha is None
    texts: list[tuple[int, int, int, Any, bool]] = (
        [(int(tag), 2, 0, text.decode(), True) for tag, text in metadata.rest] if picture.format == "tiff" else []
    )
    if metadata.xmp:
        texts.append((XMP_TAG, 1, len(metadata.xmp), metadata.xmp, True))
    extra = _extra_samples(picture)
    options: dict[str, Any] = {"iccprofile": metadata.icc} if metadata.icc else {}
    if metadata.dpi:
        options |= {"resolution": tuple(Fraction(dpi).limit_denominator(10_000) for dpi in metadata.dpi), "resolutionunit": 2}
    return {
        "photometric": PHOTOMETRIC[picture.space],
        "planarconfig": None if is_flat else "contig",
        "extrasamples": extra,
        "compression": "zlib",
        "compressionargs": {"level": PNG_LEVEL},
        "predictor": True,
        "metadata": None,
        "software": False,
        "extratags": texts,
        **options,
    }


def _extra_samples(picture: Picture) -> list[str] | None:
    others = picture.pixels.shape[-1] - 1 if picture.space == CHANNELS else 0
    kinds = ["unspecified"] * others + ["unassalpha"] * (picture.alpha is not None)
    return kinds or None


def _encode_jpeg(picture: Picture, name: str, quality: int | None) -> bytes:
    del name
    metadata = picture.metadata
    file = io.BytesIO()
    options = {"dpi": tuple(round(dpi) for dpi in metadata.dpi)} if metadata.dpi else {}
    to_pillow(picture).save(file, "JPEG", quality=quality or JPEG_QUALITY, subsampling=0, optimize=False, **options)
    parts: list[tuple[int, bytes]] = []
    if metadata.exif:
        parts.append((segments.APP1, exif.PREFIX + metadata.exif))
    if metadata.xmp:
        parts.append((segments.APP1, XMP_HEADER + metadata.xmp))
    parts += _profile_segments(metadata.icc)
    parts += [(int(marker, 16), content) for marker, content in metadata.rest] if picture.format == "jpeg" else []
    return segments.with_segments(file.getvalue(), parts)


def _profile_segments(profile: bytes | None) -> list[tuple[int, bytes]]:
    """A profile in segments (ICC.1:2022, annex B.4)."""
    parts = [profile[i : i + PROFILE_PART] for i in range(0, len(profile), PROFILE_PART)] if profile else []
    return [(segments.APP2, PROFILE_HEADER + bytes([i, len(parts)]) + part) for i, part in enumerate(parts, 1)]


def _encode_by_pillow(picture: Picture, name: str, quality: int | None) -> bytes:
    metadata: Metadata = picture.metadata
    file = io.BytesIO()
    options: dict[str, Any] = {}
    if name != "bmp":
        is_for_gray = name == "webp" and metadata.icc is not None and metadata.icc[16:20] == b"GRAY"  # WebP holds only RGB
        options = {"quality": quality or QUALITY, "icc_profile": b"" if is_for_gray else metadata.icc or b""}
        options |= {"exif": exif.PREFIX + metadata.exif} if metadata.exif else {}
        options |= {"xmp": metadata.xmp} if metadata.xmp else {}
    elif metadata.dpi:
        options = {"dpi": metadata.dpi}
    to_pillow(picture).save(file, name.upper(), **options)
    return file.getvalue()


def to_pillow(picture: Picture) -> PILImage.Image:
    """Returns a picture as an image of Pillow.

    Raises:
      InputError: if Pillow has no mode for it, such as for colours of 16 bits.
    """
    pixels = picture.to_array()
    try:
        return PILImage.fromarray(
            pixels[..., 0] if pixels.shape[-1] == 1 else pixels, "CMYK" if picture.space == CMYK else None
        )
    except TypeError:
        raise InputError(f"Pillow has no mode for {pixels.shape[-1]} channels of type {pixels.dtype}") from None


_ENCODERS = {"png": _encode_png, "tiff": _encode_tiff, "jpeg": _encode_jpeg}
