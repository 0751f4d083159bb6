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


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A 16-bit PNG, written by hand because Pillow cannot write colour with 16 bits."""
    h, w, channels = pixels.shape
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", w, h, 16, {1: 0, 3: 2}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


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
    np.testing.assert_array_equal(decode_image(png_of_16_bits(values[..., None]), "a")[0, :, 0], [0, 0, 1, 1, 255])


def test_16_bit_colour_is_refused(rng):
    with pytest.raises(InputError, match=r"deep\.png: 16-bit colour"):
        decode_image(png_of_16_bits(rng.integers(0, 2**16, (4, 4, 3))), "deep.png")


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
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


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


def test_float_tiff_is_refused():
    with pytest.raises(InputError, match="colour mode F"):
        decode_image(encoded(Image.fromarray(np.zeros((3, 3), np.float32)), "TIFF"), "a")
