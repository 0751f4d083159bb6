import contextlib
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

from sr_jax.data.images import decode_image
from sr_jax.errors import InputError


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(samples: np.ndarray, bits: int, *more: tuple[bytes, bytes], kind: int) -> bytes:
    """A PNG written by hand, because Pillow cannot write all kinds. `more` are chunks before the pixels."""
    h, w = samples.shape[:2]
    bytes_of_rows = [np.packbits(_bits(row, bits)).tobytes() for row in samples.reshape(h, -1)]
    header = struct.pack(">IIBBBBB", w, h, bits, kind, 0, 0, 0)
    return chunked((b"IHDR", header), *more, (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in bytes_of_rows))))


def _bits(values: np.ndarray, count: int) -> np.ndarray:
    """The bits of values, the highest first."""
    return (values[:, None].astype(np.int64) >> np.arange(count)[::-1]) & 1


def chunked(*chunks: tuple[bytes, bytes]) -> bytes:
    chunks = (*chunks, (b"IEND", b""))
    packed = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


GRAY, COLOUR, INDEXED, GRAY_ALPHA = 0, 2, 3, 4  # kinds of PNG


@pytest.fixture
def rgb(rng) -> np.ndarray:
    return rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)


def test_rgb_and_gray(rgb):
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(rgb)), "a"), rgb)
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(rgb[..., 0])), "a"), rgb[..., :1])


def test_opaque_alpha_is_dropped(rgb):
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(rgba)), "a"), rgb)
    gray_alpha = Image.merge("LA", [Image.fromarray(rgb[..., 0]), Image.new("L", (7, 9), 255)])
    np.testing.assert_array_equal(decode_image(encoded(gray_alpha), "a"), rgb[..., :1])


def test_transparency_is_refused(rgb):
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 254, np.uint8)])
    with pytest.raises(InputError, match=r"b\.png: has transparent pixels"):
        decode_image(encoded(Image.fromarray(rgba)), "b.png")


def test_palette_is_expanded(rgb):
    palette = Image.fromarray(rgb).quantize(16)
    np.testing.assert_array_equal(decode_image(encoded(palette), "a"), np.asarray(palette.convert("RGB")))


def test_palette_with_transparent_entry_is_refused(rgb):
    palette = Image.fromarray(rgb).quantize(16)
    used = int(np.asarray(palette)[0, 0])
    with pytest.raises(InputError, match="transparent"):
        decode_image(encoded(palette, transparency=used), "a")


def test_one_bit():
    bits = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(bits)), "a")[..., 0], [[255, 0], [0, 255]])


def test_16_bit_gray_is_rounded():
    values = np.array([[0, 128, 129, 257, 65535]], np.uint16)  # 257 is one step of 8 bits
    np.testing.assert_array_equal(decode_image(png(values, 16, kind=GRAY), "a")[0, :, 0], [0, 0, 1, 1, 255])


def test_16_bit_colour_is_refused(rng):
    with pytest.raises(InputError, match=r"deep\.png: 16-bit colour"):
        decode_image(png(rng.integers(0, 2**16, (4, 4, 3)), 16, kind=COLOUR), "deep.png")
    gray_alpha = np.dstack([rng.integers(0, 2**16, (4, 4)), np.full((4, 4), 65535)])
    with pytest.raises(InputError, match=r"deep\.png: 16-bit colour"):
        decode_image(png(gray_alpha, 16, kind=GRAY_ALPHA), "deep.png")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_few_bits_are_scaled_to_eight(rng, bits):
    values = rng.integers(0, 2**bits, (5, 7))
    np.testing.assert_array_equal(decode_image(png(values, bits, kind=GRAY), "a")[..., 0], values * (255 // (2**bits - 1)))
    palette = rng.integers(0, 256, (2**bits, 3), dtype=np.uint8)
    indexed = png(values, bits, (b"PLTE", palette.tobytes()), kind=INDEXED)
    np.testing.assert_array_equal(decode_image(indexed, "a"), palette[values])


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_one_gray_that_means_transparent(bits):
    """It is given in the file's own bits, and Pillow converts it only for 1 bit."""
    values = np.array([[0, 2**bits - 1]])
    for transparent in (0, 2**bits - 1):
        with pytest.raises(InputError, match="transparent"):
            decode_image(png(values, bits, (b"tRNS", struct.pack(">H", transparent)), kind=GRAY), "a")
    if bits > 1:
        data = png(values, bits, (b"tRNS", struct.pack(">H", 1)), kind=GRAY)
        np.testing.assert_array_equal(decode_image(data, "a")[..., 0], [[0, 255]])


def test_a_colour_that_the_palette_lacks_is_refused():
    data = png(np.array([[0, 1, 2]]), 8, (b"PLTE", bytes(6)), kind=INDEXED)
    with pytest.raises(InputError, match=r"a: damaged image \(its pixels have colours that its palette lacks"):
        decode_image(data, "a")


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"note\0\0" + zlib.compress(bytes(2**22))),
        (b"iTXt", b"note\0\1\0\0\0" + zlib.compress(bytes(2**22))),
        (b"iCCP", b"profile\0\0" + zlib.compress(bytes(2**22))),
    ],
    ids=lambda chunk: chunk[0].decode(),
)
def test_text_and_profiles_that_unpack_to_megabytes_are_refused(chunk):
    data = png(np.zeros((2, 2)), 8, *[chunk] * 100, kind=GRAY)
    with pytest.raises(InputError, match=r"a: has more text or a larger colour profile than is unpacked; save it without$"):
        decode_image(data, "a")


