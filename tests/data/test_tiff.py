"""TIFF files of all kinds, most of them written by tifffile."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from sr_jax.data.images import decode_image
from sr_jax.errors import InputError

WRITTEN = pytest.mark.parametrize("written", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=["strips", "zlib", "tiles"])
EACH_ORDER = pytest.mark.parametrize("order", ["<", ">"], ids=["II", "MM"])
OPAQUE = np.full((19, 23, 1), 255, np.uint8)


def tiff(pixels, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def by_hand(data: bytes, **tags: int | tuple[int, ...]) -> bytes:
    """A TIFF of one strip, with tags by their numbers: t256 is the width."""
    tags = {"t273": 8, "t279": len(data), **tags}
    start = 8 + len(data) + len(data) % 2
    entries, beyond = b"", b""
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"<{len(values)}H", *values)
        if len(packed) > 4:
            place = start + 6 + 12 * len(tags) + len(beyond)
            beyond, packed = beyond + packed, struct.pack("<I", place)
        entries += struct.pack("<HHI", int(tag[1:]), 3, len(values)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return struct.pack("<2sHI", b"II", 42, start) + data + bytes(len(data) % 2) + directory + beyond


def in_8_bits(values, greatest):
    return np.floor(values * (255 / greatest) + 0.5).astype(np.uint8)


@pytest.fixture
def rgb(rng) -> np.ndarray:
    return rng.integers(0, 256, (19, 23, 3), dtype=np.uint8)


@pytest.fixture
def gray16(rng) -> np.ndarray:
    return rng.integers(0, 2**16, (19, 23), dtype=np.uint16)


def refuse(data: bytes, reason: str):
    with pytest.raises(InputError, match=rf"^a\.tif: {reason}"):
        decode_image(data, "a.tif")


@EACH_ORDER
@WRITTEN
def test_8_bits(rgb, written, order):
    options = {"byteorder": order, **written}
    np.testing.assert_array_equal(decode_image(tiff(rgb, photometric="rgb", **options), "a"), rgb)
    planes = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    data = tiff(planes, photometric="rgb", planarconfig="separate", **options)
    np.testing.assert_array_equal(decode_image(data, "a"), rgb)
    gray = rgb[..., :1]
    np.testing.assert_array_equal(decode_image(tiff(gray[..., 0], photometric="minisblack", **options), "a"), gray)
    np.testing.assert_array_equal(decode_image(tiff(255 - gray[..., 0], photometric="miniswhite", **options), "a"), gray)


@EACH_ORDER
@WRITTEN
def test_16_bit_gray(gray16, written, order):
    expected = in_8_bits(gray16, 65535)
    data = tiff(gray16, photometric="minisblack", byteorder=order, **written)
    np.testing.assert_array_equal(decode_image(data, "a")[..., 0], expected)
    inverted = tiff(65535 - gray16, photometric="miniswhite", byteorder=order, **written)
    if order == "<":
        np.testing.assert_array_equal(decode_image(inverted, "a")[..., 0], expected)
    else:
        refuse(inverted, "a TIFF of a kind that Pillow cannot read; give PNG, JPEG")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12])
@pytest.mark.parametrize("width", [7, 8])
def test_few_bits(rng, bits, width):
    """Samples are packed, the highest bit first, and each row begins with a byte of its own."""
    values = rng.integers(0, 2**bits, (5, width))
    values[0, 0] = 2**bits - 1
    packed = np.packbits((values[..., None] >> np.arange(bits)[::-1]).reshape(5, -1) & 1, axis=1).tobytes()
    expected = in_8_bits(values, 2**bits - 1)
    size = {"t256": width, "t257": 5, "t258": bits}
    np.testing.assert_array_equal(decode_image(by_hand(packed, **size, t262=1), "a")[..., 0], expected)
    if bits == 12:
        refuse(by_hand(packed, **size, t262=0), "a TIFF of a kind that Pillow cannot read")
        return
    np.testing.assert_array_equal(decode_image(by_hand(packed, **size, t262=0), "a")[..., 0], 255 - expected)
    palette = rng.integers(0, 256, (2**bits, 3))
    colour_map = tuple((257 * palette.T).ravel().tolist())
    np.testing.assert_array_equal(decode_image(by_hand(packed, **size, t262=3, t320=colour_map), "a"), palette[values])
    colour_map = tuple(palette.T.ravel().tolist())
    refuse(by_hand(packed, **size, t262=3, t320=colour_map), "the colours of its palette are all below 256 of 65,535")


@EACH_ORDER
@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.float16, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("channels", [1, 3])
def test_only_unsigned_integers_are_read(rgb, kind, channels, order):
    pixels = rgb.astype(kind) if channels == 3 else rgb[..., 0].astype(kind)
    name = {"i": "signed", "f": "floating-point", "c": "complex"}[np.dtype(kind).kind]
    data = tiff(pixels, photometric="rgb" if channels == 3 else "minisblack", byteorder=order)
    refuse(data, f"its samples are {name}, not unsigned integers; convert it to 8-bit gray or RGB")


@EACH_ORDER
def test_more_bits_are_refused(rgb, order):
    deep = rgb.astype(np.uint16) * 257
    refuse(tiff(deep, photometric="rgb", byteorder=order), "16-bit colour is not supported; convert it to 8 bits")
    planes = np.ascontiguousarray(np.moveaxis(deep, 2, 0))
    refuse(tiff(planes, photometric="rgb", planarconfig="separate", byteorder=order), "16-bit colour is not supported")
    refuse(tiff(deep[..., 0].astype(np.uint32), photometric="minisblack", byteorder=order), "32-bit gray is not supported")
    cmyk = np.dstack([deep, deep[..., :1]])
    refuse(tiff(cmyk, photometric="separated", byteorder=order), "16-bit colour is not supported")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
def test_alpha(rgb, alpha, channels):
    options = {"photometric": "rgb" if channels == 3 else "minisblack", "planarconfig": "contig", "extrasamples": [alpha]}
    colours = rgb[..., :channels]
    np.testing.assert_array_equal(decode_image(tiff(np.dstack([colours, OPAQUE]), **options), "a"), colours)
    refuse(tiff(np.dstack([colours, OPAQUE - 1]), **options), "has transparent pixels")


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_of_unknown_meaning_are_refused(rgb, channels):
    pixels = np.dstack([rgb[..., :channels], OPAQUE])
    photometric = "rgb" if channels == 3 else "minisblack"
    data = tiff(pixels, photometric=photometric, planarconfig="contig", extrasamples=["unspecified"])
    refuse(data, f"has {channels + 1} channels, and it is unknown what those after {channels} mean; keep only the colours")


@pytest.mark.parametrize(
    ("photometric", "reason"),
    [
        ("cielab", "CIELab colour is not supported; convert it to 8-bit gray or RGB"),
        ("ycbcr", "YCbCr colour is supported only with JPEG compression; convert it to RGB"),
    ],
)
@WRITTEN
def test_other_colours_are_refused(rgb, photometric, reason, written):
    refuse(tiff(rgb, photometric=photometric, **written), reason)


def test_what_does_not_say_whether_0_is_black_is_refused():
    refuse(by_hand(bytes(4), t256=2, t257=2, t258=8), "does not say what its values mean")


def test_jpeg_compression(rng):
    """Its colours are YCbCr, which libtiff converts to RGB."""
    smooth = Image.fromarray(rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)).resize((48, 48))
    stream = io.BytesIO()
    smooth.convert("YCbCr").save(stream, "TIFF", compression="jpeg", quality=100)
    assert np.abs(decode_image(stream.getvalue(), "a").astype(int) - np.asarray(smooth)).max() < 10


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation(gray16, turn):
    """Tag 274 says where the first row and column lie (TIFF 6.0, page 36)."""
    upright = gray16
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[turn]
    data = tiff(np.ascontiguousarray(stored), photometric="minisblack", extratags=[(274, 3, 1, turn, True)])
    np.testing.assert_array_equal(decode_image(data, "a")[..., 0], in_8_bits(upright, 65535))


def test_rows_without_a_strip_are_refused():
    """Pillow would leave them black, and some hundred bytes could claim gigabytes of them."""
    data = by_hand(bytes(4), t256=2, t257=2, t258=8, t262=1, t278=2)
    assert decode_image(data, "a").shape == (2, 2, 1)
    refuse(by_hand(bytes(4), t256=2, t257=60_000, t258=8, t262=1, t278=2), r"damaged image \(it has 1 of 30,000 strips\)")


def test_big_tiff(rgb):
    np.testing.assert_array_equal(decode_image(tiff(rgb, photometric="rgb", bigtiff=True), "a"), rgb)
    refuse(tiff(rgb, photometric="rgb", bigtiff=True, byteorder=">"), "a BigTIFF with the high byte first is not supported")
