"""What the file of a result says beside its samples: what its input said, put right, and what made it."""

import io
import json
import mmap
import re
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image as PILImage
from PIL import ImageCms

from sr_jax.errors import InputError
from sr_jax.pictures import exif
from sr_jax.pictures.picture import CMYK, GRAY, RGB, Metadata, Picture

NAMESPACE = "urn:sr_jax:1.0:"
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
"""An XMP packet without content (XMP specification, part 1, section 7.3)."""
END = "</rdf:RDF>"
COLOUR_CHUNKS = ("gAMA", "cHRM", "sRGB", "cICP", "mDCV", "cLLI")
"""Chunks of PNG that describe colours, as a profile does."""
WIDTHS, HEIGHTS = ("tiff:ImageWidth", "exif:PixelXDimension"), ("tiff:ImageLength", "exif:PixelYDimension")


def of_result(metadata: Metadata, *, size: tuple[int, int], made_by: dict[str, Any], strip: bool) -> Metadata:
    """Returns the metadata of a result.

    Args:
      metadata: those of its input.
      size: height and width of the result [pixels].
      made_by: what made it, as plain data.
      strip: whether only the colour profile is kept.
    """
    if strip:
        return Metadata(icc=metadata.icc)
    blob = exif.enlarged(metadata.exif, size=size) if metadata.exif else None
    return metadata._replace(exif=blob, xmp=_stamped(_resized(metadata.xmp, size), made_by))


def read_stamp(xmp: bytes | mmap.mmap) -> dict[str, Any] | None:
    """Returns what made a picture, as `of_result` wrote it into its XMP; None if this command did not make it.

    Args:
      xmp: the packet, or the file that holds it.
    """
    match = re.search(rb"""sr_jax:made_by=(["'])(.*?)\1""", xmp, re.DOTALL)
    if not match:
        return None
    text = match[2].decode()
    for entity, letter in (("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, letter)
    return json.loads(text)


def to_srgb(picture: Picture) -> Picture:
    """Converts the colours of a picture with its profile to sRGB. A picture without a profile is taken as sRGB.

    Raises:
      InputError: if there is no way to do this.
    """
    profile = picture.metadata.icc
    if profile is None:
        if picture.space == CMYK:
            raise InputError("has CMYK colours without a profile, so they are not defined; convert it to RGB")
        return picture
    if picture.pixels.dtype != np.uint8:
        raise InputError("--to_srgb converts 8-bit colours only; leave it out, or convert the picture before")
    mode = {1: "L", 3: "RGB", 4: "CMYK"}.get(picture.pixels.shape[-1], "")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = PILImage.fromarray(picture.pixels.squeeze(-1) if mode == "L" else picture.pixels, mode=mode)
        out = "L" if picture.space == GRAY else "RGB"
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=out)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise InputError(f"its colour profile cannot be applied ({error}); leave out --to_srgb") from None
    pixels = np.asarray(converted)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    space = RGB if pixels.shape[-1] == 3 else picture.space
    rest = tuple(part for part in picture.metadata.rest if part[0] not in COLOUR_CHUNKS)
    return picture._replace(pixels=pixels, space=space, metadata=picture.metadata._replace(icc=None, rest=rest))


def _resized(xmp: bytes | None, size: tuple[int, int]) -> str:
    """The packet with the orientation applied and the sizes put right; one without content if there is none."""
    text = (xmp or b"").decode("utf-8", errors="replace").rstrip("\0")
    if END not in text:
        return PACKET
    height, width = size
    values = {"tiff:Orientation": 1, **dict.fromkeys(WIDTHS, width), **dict.fromkeys(HEIGHTS, height)}
    for name, value in values.items():
        text = re.sub(rf"""({name}=["'])\d+(["'])""", rf"\g<1>{value}\2", text)
        text = re.sub(rf"(<{name}>)\d+(</{name}>)", rf"\g<1>{value}\2", text)
    return text


def _stamped(text: str, made_by: dict[str, Any]) -> bytes:
    """The packet with what made the picture. What an earlier enlargement wrote is replaced."""
    text = re.sub(r"<rdf:Description [^>]*xmlns:sr_jax=[^>]*/>", "", text)
    value = quoteattr(json.dumps(made_by, sort_keys=True), {'"': "&quot;"})
    stamp = f'<rdf:Description rdf:about="" xmlns:sr_jax="{NAMESPACE}" sr_jax:made_by={value}/>'
    head, end, tail = text.rpartition(END)
    return "".join([head, stamp, end, tail]).encode()
