import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import color as reference

from sr_jax.ops import color

pytestmark = pytest.mark.exact

KR, KB = 0.2126, 0.0722  # ITU-R BT.709-6, item 3.2


def bt709(rgb):
    """Converts R'G'B' in [0, 1] to 8-bit levels by items 3.2 to 3.4 of ITU-R BT.709-6, without rounding."""
    r, g, b = np.moveaxis(np.asarray(rgb, np.float64), -1, 0)
    y = KR * r + (1 - KR - KB) * g + KB * b
    cb, cr = (b - y) / (2 * (1 - KB)), (r - y) / (2 * (1 - KR))
    return np.stack([219 * y + 16, 224 * cb + 128, 224 * cr + 128], -1)


LEVELS = {"bt601": lambda rgb: reference.rgb2ycbcr(np.asarray(rgb, np.float64)), "bt709": bt709}


def rounded(levels):
    return np.clip(np.floor(levels + 0.5), 0, 255)


def assert_equal_but_at_ties(actual, levels, *, within):
    """The image equals the rounded levels; a tie, up to `within`, may be rounded either way."""
    tie = np.abs(levels + 0.5 - np.round(levels + 0.5)) < within
    difference = np.abs(np.asarray(actual, float) - rounded(levels))
    assert difference[~tie].max() == 0
    assert difference.max() <= 1


@pytest.fixture
def cube():
    """Every fifth level of R, G and B."""
    axis = np.arange(0, 256, 5, dtype=np.uint8)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


@pytest.mark.parametrize("standard", LEVELS)
def test_float_agrees_with_the_standard(rng, standard):
    rgb = rng.random((7, 5, 3), dtype=np.float32)
    expected = LEVELS[standard](rgb) / 255
    np.testing.assert_allclose(color.rgb_to_ycbcr(jnp.asarray(rgb), standard=standard), expected, atol=3e-7)
    np.testing.assert_allclose(color.rgb_to_y(jnp.asarray(rgb), standard=standard), expected[..., :1], atol=3e-7)
    double = rgb.astype(np.float64)
    np.testing.assert_allclose(color.rgb_to_ycbcr(double, standard=standard), expected, atol=1e-14)
    np.testing.assert_allclose(color.rgb_to_y(double, standard=standard), expected[..., :1], atol=1e-14)


def test_matlab_and_the_papers_use_bt601(rng):
    rgb = rng.random((7, 5, 3))
    for f in (color.rgb_to_ycbcr, color.rgb_to_y, color.ycbcr_to_rgb):
        np.testing.assert_array_equal(f(rgb), f(rgb, standard="bt601"))
        assert np.abs(f(rgb) - f(rgb, standard="bt709")).max() > 0.01


@pytest.mark.parametrize("standard", LEVELS)
def test_inverse(rng, standard):
    rgb = rng.random((7, 5, 3), dtype=np.float32)
    there = color.rgb_to_ycbcr(jnp.asarray(rgb), standard=standard)
    np.testing.assert_allclose(color.ycbcr_to_rgb(there, standard=standard), rgb, atol=2e-6)
    double = rgb.astype(np.float64)
    back = color.ycbcr_to_rgb(color.rgb_to_ycbcr(double, standard=standard), standard=standard)
    np.testing.assert_allclose(back, double, atol=1e-14)


def test_inverse_agrees_with_scikit_image(rng):
    ycbcr = rng.random((7, 5, 3))
    np.testing.assert_allclose(color.ycbcr_to_rgb(ycbcr), reference.ycbcr2rgb(ycbcr * 255), atol=1e-13)


@pytest.mark.parametrize("standard", LEVELS)
def test_uint8_rule_forward(cube, standard):
    levels = LEVELS[standard](cube / 255)
    host = color.rgb_to_ycbcr(cube, standard=standard)
    device = color.rgb_to_ycbcr(jnp.asarray(cube), standard=standard)
    assert host.dtype == device.dtype == np.uint8
    assert_equal_but_at_ties(host, levels, within=1e-9)
    np.testing.assert_array_equal(device, host)
    np.testing.assert_array_equal(color.rgb_to_y(cube, standard=standard), host[..., :1])


