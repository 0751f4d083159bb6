"""Reads TIFF files: gray, RGB, CMYK and any number of channels, of 1 to 16 bits or in floating point."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tifffile

from sr_jax.errors import InputError
from sr_jax.pictures import directories, exif
from sr_jax.pictures.picture import CHANNELS, CMYK, GRAY, RGB, File, Header, Metadata, Picture, divided

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF and BigTIFF files begin."""

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, XMP, ICC = 274, 282, 283, 296, 700, 34675
TEXTS = (270, 271, 272, 305, 306, 315, 316, 33432)
"""Description, make, model, software, date, artist, computer and copyright (TIFF 6.0, section 8)."""
SUBFILE_TYPE = 254
"""Says whether this is a page of several, a mask, or a smaller version (TIFF 6.0, section 8)."""
PHOTOMETRIC, COLOUR_MAP, EXTRA_SAMPLES = 262, 320, 338
CENTIMETRE = 3
MULTIPLIED, ALPHA = 1, 2
"""Values of ExtraSamples for opacity that multiplies the colours, and that does not."""
WHITE_IS_ZERO, BLACK_IS_ZERO, COLOUR, PALETTE, INKS, YCBCR = 0, 1, 2, 3, 5, 6
COLOURS = {WHITE_IS_ZERO: (GRAY, 1), BLACK_IS_ZERO: (GRAY, 1), COLOUR: (RGB, 3), PALETTE: (RGB, 1), INKS: (CMYK, 4),
           YCBCR: (RGB, 3)}  # fmt: skip
"""For each PhotometricInterpretation that can be read, what it is decoded to, and its number of channels without others."""


logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it notes about damaged files is in our errors


class Layout(NamedTuple):
    """How the samples of a TIFF lie."""

    photometric: int
    colours: int
    alpha: int | None
    """The value of ExtraSamples that means opacity; None without it."""
    header: Header
    bits: int
    orientation: int


def read_header(file: File) -> Header:
    """Reads what is known of a picture, and of all its pages, before it is decoded. The errors lack its name."""
    with tifffile.TiffFile(file) as tiff:
        pages = _pages(tiff, file)
        headers = tuple(_layout_of(pages, i, file).header for i in range(len(pages)))
    return headers[0] if len(headers) == 1 else headers[0]._replace(pages=headers)


def decode_all(file: File) -> Iterator[Picture]:
    """Decodes the pages one after another, and applies their orientation. The errors lack the name of the file."""
    with tifffile.TiffFile(file) as tiff:
        pages = _pages(tiff, file)
        for i, page in enumerate(pages):
            with _of_page(i, len(pages)):
                picture = _decode(page, file)
            yield picture


def _decode(page: Any, file: File) -> Picture:
    layout = layout_of(page, file)
    samples = page.asarray()
    samples = samples.reshape(-1, *samples.shape[-2:]) if page.planarconfig == 2 and page.samplesperpixel > 1 else samples
    samples = np.moveaxis(samples, 0, -1) if page.planarconfig == 2 and page.samplesperpixel > 1 else samples
    samples = samples.reshape(page.imagelength, page.imagewidth, -1)
    pixels, alpha = interpret(samples, layout, page)
    turned = exif.turn_both(pixels, alpha, layout.orientation)
    return Picture(*turned, layout.header.space, metadata_of(page, file), "tiff")


def only_page(tiff: tifffile.TiffFile, file: File) -> Any:
    """Returns the only page of full size."""
    pages = _pages(tiff, file)
    if len(pages) > 1:
        raise InputError(f"holds {len(pages)} pages; save them as single pictures")
    return pages[0]


def _pages(tiff: tifffile.TiffFile, file: File) -> list[Any]:
    """The pages of full size. Smaller versions of them may follow."""
    pages: list[Any] = list(tiff.pages)
    if not pages:
        raise InputError("is damaged (it has no picture)")
    place = file.tell()
    try:
        directories.check_chain(file)
    except ValueError as error:
        raise InputError(f"is damaged ({error})") from None
    file.seek(place)
    return [page for page in pages if not page.is_reduced] or pages[:1]


def _layout_of(pages: list[Any], i: int, file: File) -> Layout:
    with _of_page(i, len(pages)):
        return layout_of(pages[i], file)


@contextlib.contextmanager
def _of_page(i: int, count: int) -> Iterator[None]:
    """Names the page in errors, if there are several."""
    try:
        yield
    except InputError as error:
        raise InputError(f"page {i + 1} of {count} {error}" if count > 1 else str(error)) from None


def layout_of(page: Any, file: File) -> Layout:
    """How the samples of a page lie. What cannot be read is refused."""
    if PHOTOMETRIC not in page.tags:
        raise InputError("does not say what its values mean (it has no PhotometricInterpretation); save it as gray or RGB")
    photometric = int(page.tags[PHOTOMETRIC].value)
    if photometric not in COLOURS:
        raise InputError(f"its colours (PhotometricInterpretation {photometric}) are not supported; save it as gray or RGB")
    if page.imagedepth > 1:
        raise InputError("is a volume, which cannot be enlarged; save its slices as single pictures")
    space, colours = COLOURS[photometric]
    channels = page.samplesperpixel
    if channels < colours or min(page.imagelength, page.imagewidth) < 1:
        raise InputError("is damaged (it has no pixels, or too few channels)")
    extra = tuple(map(int, page.extrasamples))
    alpha = next((kind for kind in extra[:1] if kind in (MULTIPLIED, ALPHA)), None) if channels == colours + 1 else None
    if channels > colours + (alpha is not None):
        space, colours = CHANNELS, channels
    kept = 3 if photometric == PALETTE and space == RGB else colours
    bits = page.bitspersample
    dtype = _dtype(page, bits, photometric)
    _check_pieces(page, file)
    value = page.tags[ORIENTATION].value if ORIENTATION in page.tags else 1
    orientation = value if isinstance(value, int) and 1 <= value <= 8 else 1
    height, width = page.imagelength, page.imagewidth
    if orientation > 4:
        height, width = width, height
    header = Header("tiff", height, width, kept, dtype, space, alpha is not None)
    return Layout(photometric, colours, alpha, header, bits, orientation)


