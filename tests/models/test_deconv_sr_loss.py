"""DeconvSR's loss on its kernel; the network itself is in test_deconv_sr."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.training.losses import l1
from tests.environment import FULLY_OPTIMISED
from tests.models.test_deconv_sr import gradients, images, known, make


@pytest.mark.slow
@pytest.mark.exact
def test_the_loss_on_the_kernel(rng):
    """It is the L1 distance times its weight; without end_to_end, only it trains what only the kernel needs."""
    lr, hr = images(rng)
    told = known(rng)
    plain, weighted = make(), make(kernel_loss=0.5)
    distance = jnp.mean(jnp.sum(jnp.abs(plain.predict(lr)[0] - told.kernel), (1, 2)))
    objective = plain.objective(lr, hr, told, loss=l1) + 0.5 * distance
    np.testing.assert_allclose(weighted.objective(lr, hr, told, loss=l1), objective, rtol=1e-6)

    (joint,) = gradients(weighted, (lr, hr, told))
    (stopped,) = gradients(make(kernel_loss=0.5, end_to_end=False), (lr, hr, told))
    expected = jax.grad(lambda taps: 0.5 * jnp.mean(jnp.sum(jnp.abs(jax.nn.softmax(taps, 1) - told.kernel.reshape(2, -1)), 1)))
    code = weighted.reader(lr, None)
    np.testing.assert_allclose(stopped["to_kernel.bias"], expected(weighted.to_kernel(code)).sum(0), atol=1e-8)
    assert np.abs(joint["to_kernel.bias"] - stopped["to_kernel.bias"]).max() > 1e-6
    np.testing.assert_allclose(joint["entry.kernel"], stopped["entry.kernel"], rtol=1e-5, atol=1e-11)
    if FULLY_OPTIMISED:  # otherwise the two programs round differently
        np.testing.assert_array_equal(joint["entry.kernel"], stopped["entry.kernel"])
    (silent,) = gradients(make(kernel_loss=1e-9, end_to_end=False), (lr, hr, told))
    assert max(np.abs(g).max() for name, g in silent.items() if name.startswith(("reader.", "to_kernel."))) < 1e-7
    assert np.abs(silent["to_lam.kernel"]).max() > 1e-6


def test_the_loss_on_the_kernel_falls(rng):
    """A few steps of gradient descent on one batch move the kernel towards the known one."""
    model = make(kernel_loss=1.0, end_to_end=False)
    lr, hr = images(rng)
    told = known(rng)
    graph, params = nnx.split(model, nnx.Param)

    @jax.jit
    def step(params):
        gradient = jax.grad(lambda p: nnx.merge(graph, p).objective(lr, hr, told, loss=l1))(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)

    def distance(params) -> float:
        return float(jnp.sum(jnp.abs(nnx.merge(graph, params).predict(lr)[0] - told.kernel)))

    before = distance(params)
    for _ in range(20):
        params = step(params)
    assert distance(params) < 0.9 * before
