import io

import numpy as np
import pytest
import tifffile
from PIL import Image, JpegImagePlugin

from sr_jax.pictures import read, write
from sr_jax.pictures.formats import FORMATS
from sr_jax.pictures.picture import Metadata, Picture
from tests.pictures import corpus

LOSSY = {"jpeg": 3, "webp": 4, "gif": 6, "avif": 4, "heif": 5}
"""Greatest mean difference [levels of 255]."""


def picture(space, dtype="uint8", *, alpha=False, channels=0):
    channels = channels or {"gray": 1, "rgb": 3, "cmyk": 4, "channels": 5}[space]
    pixels = corpus.of_type(corpus.smooth(channels), dtype)
    opacity = corpus.of_type(corpus.smooth(1, seed=1), dtype) if alpha else None
    return Picture(pixels, opacity, space, Metadata(), "png")


def cases():
    for name, one in FORMATS.items():
        for space in one.spaces:
            for dtype in one.dtypes:
                for alpha in (False, True) if one.has_alpha and space in ("gray", "rgb") else (False,):
                    if name in ("avif", "heif") and (space, alpha) == ("gray", True):
                        continue  # it becomes RGB
                    yield name, space, dtype, alpha


@pytest.mark.parametrize(("name", "space", "dtype", "alpha"), [*cases()])
def test_what_a_format_can_hold_comes_back(name, space, dtype, alpha):
    given = picture(space, dtype, alpha=alpha)
    result = read.decode(write.encode(given, name, quality=98), name)
    assert (result.format, result.space, str(result.pixels.dtype)) == (name, space, dtype)
    full = np.iinfo(dtype).max if dtype != "float32" else 1
    shown = 1 if result.alpha is None or name != "gif" else result.alpha > 0  # GIF has no colours where nothing is seen
    assert np.abs((result.pixels.astype(float) - given.pixels) * shown).mean() / full <= LOSSY.get(name, 0) / 255
    assert (result.alpha is None) == (not alpha)
    if result.alpha is not None and name not in LOSSY:
        np.testing.assert_array_equal(result.alpha, given.alpha)


@pytest.mark.parametrize(("name", "alpha"), [("webp", False), ("webp", True), ("avif", True)])
def test_gray_becomes_rgb_where_there_is_no_gray(name, alpha):
    given = picture("gray", alpha=alpha)
    result = read.decode(write.encode(given, name, quality=98), name)
    assert result.space == "rgb"
    assert np.abs(result.pixels.astype(float) - given.pixels).mean() < 4
    assert (result.alpha is None) == (not alpha)


def test_other_programs_read_16_bits():
    """Pillow reads the high bytes of PNG's colours, and all of gray; and TIFF's pixels are those that tifffile wrote."""
    rgb, gray = picture("rgb", "uint16"), picture("gray", "uint16")
    seen = np.asarray(Image.open(io.BytesIO(write.encode(rgb, "png", quality=None))))
    np.testing.assert_array_equal(seen, rgb.pixels >> 8)
    seen = np.asarray(Image.open(io.BytesIO(write.encode(gray, "png", quality=None))))
    np.testing.assert_array_equal(seen, gray.pixels[..., 0])
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(write.encode(rgb, "tiff", quality=None))), rgb.pixels)


def test_jpeg_keeps_the_resolution_of_colours_and_quality_counts():
    data = write.encode(picture("rgb"), "jpeg", quality=None)
    with Image.open(io.BytesIO(data)) as image:
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
    for name in LOSSY.keys() - {"gif"}:
        sizes = [len(write.encode(picture("rgb"), name, quality=quality)) for quality in (20, 98)]
        assert sizes[0] < sizes[1]
