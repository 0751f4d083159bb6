import numpy as np
import pytest

from sr_jax.pictures.depth import Levels, from_network, levels, to_network


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_value_comes_back(dtype):
    values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)[:, None, None]
    given = levels(values)
    inside = to_network(values, given)
    assert (inside.dtype, inside.min(), inside.max()) == (np.float32, 0, 1)
    np.testing.assert_array_equal(from_network(inside, given, dtype), values)


def test_8_and_16_bits_are_converted_into_each_other():
    eight = np.arange(256, dtype=np.uint8)[:, None, None]
    sixteen = from_network(to_network(eight, levels(eight)), levels(eight), "uint16")
    np.testing.assert_array_equal(sixteen, eight.astype(np.uint16) * 257)
    np.testing.assert_array_equal(from_network(to_network(sixteen, levels(sixteen)), levels(sixteen), "uint8"), eight)


def test_integers_are_rounded_half_up_and_clipped():
    values = np.array([-0.1, 0.5 / 255, 0.4 / 255, 1.2], np.float32)[:, None, None]
    assert from_network(values, Levels(0, 255), "uint8").ravel().tolist() == [0, 1, 0, 255]


def test_floats_keep_their_range():
    inside = np.array([[[0.0]], [[0.75]]], np.float32)
    assert levels(inside) == (0, 1)
    wide = np.array([[[-10.0]], [[30.0]], [[0.0]]], np.float32)
    given = levels(wide)
    assert to_network(wide, given).ravel().tolist() == [0, 1, 0.25]
    np.testing.assert_allclose(from_network(to_network(wide, given), given, "float32"), wide, atol=1e-5)
    assert from_network(to_network(wide, given), given, "uint8").ravel().tolist() == [0, 255, 64]
    flat = np.full((2, 2, 1), 7.0, np.float32)
    np.testing.assert_array_equal(from_network(to_network(flat, levels(flat)), levels(flat), "float32"), flat)