@pytest.mark.parametrize("kind", ["GIF", "PPM", "ICO", "TGA"])
def test_other_formats_are_refused_whatever_the_suffix(rgb, kind):
    """Pillow drops bits of some formats, and starts another program for one."""
    with pytest.raises(InputError, match=r"a\.png: not an image of a known kind; give PNG, JPEG, WebP, BMP or TIFF"):
        decode_image(encoded(Image.fromarray(rgb), kind), "a.png")


def test_cmyk_without_profile_is_refused(rgb):
    with pytest.raises(InputError, match=r"c\.jpg: CMYK without a colour profile"):
        decode_image(encoded(Image.fromarray(rgb).convert("CMYK"), "JPEG"), "c.jpg")


def test_cmyk_with_a_profile_that_does_not_fit_is_refused(rgb):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with pytest.raises(InputError, match=r"c\.jpg: its colour profile"):
        decode_image(encoded(Image.fromarray(rgb).convert("CMYK"), "JPEG", icc_profile=profile), "c.jpg")


def test_orientation_tag_is_applied(rgb):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    data = encoded(Image.fromarray(rgb), exif=exif)
    np.testing.assert_array_equal(decode_image(data, "a"), np.rot90(rgb, -1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_file_is_named(rng, kind):
    data = encoded(Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)), kind)
    with pytest.raises(InputError, match="half: damaged image"):
        decode_image(data[: len(data) // 2], "half")


def test_text_is_not_an_image():
    with pytest.raises(InputError, match=r"notes\.png: not an image"):
        decode_image(b"not an image", "notes.png")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_one_colour_that_means_transparent_is_refused(rgb, mode):
    image = Image.fromarray(rgb).convert(mode)
    with pytest.raises(InputError, match="transparent"):
        decode_image(encoded(image, transparency=image.getpixel((0, 0))), "a")


def test_a_cameras_jpeg_with_a_preview_is_its_first_image(rng):
    smooth = [Image.fromarray(rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)).resize((32, 32)) for _ in range(2)]
    data = encoded(smooth[0], "MPO", save_all=True, append_images=smooth[1:], quality=100, subsampling=0)
    assert np.abs(decode_image(data, "a").astype(int) - np.asarray(smooth[0])).max() < 10


def test_random_damage_is_always_named(rng):
    """The error names the image, whatever exception a decoder raises."""
    pixels = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    refused = 0
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP"):
        data = encoded(pixels, kind)
        for _ in range(150):
            broken = bytearray(data)
            for position in rng.integers(0, min(len(data), 200), 4):
                broken[position] = rng.integers(256)
            with warnings.catch_warnings(action="ignore"), contextlib.suppress(InputError):
                decode_image(bytes(broken), "broken")
                continue
            refused += 1
    assert refused > 100


def header_only(width: int, height: int) -> bytes:
    """A PNG file of 67 bytes that claims a size and has almost no data."""
    return chunked((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"")))


@pytest.mark.parametrize("size", [(2**14, 2**14 + 1), (40_000, 40_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("action", ["ignore", "error"])
def test_gigapixels_are_refused_before_they_are_decoded(size, action, monkeypatch):
    monkeypatch.setattr(PngImageFile, "load", lambda self: pytest.fail("decoded"))
    with warnings.catch_warnings(action=action), pytest.raises(InputError, match=r"huge\.png: claims .* pixels"):
        decode_image(header_only(*size), "huge.png")


def test_large_photographs_give_no_warning(monkeypatch):
    """Pillow warns about 100 megapixels, and every warning is an error in these tests."""
    monkeypatch.setattr(PngImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(pytest.fail.Exception, match="decoded"):
        decode_image(header_only(12_000, 9_000), "large.png")


def test_animation_is_refused(rgb):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    with pytest.raises(InputError, match="2 images"):
        decode_image(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]), "stack.tif")
