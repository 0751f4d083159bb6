import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.config import Config
from sr_jax.training import losses


def test_against_hand_computed_values():
    sr = jnp.array([0.0, 0.5, 1.0, 0.25]).reshape(1, 2, 2, 1)
    hr = jnp.array([0.0, 0.25, 0.0, 0.5]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(losses.l1(sr, hr), (0.25 + 1 + 0.25) / 4)
    np.testing.assert_allclose(losses.mse(sr, hr), (0.0625 + 1 + 0.0625) / 4)
    np.testing.assert_allclose(losses.charbonnier(sr, hr), (0.001 + 2 * 0.250002 + 1.0000005) / 4, rtol=1e-6)


def test_charbonnier_is_smooth_where_there_is_no_error():
    image = jnp.ones((1, 2, 2, 1))
    assert not jnp.any(jax.grad(losses.charbonnier)(image, image))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_can_be_chosen(name):
    assert Config(loss=name).loss == name
