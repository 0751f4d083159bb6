"""Decodes image files to uint8 arrays."""

import io
import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from sr_jax.data import tiff
from sr_jax.errors import InputError

VERSION = 2
"""Changes when other pixels are decoded from a file, so that they are not taken from caches."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF")
"""Pillow's names for the formats with these suffixes. Of other formats, it reads some with fewer bits than the file has."""

TRANSPARENT = "has transparent pixels; flatten it onto a background first"
PNG_BITS = 24
"""Place of the byte in a PNG file that says how many bits a sample has."""

MAX_PIXELS = 2**28
"""A file that claims more pixels is refused before it is decoded: a few hundred bytes can claim all memory."""
PILImage.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own limit warns about images that we accept
warnings.filterwarnings("ignore", module=r"PIL\.")  # about metadata; an image that cannot be used gets an error


class Image(NamedTuple):
    """A decoded image, with pixels of shape (h, w, 1) for gray or (h, w, 3) for RGB."""

    name: str
    pixels: UInt8[np.ndarray, "h w c"]


class Bad(NamedTuple):
    """An image that cannot be used. The reason contains its name."""

    name: str
    reason: str


def decode_image(data: bytes, name: str) -> UInt8[np.ndarray, "h w c"]:
    """Decodes an image file of any usual format to uint8, with shape (h, w, 1) for gray and (h, w, 3) for RGB.

    The camera's orientation tag is applied, palettes are expanded, an opaque alpha channel is dropped, 12-bit and 16-bit gray
    is rounded to 8 bits, and CMYK is converted to sRGB with the colour profile in the file.

    Args:
      name: the image's name, for error messages.

    Raises:
      InputError: if this is not an image, is damaged, or cannot be read *properly*. That holds for transparent pixels, whose
        colour is undefined, CMYK without a profile, 16-bit colour, of which Pillow drops the low byte, samples that are signed
        or floating point, Lab, channels of unknown meaning, animations, and more than MAX_PIXELS.
    """
    try:
        return _decode(data)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except UnidentifiedImageError:
        kind = "a TIFF of a kind that Pillow cannot read" if data.startswith(tiff.MAGIC) else "not an image of a known kind"
        raise InputError(f"{name}: {kind}; give PNG, JPEG, WebP, BMP or TIFF, in 8-bit gray or RGB") from None
    except (PILImage.DecompressionBombError, PILImage.DecompressionBombWarning):
        raise InputError(f"{name}: claims more than the {MAX_PIXELS:,} pixels that are decoded at most") from None
    except Exception as error:  # Pillow's decoders raise exceptions of all kinds
        if "MAX_TEXT" in str(error):  # Pillow's limits for what is unpacked
            raise InputError(f"{name}: has more text or a larger colour profile than is unpacked; save it without") from None
        raise InputError(f"{name}: damaged image ({error})") from None


def _decode(data: bytes) -> np.ndarray:
    """Decodes an image. Messages of its InputErrors lack the image's name."""
    samples = tiff.check(data) if data.startswith(tiff.MAGIC) else tiff.Samples(bits=16, is_white_zero=False)
    with PILImage.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise InputError(f"claims {image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are decoded")
        if getattr(image, "is_animated", False) and image.format != "MPO":  # MPO: a camera's JPEG with a preview behind it
            raise InputError("an animation or a stack of at least 2 images; give one file for each image")
        if _is_16_bit_colour(image):
            raise InputError("16-bit colour is not supported; convert it to 8 bits")
        if image.format == "PNG" and image.mode == "L" and "transparency" in image.info:
            image.info["transparency"] *= 255 // (2 ** data[PNG_BITS] - 1)  # Pillow scales only the pixels to 8 bits
        image.load()
        return _to_uint8(ImageOps.exif_transpose(image), samples)


def _to_uint8(image: PILImage.Image, samples: tiff.Samples) -> np.ndarray:
    if image.mode.startswith("I;16"):
        return _gray_to_uint8(np.asarray(image).astype(np.uint32), samples, transparent=image.info.get("transparency"))
    if image.mode == "P" and np.asarray(image).max() >= len(image.getpalette() or ()) // 3:
        raise InputError("damaged image (its pixels have colours that its palette lacks)")
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode == "P":
        image = image.convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = image.convert("LA" if image.mode.startswith("L") else "RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise InputError(TRANSPARENT)
        image = image.convert(image.mode[:-1])
    if image.mode == "CMYK":
        image = _cmyk_to_srgb(image)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("L", "RGB"):
        raise InputError(f"colour mode {image.mode} is not supported; convert it to 8-bit gray or RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _gray_to_uint8(values: np.ndarray, samples: tiff.Samples, *, transparent: int | None) -> np.ndarray:
    """Rounds gray of more than 8 bits to 8 bits."""
    if transparent is not None and (values == transparent).any():
        raise InputError(TRANSPARENT)
    greatest = 2**samples.bits - 1
    if samples.is_white_zero:
        values = greatest - values
    return ((values * 255 + greatest // 2) // greatest).astype(np.uint8)[..., None]


def _is_16_bit_colour(image: PILImage.Image) -> bool:
    """Whether Pillow is about to read 16-bit colour as 8 bits. This can only be seen before the image is loaded."""
    if image.mode.startswith("I;16"):
        return False
    formats = [tile[3] if isinstance(tile[3], str) else tile[3][0] for tile in getattr(image, "tile", []) if tile[3]]
    return any(";16" in str(raw) for raw in formats)


def _cmyk_to_srgb(image: PILImage.Image) -> PILImage.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        raise InputError("CMYK without a colour profile has no defined colours; convert it to RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    try:
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError as error:
        raise InputError(f"its colour profile cannot be applied to CMYK ({error}); convert it to RGB") from None
    assert converted is not None
    return converted
