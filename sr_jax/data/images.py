"""Decodes image files to uint8 arrays."""

import io
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from sr_jax.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

MAX_PIXELS = 2**28
"""A file that claims more pixels is refused before it is decoded: a few hundred bytes can claim all memory."""
PILImage.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own limit warns about images that we accept


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

    The camera's orientation tag is applied, palettes are expanded, an opaque alpha channel is dropped, 16-bit gray is
    rounded to 8 bits, and CMYK is converted to sRGB with the colour profile in the file.

    Args:
      name: the image's name, for error messages.

    Raises:
      InputError: if this is not an image, is damaged, or cannot be read *properly*. That holds for transparent pixels, whose
        colour is undefined, CMYK without a profile, 16-bit colour, of which Pillow drops the low byte, floating point,
        animations, and more than MAX_PIXELS.
    """
    try:
        with PILImage.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _Unusable(f"claims {image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are decoded")
            if _is_16_bit_colour(image):
                raise _Unusable("16-bit colour is not supported; convert it to 8 bits")
            image.load()
            return _to_uint8(image)
    except UnidentifiedImageError:
        raise InputError(f"{name}: not an image that Pillow can read") from None
    except _Unusable as error:
        raise InputError(f"{name}: {error}") from None
    except (PILImage.DecompressionBombError, PILImage.DecompressionBombWarning):
        raise InputError(f"{name}: claims more than the {MAX_PIXELS:,} pixels that are decoded at most") from None
    except Exception as error:  # Pillow's decoders raise exceptions of all kinds
        raise InputError(f"{name}: damaged image ({error})") from None


class _Unusable(ValueError):
    pass


def _to_uint8(image: PILImage.Image) -> np.ndarray:
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # MPO: a camera's JPEG with a preview behind it
        raise _Unusable(f"an animation or stack of {getattr(image, 'n_frames', 0)} images; give one file for each image")
    image = ImageOps.exif_transpose(image)
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode == "P":
        image = image.convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = image.convert("LA" if image.mode.startswith("L") else "RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise _Unusable("has transparent pixels; flatten it onto a background first")
        image = image.convert(image.mode[:-1])
    if image.mode == "CMYK":
        image = _cmyk_to_srgb(image)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N") or (image.mode == "I" and image.format == "PNG"):
        wide = np.asarray(image).astype(np.uint32)
        return ((wide * 255 + 32767) // 65535).astype(np.uint8)[..., None]
    if image.mode not in ("L", "RGB"):
        raise _Unusable(f"colour mode {image.mode} is not supported; convert it to 8-bit gray or RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _is_16_bit_colour(image: PILImage.Image) -> bool:
    """Whether Pillow is about to read 16-bit colour as 8 bits. This can only be seen before the image is loaded."""
    formats = [tile[3] if isinstance(tile[3], str) else tile[3][0] for tile in getattr(image, "tile", []) if tile[3]]
    return image.mode in ("RGB", "RGBA") and any(";16" in str(raw) for raw in formats)


def _cmyk_to_srgb(image: PILImage.Image) -> PILImage.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        raise _Unusable("CMYK without a colour profile has no defined colours; convert it to RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    try:
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError as error:
        raise _Unusable(f"its colour profile cannot be applied to CMYK ({error}); convert it to RGB") from None
    assert converted is not None
    return converted
