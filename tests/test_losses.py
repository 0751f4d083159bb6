import jax.numpy as jnp
import numpy as np

from sr_jax import losses


def test_against_hand_computed_values():
    sr = jnp.array([0.0, 0.5, 1.0, 0.25]).reshape(1, 2, 2, 1)
    hr = jnp.array([0.0, 0.25, 0.0, 0.5]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(losses.l1(sr, hr), (0.25 + 1 + 0.25) / 4)
    np.testing.assert_allclose(losses.mse(sr, hr), (0.0625 + 1 + 0.0625) / 4)
