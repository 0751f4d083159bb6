"""Writes the files of pictures: PNG by libpng, TIFF by tifffile, everything else by Pillow."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from jaxtyping import Num
from PIL import Image as PILImage

from sr_jax.errors import InputError, is_full
from sr_jax.pictures import apng, directories, exif, gif, heif, segments, webp
from sr_jax.pictures.frames import in_units
from sr_jax.pictures.picture import CHANNELS, CMYK, GRAY, RGB, Metadata, Picture, Target

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
SUBFILE_TYPE = 254
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
    with _refusing(name):
        return _ENCODERS.get(name, _encode_by_pillow)(picture, name, quality)


def encode_all(pictures: Sequence[Picture], name: str, *, quality: int | None, plays: int | None) -> bytes:
    """Returns the bytes of a file of several frames or pages. The metadata of an animation are those of its first frame.

    Args:
      pictures, name, quality: as in `encode`.
      plays: how often an animation is shown, 0 for without end; None for pages.

    Raises:
      InputError: as `encode`.
    """
    with _refusing(name):
        if plays is not None:
            return _encode_animation(pictures, name, quality, plays)
        return encode(pictures[0], name, quality=quality) if len(pictures) == 1 else _encode_pages(pictures)


def write_pages(file: Target, pictures: Iterable[Picture], *, raw_bytes: int) -> None:
    """Writes a TIFF of several pages, each when it comes.

    Args:
      file: can be read, too, and any place in it can be reached.
      raw_bytes: of the samples of all pages together.

    Raises:
      InputError: as `encode`.
      OSError: if the file cannot be written.
    """
    described = []
    with tifffile.TiffWriter(file, bigtiff=raw_bytes > BIG) as writer:
        for picture in pictures:
            pixels = picture.to_array()
            with _refusing("tiff"):
                writer.write(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, **tiff_options(picture))
            described.append(directories.of_blob(picture.metadata.exif or b""))
    directories.append(file, described)


@contextlib.contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Turns whatever an encoder raises into an InputError."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, tifffile.TiffFileError) as error:
        if is_full(error):
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
    if picture.format == "heif" and (colours := dict(metadata.rest).get(heif.COLOURS)):
        rest.append((heif.PNG_COLOURS, colours + bytes([0, 1])))  # RGB, of the full range
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
    return _encode_pages([picture])


def _encode_pages(pictures: Sequence[Picture]) -> bytes:
    file = io.BytesIO()
    write_pages(file, pictures, raw_bytes=sum(picture.to_array().nbytes for picture in pictures))
    return file.getvalue()


def tiff_options(picture: Picture) -> dict[str, Any]:
    """Returns the options with which tifffile writes a picture. Rows may be missing from it.

    `directories.append` adds the EXIF data when the file is complete.
    """
    metadata, is_flat = picture.metadata, picture.pixels.shape[-1] == 1 and picture.alpha is None
    described = directories.of_blob(metadata.exif or b"")
    own = {int(tag): text for tag, text in metadata.rest} if picture.format == "tiff" else {}
    kind = int(own.pop(SUBFILE_TYPE, b"0"))
    tags: list[tuple[int, int, int, Any, bool]] = [(tag, 2, len(text) + 1, text + b"\0", True) for tag, text in own.items()]
    tags += [
        (tag.number, tag.kind, tag.length, tag.data, True)
        for tag in described.get(directories.MAIN, ())
        if tag.number not in own and tag.kind in (1, 2)
    ]
    if metadata.xmp:
        tags.append((XMP_TAG, 1, len(metadata.xmp), metadata.xmp, True))
    options: dict[str, Any] = {"iccprofile": metadata.icc} if metadata.icc else {}
    if metadata.dpi:
        options |= {"resolution": tuple(Fraction(dpi).limit_denominator(10_000) for dpi in metadata.dpi), "resolutionunit": 2}
    return {
        "photometric": PHOTOMETRIC[picture.space],
        "planarconfig": None if is_flat else "contig",
        "extrasamples": _extra_samples(picture),
        "compression": "zlib",
        "compressionargs": {"level": PNG_LEVEL},
        "predictor": True,
        "metadata": None,
        "software": False,
        "subfiletype": kind,
        "extratags": [*tags, *directories.placeholders(described)],
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
    file = io.BytesIO()
    to_pillow(picture).save(file, name.upper(), **_pillow_options(picture, name, quality))
    return file.getvalue()


def _pillow_options(picture: Picture, name: str, quality: int | None) -> dict[str, Any]:
    metadata = picture.metadata
    if name == "bmp":
        return {"dpi": metadata.dpi} if metadata.dpi else {}
    profile = _icc_of_rgb(metadata) if name == "webp" else metadata.icc
    options: dict[str, Any] = {"quality": quality or QUALITY, "icc_profile": profile or b""}
    options |= {"exif": exif.PREFIX + metadata.exif} if metadata.exif else {}
    return options | ({"xmp": metadata.xmp} if metadata.xmp else {})


def _icc_of_rgb(metadata: Metadata) -> bytes | None:
    """The profile, unless it is one for gray. WebP and animations hold only RGB."""
    return None if metadata.icc is not None and metadata.icc[16:20] == b"GRAY" else metadata.icc


def _encode_animation(pictures: Sequence[Picture], name: str, quality: int | None, plays: int) -> bytes:
    first, frames = pictures[0], [picture.to_array() for picture in pictures]
    metadata, durations = first.metadata, [picture.duration or Fraction(0) for picture in pictures]

    def one(pixels: np.ndarray) -> bytes:
        """The file of a part of a frame. If there is an opacity, it is the last channel."""
        part = first._replace(pixels=np.ascontiguousarray(pixels), alpha=None, metadata=Metadata())
        return encode(part, name, quality=quality)

    if name == "png":
        return apng.encode(frames, durations, plays=plays, first=_encode_png(first, name, None), encode_one=one)
    frames = [_rgb(frame) for frame in frames]
    if name == "webp":
        parts = {b"ICCP": _icc_of_rgb(metadata), b"EXIF": metadata.exif, b"XMP ": metadata.xmp}
        return webp.encode(frames, durations, plays=plays, metadata=parts, encode_one=one)
    if name == "gif":
        return gif.encode(frames, durations, plays=plays, xmp=metadata.xmp)
    units = in_units(durations, 1000, most=2**31 - 1, least=1)
    is_gray = first.space == GRAY and first.alpha is None
    images = [PILImage.fromarray(frame[..., 0] if is_gray else frame) for frame in frames]
    options = _pillow_options(first, name, quality)
    file = io.BytesIO()
    images[0].save(file, name.upper(), save_all=True, append_images=images[1:], duration=units, **options)
    return file.getvalue()


def _encode_gif(picture: Picture, name: str, quality: int | None) -> bytes:
    del name, quality
    return gif.encode([_rgb(picture.to_array())], [Fraction(0)], plays=1, xmp=picture.metadata.xmp)


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """RGB instead of gray; opacity stays."""
    return pixels if pixels.shape[-1] > 2 else np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], -1)


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


_ENCODERS = {"png": _encode_png, "tiff": _encode_tiff, "jpeg": _encode_jpeg, "gif": _encode_gif, "heif": heif.encode}