def _dtype(page: Any, bits: Any, photometric: int) -> str:
    """The type of the samples after decoding."""
    kind = page.dtype.kind if page.dtype is not None else "?"
    if kind == "f" and photometric in (BLACK_IS_ZERO, COLOUR, INKS):
        return "float32"
    if kind == "b" or (kind == "u" and isinstance(bits, int) and bits <= 16):
        if photometric == PALETTE:
            return "uint8" if bits <= 8 else "none"
        return "uint8" if bits <= 8 else "uint16"
    raise InputError(f"its samples are {page.dtype}, which is not supported; save it with 8 or 16 bits or as float32")


def _check_pieces(page: Any, file: File) -> None:
    """Checks that strips or tiles cover the picture and lie within the file, because missing ones are decoded as black."""
    place = file.tell()
    size = file.seek(0, 2)
    file.seek(place)
    expected = int(np.prod(page.chunked, dtype=np.int64))
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    is_contiguous = len(pieces) == 1 and page.compression == 1  # one piece holds what several strips should
    if len(pieces) < expected and not is_contiguous:
        raise InputError(f"is damaged (it has {len(pieces):,} of {expected:,} strips or tiles)")
    if any(count < 1 or offset + count > size for offset, count in pieces):
        raise InputError("is damaged (its pixels are cut short)")


def interpret(samples: np.ndarray, layout: Layout, page: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours and opacity of some rows of a page, whose samples (h w c) are as in the file."""
    return _split(_with_full_range(samples, layout, page), layout)


def _with_full_range(samples: np.ndarray, layout: Layout, page: Any) -> np.ndarray:
    """The samples with the full range of their type; white is not zero."""
    if layout.photometric == PALETTE:
        colours = np.asarray(page.colormap)  # (3, entries), of 16 bits
        return (colours >> 8).astype(np.uint8).T[samples[..., 0]]
    if layout.header.dtype == "float32":
        values = samples.astype(np.float32)
        if not np.isfinite(values).all():
            raise InputError("has values that are not finite")
        return values
    full, greatest = np.iinfo(layout.header.dtype).max, 2**layout.bits - 1
    if greatest != full:
        samples = (samples.astype(np.uint32) * full + greatest // 2) // greatest
    samples = samples.astype(layout.header.dtype)
    return full - samples if layout.photometric == WHITE_IS_ZERO and layout.header.space == GRAY else samples


def _split(samples: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours and opacity. Colours that the opacity multiplies are divided by it."""
    if layout.alpha is None:
        return np.ascontiguousarray(samples), None
    colours, alpha = divided(samples)
    if layout.alpha == MULTIPLIED:
        greatest = 1.0 if colours.dtype.kind == "f" else float(np.iinfo(colours.dtype).max)
        with np.errstate(divide="ignore", invalid="ignore"):
            straight = np.where(alpha > 0, colours * (greatest / alpha), 0)
        straight = straight if colours.dtype.kind == "f" else np.floor(np.clip(straight, 0, greatest) + 0.5)
        colours = straight.astype(colours.dtype)
    return colours, alpha


def metadata_of(page: Any, file: File) -> Metadata:
    """What a page says beside its samples."""
    tags = page.tags

    def data(tag: int) -> bytes | None:
        value = tags[tag].value if tag in tags else None
        return bytes(value) if isinstance(value, bytes | tuple | np.ndarray) and len(value) else None

    texts = [(str(tag), str(tags[tag].value).encode()) for tag in TEXTS if tag in tags and tags[tag].value]
    if page.subfiletype:
        texts.append((str(SUBFILE_TYPE), str(int(page.subfiletype)).encode()))
    place = file.tell()
    try:
        blob = directories.to_blob(directories.read(file, page.offset))
    except directories.DAMAGED:  # damaged metadata
        blob = None
    file.seek(place)
    return Metadata(icc=data(ICC), exif=blob, xmp=data(XMP), dpi=_dpi(tags), rest=tuple(texts))


def _dpi(tags: Any) -> tuple[float, float] | None:
    if X_RESOLUTION not in tags or Y_RESOLUTION not in tags:
        return None
    unit = int(tags[RESOLUTION_UNIT].value) if RESOLUTION_UNIT in tags else 2
    values = [tags[tag].value for tag in (X_RESOLUTION, Y_RESOLUTION)]
    if unit == 1 or not all(isinstance(value, tuple) and len(value) == 2 and value[1] for value in values):
        return None
    factor = 2.54 if unit == CENTIMETRE else 1.0
    across, down = (value[0] / value[1] * factor for value in values)
    return across, down
