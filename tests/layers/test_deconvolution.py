import jax.numpy as jnp
import numpy as np
from flax import nnx

from sr_jax.layers import Deconvolution, PReLU


def test_the_founding_layer():
    """(3, 3, 4, 2, 1) doubles 480x640."""
    layer = Deconvolution(3, 3, 4, 2, 1, rngs=nnx.Rngs(0))
    assert layer(jnp.zeros((1, 480, 640, 3))).shape == (1, 960, 1280, 3)


def test_bias_is_added():
    layer = Deconvolution(1, 2, 3, 1, 1, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.array([1.0, -2.0])
    np.testing.assert_array_equal(layer(jnp.zeros((1, 2, 2, 1)))[0, 0, 0], [1.0, -2.0])


def test_prelu_has_a_slope_for_each_channel():
    layer = PReLU(2)
    layer.slope[...] = jnp.array([0.5, 0.0])
    np.testing.assert_array_equal(layer(jnp.array([[-2.0, -2.0], [3.0, 3.0]])), [[-1.0, 0.0], [3.0, 3.0]])