def test_a_tie_is_rounded_up():
    """These colours have 299 R + 587 G + 114 B = 42500, so Y is exactly 52.5."""
    r, g, b = next((r, g, b) for r in range(256) for g in range(73) for b in range(256) if 299 * r + 587 * g + 114 * b == 42500)
    rgb = np.array([[[r, g, b]]], np.uint8)
    assert color.rgb_to_y(rgb).item() == color.rgb_to_y(jnp.asarray(rgb)).item() == 53


def test_uint8_rule_backward(cube):
    """Levels outside of the gamut are clipped."""
    levels = reference.ycbcr2rgb(cube.astype(np.float64)) * 255
    host, device = color.ycbcr_to_rgb(cube), color.ycbcr_to_rgb(jnp.asarray(cube))
    assert host.dtype == device.dtype == np.uint8
    assert levels.min() < -50
    assert levels.max() > 300
    assert_equal_but_at_ties(host, levels, within=1e-9)
    assert_equal_but_at_ties(device, levels, within=1e-4)


@pytest.mark.parametrize("standard", LEVELS)
def test_uint8_survives_the_way_there_and_back(cube, standard):
    """The studio range has fewer levels, so two levels may be lost."""
    back = color.ycbcr_to_rgb(color.rgb_to_ycbcr(cube, standard=standard), standard=standard)
    assert np.abs(back.astype(int) - cube).max() <= 2


def test_black_white_and_gray_have_no_colour():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    for standard in LEVELS:
        ycbcr = color.rgb_to_ycbcr(gray, standard=standard)
        np.testing.assert_array_equal(ycbcr[..., 1:], 128)
        np.testing.assert_array_equal(ycbcr[0, [0, -1], 0], [16, 235])


def test_all_grey_levels_survive_float():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    for image in (levels, jnp.asarray(levels)):
        np.testing.assert_array_equal(color.to_uint8(color.to_float(image)), levels)
    assert color.to_float(levels).dtype == np.float64
    assert color.to_float(jnp.asarray(levels)).dtype == np.float32


def test_uint8_rounds_half_up_and_clips():
    x = np.array([[[-0.1], [0.5 / 255], [1.4 / 255], [2.0]]])
    for image in (x, jnp.asarray(x)):
        np.testing.assert_array_equal(color.to_uint8(image)[0, :, 0], [0, 1, 1, 255])


def test_uint16_takes_the_full_range():
    np.testing.assert_array_equal(color.to_float(jnp.array([[[0], [65535]]], jnp.uint16))[0, :, 0], [0.0, 1.0])


def test_bad_input():
    with pytest.raises(ValueError, match="standard='bt2020' is not one of bt601, bt709"):
        color.rgb_to_y(np.zeros((2, 2, 3)), standard="bt2020")
    with pytest.raises(ValueError, match="a uint16 image cannot be converted between RGB and YCbCr: convert it to float"):
        color.rgb_to_ycbcr(np.zeros((2, 2, 3), np.uint16))
    with pytest.raises(ValueError, match="a int32 image"):
        color.ycbcr_to_rgb(jnp.zeros((2, 2, 3), jnp.int32))


@pytest.mark.parametrize("xp", [np, jnp])
def test_what_a_network_reads(rng, xp):
    """Y is scikit-image's; NumPy's arrays stay on the host."""
    rgb = rng.integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    read = {channels: color.network_input(xp.asarray(rgb), channels=channels) for channels in (1, 3)}
    gray = {channels: color.network_input(xp.asarray(rgb[..., :1]), channels=channels) for channels in (1, 3)}
    for image in (*read.values(), *gray.values()):
        assert isinstance(image, np.ndarray if xp is np else jax.Array)
        assert image.dtype == np.float32
    np.testing.assert_allclose(read[1], reference.rgb2ycbcr(rgb)[..., :1] / 255, rtol=2e-6)
    np.testing.assert_allclose(read[3], rgb / 255, rtol=1e-6)
    np.testing.assert_allclose(gray[1], rgb[..., :1] / 255, rtol=1e-6)
    np.testing.assert_allclose(gray[3], np.repeat(rgb[..., :1] / 255, 3, -1), rtol=1e-6)
    white = color.network_input(xp.full((2, 2, 3), 255, np.uint8), channels=1)
    np.testing.assert_allclose(white, np.full((2, 2, 1), 235 / 255), rtol=1e-6)  # Y of BT.601 lies in [16, 235]
