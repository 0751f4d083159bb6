import numpy as np
import pytest

from sr_jax.ops.resize import imresize_host
from sr_jax.pictures.compare import parts
from sr_jax.pictures.depth import levels
from sr_jax.pictures.picture import CHANNELS, CMYK, GRAY, RGB, Metadata, Picture
from tests.pictures import corpus


def picture(pixels, space=RGB, alpha=None):
    return Picture(pixels, alpha, space, Metadata(), "png")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_part_of_bicubic_interpolation_equals_that_part_of_the_whole(dtype, rng):
    pixels = corpus.of_type(rng.random((30, 41, 3)), dtype)
    lr, size = picture(pixels), (60, 123)
    whole = parts.bicubic(lr, size, (slice(0, 60), slice(0, 123)), levels(pixels))
    scaled = pixels if dtype == "uint8" else pixels / levels(pixels).one
    expected = imresize_host(scaled, shape=size, kernel="bicubic", antialias=True)
    expected = expected if dtype == "uint8" else 255 * expected.clip(0, 1)
    assert np.abs(whole - expected.astype(np.float64)).max() <= 0.501
    for region in ((slice(10, 30), slice(30, 60)), (slice(0, 20), slice(90, 123)), (slice(58, 60), slice(0, 123))):
        np.testing.assert_array_equal(parts.bicubic(lr, size, region, levels(pixels)), whole[region])


@pytest.mark.parametrize("shape", [(3000, 2000), (100, 90_000), (400_000, 3), (1, 3_000_000), (1025, 1025)])
@pytest.mark.parametrize("factor", [2, 3.5])
def test_a_page_is_bounded(shape, factor):
    lr = picture(np.zeros((*shape, 1), np.uint8), GRAY)
    size = round(factor * shape[0]), round(factor * shape[1])
    rows, columns = parts.window(lr, size)
    pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
    assert 0.5 * parts.MOST_SHOWN < pixels <= 1.01 * parts.MOST_SHOWN
    assert 0 <= rows.start < rows.stop <= size[0]
    assert 0 <= columns.start < columns.stop <= size[1]


def test_the_part_with_the_most_detail_is_shown(rng):
    pixels = np.full((2000, 3000, 3), 100, np.uint8)
    pixels[1500:1700, 2100:2300] = rng.integers(0, 256, (200, 200, 3))
    rows, columns = parts.window(picture(pixels), (4000, 6000))
    assert rows.start <= 3000
    assert rows.stop >= 3400
    assert columns.start <= 4200
    assert columns.stop >= 4600
    assert rows.start % 2 == columns.start % 2 == 0
    small = parts.window(picture(pixels[:500, :500]), (1000, 1000))
    assert small == (slice(0, 1000), slice(0, 1000))


def test_pictures_of_all_kinds_are_shown_in_8_bits():
    deep = corpus.of_type(corpus.smooth(3), "uint16")
    shown = parts.shown(picture(deep), levels(deep))
    np.testing.assert_array_equal(shown, np.floor(deep / 257 + 0.5))
    wide = (corpus.smooth(3) * 600 - 100).astype(np.float32)
    span = (wide - wide.min()) / (wide.max() - wide.min())
    assert np.abs(parts.shown(picture(wide), levels(wide)) - 255 * span).max() < 0.51
    many = corpus.of_type(corpus.smooth(5), "uint8")
    assert parts.shown(picture(many, CHANNELS), levels(many)).shape[-1] == 1
    white = np.zeros((2, 2, 4), np.uint8)
    assert (parts.shown(picture(white, CMYK), levels(white)) == 255).all()


def test_transparent_pixels_are_white():
    colours = np.full((1, 3, 3), 40, np.uint8)
    alpha = np.array([[[0], [51], [255]]], np.uint8)
    shown = parts.shown(picture(colours, alpha=alpha), levels(colours))
    np.testing.assert_array_equal(shown[0, :, 0], [255, 212, 40])
