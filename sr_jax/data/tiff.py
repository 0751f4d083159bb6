"""Reads the header of a TIFF file, because Pillow decodes some kinds of TIFF wrongly without an error."""

import io
from typing import NamedTuple

from PIL.TiffImagePlugin import COMPRESSION_INFO, ImageFileDirectory_v2

from sr_jax.errors import InputError

BIG, BIG_ENDIAN_BIG = b"II+\0", b"MM\0+"
MAGIC = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", BIG, BIG_ENDIAN_BIG)
"""How TIFF files begin: ordinary ones, ordinary ones with a common mistake, and BigTIFF."""

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIPS, SAMPLES, ROWS_PER_STRIP, PLANES = 273, 277, 278, 284
COLOUR_MAP, TILE_WIDTH, TILE_LENGTH, TILES, EXTRA_SAMPLES, SAMPLE_FORMAT = 320, 322, 323, 324, 338, 339
"""Numbers of tags (TIFF 6.0 of 1992, section 8 and appendix A)."""

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
"""Maps each PhotometricInterpretation that can be read to its number of channels without alpha."""
DEPTHS = {
    **dict.fromkeys((WHITE_IS_ZERO, BLACK_IS_ZERO), (1, 2, 4, 8, 12, 16)),
    PALETTE: (1, 2, 4, 8),
    **dict.fromkeys((RGB, CMYK, YCBCR), (8,)),
}
"""Bits of a sample that can be read."""
OTHER_COLOURS = {4: "a transparency mask", 8: "CIELab colour", 9: "ICCLab colour", 10: "ITULab colour", 32844: "LogL gray",
                 32845: "LogLuv colour", 32803: "a camera's raw mosaic", 34892: "a camera's linear raw colour"}  # fmt: skip
OTHER_FORMATS = {2: "signed", 3: "floating-point", 4: "untyped", 5: "complex", 6: "complex"}
JPEG_OLD, JPEG = 6, 7
ALPHA = (1, 2)
"""Values of ExtraSamples that mean alpha, multiplied into the colours or not. Its value 0 means anything."""


class Samples(NamedTuple):
    """What Pillow does not take from the header of a gray TIFF."""

    bits: int
    is_white_zero: bool


def check(data: bytes) -> Samples:
    """Checks that Pillow decodes this kind of TIFF properly.

    Raises:
      InputError: saying what is not supported, without the file's name.
    """
    tags = _first_directory(data)
    if WIDTH not in tags:
        raise InputError("damaged image (its header is missing or cut short)")
    if PHOTOMETRIC not in tags:
        raise InputError("does not say what its values mean (it has no PhotometricInterpretation); save it as gray or RGB")
    photometric = _value(tags, PHOTOMETRIC, 0)
    if photometric not in COLOURS:
        kind = OTHER_COLOURS.get(photometric, f"the PhotometricInterpretation {photometric}")
        raise InputError(f"{kind} is not supported; convert it to 8-bit gray or RGB")
    for value in _values(tags, SAMPLE_FORMAT, (1,)):
        if value != 1:
            kind = OTHER_FORMATS.get(value, f"unknown (SampleFormat {value})")
            raise InputError(f"its samples are {kind}, not unsigned integers; convert it to 8-bit gray or RGB")
    bits = _bits(tags, photometric)
    _check_storage(tags, photometric, bits)
    if photometric == PALETTE and max(_values(tags, COLOUR_MAP, (0,))) < 256:
        raise InputError("the colours of its palette are all below 256 of 65,535, as if in 8 bits; convert it to RGB")
    return Samples(bits, photometric == WHITE_IS_ZERO)


def _bits(tags: ImageFileDirectory_v2, photometric: int) -> int:
    """Bits of each sample."""
    depths = {*_values(tags, BITS, (1,))}
    if len(depths) != 1:
        raise InputError(f"its channels have {' and '.join(map(str, sorted(depths)))} bits; convert it to 8 bits")
    (bits,) = depths
    if bits not in DEPTHS[photometric]:
        kind = "gray" if COLOURS[photometric] == 1 and photometric != PALETTE else "colour"
        raise InputError(f"{bits}-bit {kind} is not supported; convert it to 8 bits")
    return bits


def _check_storage(tags: ImageFileDirectory_v2, photometric: int, bits: int) -> None:
    """Checks compression, alpha and other channels, and planes."""
    compression = _value(tags, COMPRESSION, 1)
    if compression not in COMPRESSION_INFO:
        raise InputError(f"its compression {compression} is not supported; save it with LZW, Deflate or none")
    is_jpeg = compression in (JPEG_OLD, JPEG)
    if photometric == YCBCR and not is_jpeg:
        raise InputError("YCbCr colour is supported only with JPEG compression; convert it to RGB")
    if is_jpeg and bits != 8:
        raise InputError(f"JPEG compression of {bits}-bit samples is not supported; convert it to 8 bits")
    channels, expected = _value(tags, SAMPLES, 3 if compression == JPEG_OLD else 1), COLOURS[photometric]
    if channels < expected:
        raise InputError(f"damaged image ({channels} channels where its colours need {expected})")
    extra = _values(tags, EXTRA_SAMPLES, (ALPHA[-1],) if photometric == RGB else (0,)) if channels > expected else ()
    if channels - expected > 1 or any(kind not in ALPHA for kind in extra):
        raise InputError(f"has {channels} channels, and it is unknown what those after {expected} mean; keep only the colours")
    planes = channels if _value(tags, PLANES, 1) == 2 else 1
    if planes > 1 and extra:
        raise InputError("alpha in a plane of its own is not supported; save it without alpha")
    _check_pieces(tags, planes)


def _check_pieces(tags: ImageFileDirectory_v2, planes: int) -> None:
    """Checks that strips or tiles cover the image, because Pillow leaves the rest black."""
    width, length = _value(tags, WIDTH, 0), _value(tags, LENGTH, 0)
    if STRIPS in tags:
        kind, tag, across, down = "strips", STRIPS, width, min(_value(tags, ROWS_PER_STRIP, length), length)
    else:
        kind, tag, across, down = "tiles", TILES, _value(tags, TILE_WIDTH, 0), _value(tags, TILE_LENGTH, 0)
    if min(width, length, across, down) < 1:
        raise InputError(f"damaged image ({width}x{length} pixels in {kind} of {across}x{down})")
    needed, count = planes * -(-width // across) * -(-length // down), len(_values(tags, tag, (0,)))
    if count < needed:
        raise InputError(f"damaged image (it has {count:,} of {needed:,} {kind})")


def _first_directory(data: bytes) -> ImageFileDirectory_v2:
    if data.startswith(BIG_ENDIAN_BIG):
        raise InputError("a BigTIFF with the high byte first is not supported; save it as an ordinary TIFF")
    file = io.BytesIO(data)
    tags = ImageFileDirectory_v2(file.read(16 if data.startswith(BIG) else 8))
    file.seek(tags.next)
    tags.load(file)
    return tags


def _value(tags: ImageFileDirectory_v2, tag: int, default: int) -> int:
    return _values(tags, tag, (default,))[0]


def _values(tags: ImageFileDirectory_v2, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """The values of a tag. Pillow does not wrap a value that should stand by itself."""
    value = tags.get(tag, default)
    values = value if isinstance(value, tuple) else (value,)
    if not values or not all(isinstance(value, int) for value in values):
        raise InputError(f"damaged image (its tag {tag} holds no integers)")
    return values
