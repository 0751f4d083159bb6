import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.conv_forms import LAYOUT
from sr_jax.ops.subpixel import (
    depth_to_space,
    interleave,
    space_to_depth,
    subpixel_from_transposed,
    transposed_from_subpixel,
)


def subpixel(x, filters, scale):
    return depth_to_space(lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=LAYOUT), scale)


def test_depth_to_space_order():
    x = jnp.arange(8).reshape(1, 1, 1, 8)
    np.testing.assert_array_equal(depth_to_space(x, 2)[0], [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    np.testing.assert_array_equal(depth_to_space(x, (2, 1))[0, :, 0], [[0, 1, 2, 3], [4, 5, 6, 7]])


def test_space_to_depth_is_its_inverse(rng):
    x = jnp.asarray(rng.normal(size=(2, 4, 9, 3)))
    np.testing.assert_array_equal(depth_to_space(space_to_depth(x, (2, 3)), (2, 3)), x)
    with pytest.raises(ValueError, match="4x9 image cannot be cut into cells of 2x2"):
        space_to_depth(x, 2)


def test_interleave():
    phases = [[jnp.full((1, 2, 2, 1), 10 * r + q) for q in range(3)] for r in range(2)]
    out = interleave(phases)
    assert out.shape == (1, 4, 6, 1)
    np.testing.assert_array_equal(out[0, 2:, 3:, 0], [[0, 1, 2], [10, 11, 12]])


@pytest.mark.parametrize(
    ("k", "stride", "padding"), [(4, 2, 1), (9, 2, 4), (9, 3, 3), (9, 4, 3), (2, 2, 0), (3, 2, 1), (6, 2, 2)]
)
def test_a_transposed_convolution_as_convolution_and_shuffle(rng, k, stride, padding):
    x, w = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(k, k, 2, 3))
    with jax.enable_x64(True):
        x, w = jnp.asarray(x), jnp.asarray(w)
        output_padding = stride + 2 * padding - k
        expected = conv_transpose2d(x, w, stride=stride, padding=padding, output_padding=output_padding)
        filters = subpixel_from_transposed(w, stride=stride, padding=padding)
        np.testing.assert_allclose(subpixel(x, filters, stride), expected, atol=1e-12)


@pytest.mark.parametrize(("k", "scale"), [(1, 2), (3, 2), (3, 3), (5, 2), (3, 4)])
def test_convolution_and_shuffle_as_a_transposed_convolution(rng, k, scale):
    """The conversion back gives the same filters."""
    x, filters = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(k, k, 2, 3 * scale**2))
    with jax.enable_x64(True):
        x, filters = jnp.asarray(x), jnp.asarray(filters)
        w, padding = transposed_from_subpixel(filters, scale=scale)
        out = conv_transpose2d(x, w, stride=scale, padding=padding)
        np.testing.assert_allclose(out, subpixel(x, filters, scale), atol=1e-12)
        np.testing.assert_array_equal(subpixel_from_transposed(w, stride=scale, padding=padding), filters)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: depth_to_space(jnp.zeros((1, 2, 2, 6)), 2),
            "6 channels cannot be spread over 2x2 pixels: use a multiple of 4",
        ),
        (lambda: subpixel_from_transposed(jnp.zeros((4, 4, 1, 1)), stride=2, padding=0), "padding must be 1"),
        (lambda: transposed_from_subpixel(jnp.zeros((2, 2, 1, 4)), scale=2), "2x2 kernel has no middle"),
        (lambda: transposed_from_subpixel(jnp.zeros((3, 3, 1, 6)), scale=2), "6 output channels are not a multiple"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
