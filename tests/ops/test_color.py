import jax.numpy as jnp
import numpy as np
from skimage import color as reference

from sr_jax.ops import color


def test_ycbcr_agrees_with_scikit_image(rng):
    rgb = rng.random((7, 5, 3), dtype=np.float32)
    expected = reference.rgb2ycbcr(rgb) / 255
    np.testing.assert_allclose(color.rgb_to_ycbcr(jnp.asarray(rgb)), expected, atol=3e-7)
    np.testing.assert_allclose(color.rgb_to_y(jnp.asarray(rgb)), expected[..., :1], atol=3e-7)


def test_inverse(rng):
    rgb = rng.random((7, 5, 3), dtype=np.float32)
    np.testing.assert_allclose(color.ycbcr_to_rgb(color.rgb_to_ycbcr(jnp.asarray(rgb))), rgb, atol=2e-6)


def test_all_grey_levels_survive_float():
    levels = jnp.arange(256, dtype=jnp.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(color.to_uint8(color.to_float(levels)), levels)


def test_uint8_rounds_half_up_and_clips():
    x = jnp.array([[[-0.1], [0.5 / 255], [1.4 / 255], [2.0]]])
    np.testing.assert_array_equal(color.to_uint8(x)[0, :, 0], [0, 1, 1, 255])


def test_uint16_takes_the_full_range():
    np.testing.assert_array_equal(color.to_float(jnp.array([[[0], [65535]]], jnp.uint16))[0, :, 0], [0.0, 1.0])
