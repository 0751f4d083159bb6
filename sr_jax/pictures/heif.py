"""Reads and writes HEIF by pillow-heif, which the extra `heif` installs: 8, 10 and 12 bits."""

import importlib.util
import io
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Num

from sr_jax.errors import InputError
from sr_jax.pictures import exif
from sr_jax.pictures.picture import GRAY, RGB, File, Header, Metadata, Picture

NEEDS = "HEIF needs the package pillow-heif; install it with pip install -e '.[heif]'"
BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
MODES = {"L": (GRAY, 1, False), "I": (GRAY, 1, False), "LA": (GRAY, 1, True), "RGB": (RGB, 3, False), "RGBA": (RGB, 3, True)}
"""For each mode of pillow-heif, the space, the number of channels without opacity, and whether it has opacity."""
QUALITY = 90
SRGB = ((1, 2), (2, 13, 1, 6))
"""Colour primaries and transfer characteristics that are shown as sRGB, or mean nothing (ITU-T H.273)."""
COLOURS = "nclx"
"""The name of the part that holds other ones."""
PNG_COLOURS = "cICP"
"""The chunk of PNG that says the same."""


def is_there() -> bool:
    """Returns whether the package is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def is_heif(start: bytes) -> bool:
    """Returns whether a file is HEIF by its first 64 bytes. AVIF, which has the same structure, is another format."""
    if start[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(start[:4], "big"), len(start))
    brands = {start[8:12], *(start[i : i + 4] for i in range(16, end - 3, 4))}
    return bool(brands & BRANDS) and not brands & AVIF_BRANDS


def read_header(file: File) -> Header:
    """Reads what is known of a picture before it is decoded. The errors lack its name."""
    return _header(_opened(file))


def decode(file: File) -> Picture:
    """Decodes the main picture of a file. libheif applies its orientation. The errors lack its name."""
    opened = _opened(file)
    header = _header(opened)
    samples = np.asarray(opened)
    samples = samples[:, : header.width, None] if samples.ndim == 2 else samples[:, : header.width]
    if samples.shape != (header.height, header.width, header.channels + header.has_alpha):
        raise InputError("is damaged")
    if opened.premultiplied_alpha:
        raise InputError("its colours are multiplied by their opacity, which is not supported; save it as PNG")
    if header.dtype == "uint16":
        greatest = 2 ** int(opened.mode.partition(";")[2]) - 1
        samples = ((samples.astype(np.uint32) * 65535 + greatest // 2) // greatest).astype(np.uint16)
    info = opened.info
    colours = info.get("nclx_profile") or {}
    kept = (colours.get("color_primaries", 2), colours.get("transfer_characteristics", 2))
    rest = () if all(one in ours for one, ours in zip(kept, SRGB, strict=True)) else ((COLOURS, bytes(kept)),)
    blob = info.get("exif")
    metadata = Metadata(
        icc=info.get("icc_profile") or None,
        exif=blob.removeprefix(exif.PREFIX) if blob else None,
        xmp=info.get("xmp") or None,
        rest=rest,
    )
    alpha = np.ascontiguousarray(samples[..., -1:]) if header.has_alpha else None
    return Picture(np.ascontiguousarray(samples[..., : header.channels]), alpha, header.space, metadata, "heif")


def encode(picture: Picture, name: str, quality: int | None) -> bytes:
    """Returns a file. 16 bits become 10."""
    del name
    pixels: Num[np.ndarray, "h w c"] = picture.to_array()
    if pixels.shape[-1] == 2:
        pixels = np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], -1)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[pixels.shape[-1]]
    if pixels.dtype == np.uint16:
        mode += ";16"
        pixels = (((pixels.astype(np.uint32) * 1023 + 32767) // 65535) << 6).astype(np.uint16)
    package = _package()
    made = package.from_bytes(mode, (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
    metadata = picture.metadata
    options: dict[str, Any] = {"quality": quality or QUALITY}
    options |= {"icc_profile": metadata.icc} if metadata.icc else {}
    options |= {"exif": exif.PREFIX + metadata.exif} if metadata.exif else {}
    options |= {"xmp": metadata.xmp} if metadata.xmp else {}
    if colours := dict(metadata.rest).get({"heif": COLOURS, "png": PNG_COLOURS}.get(picture.format, "")):
        matrix = {"matrix_coefficients": 6, "full_range_flag": 1}
        options |= {"color_primaries": colours[0], "transfer_characteristics": colours[1], **matrix}
    file = io.BytesIO()
    made.save(file, **options)
    return file.getvalue()


def _header(opened: Any) -> Header:
    mode, _, bits = opened.mode.partition(";")
    if mode.upper() not in MODES:
        raise InputError(f"its colour mode {opened.mode} is not supported; save it as gray or RGB")
    space, channels, has_alpha = MODES[mode.upper()]
    width, height = opened.size
    return Header("heif", height, width, channels, "uint16" if bits else "uint8", space, has_alpha)


def _opened(file: File) -> Any:
    file.seek(0)
    return _package().open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)


def _package() -> ModuleType:
    try:
        import pillow_heif
    except ImportError:
        raise InputError(NEEDS) from None
    return pillow_heif
