import math

import jax.numpy as jnp
import optax
import pytest

from sr_jax.training import optim


def test_schedule():
    """Half a cosine: at half its length the mean of both ends."""
    rate = optim.cosine(lr=1e-2, warmup_steps=10, final_lr=1e-4, steps=110)
    assert rate(0) == 0
    assert float(rate(5)) == pytest.approx(5e-3)
    assert float(rate(10)) == pytest.approx(1e-2)
    assert float(rate(60)) == pytest.approx((1e-2 + 1e-4) / 2)
    assert float(rate(35)) == pytest.approx(1e-4 + (1e-2 - 1e-4) * (1 + math.cos(math.pi / 4)) / 2)
    assert float(rate(110)) == pytest.approx(1e-4)


def test_drops():
    rate = optim.drops(lr=0.1, warmup_steps=10, every=100, factor=0.1)
    at = {0: 0, 5: 0.05, 10: 0.1, 99: 0.1, 100: 0.01, 199: 0.01, 250: 0.001}
    assert {step: round(float(rate(step)), 7) for step in at} == at
    assert float(optim.drops(lr=0.1, warmup_steps=0, every=100, factor=0.1)(0)) == pytest.approx(0.1)


PLAIN = {
    "method": "sgd",
    "b1": 0.0,
    "b2": 0.9,
    "weight_decay": 0.0,
    "clip_norm": None,
    "clip_value": None,
    "factors": {},
}


def steps(gradients, *, rate=0.1, **options):
    """The parameters after one step for each gradient, from all ones."""
    optimizer = optim.make(lambda _: jnp.float32(rate), **PLAIN | options)
    params = {"start": {"kernel": jnp.ones(2), "bias": jnp.ones(1)}, "end": {"kernel": jnp.ones(1)}}
    state = optimizer.init(params)
    for values in gradients:
        tree = {
            "start": {"kernel": jnp.array(values[:2]), "bias": jnp.array(values[2:3])},
            "end": {"kernel": jnp.array(values[3:])},
        }
        updates, state = optimizer.update(tree, state, params)
        params = optax.apply_updates(params, updates)
    flat = jnp.concatenate([params["start"]["kernel"], params["start"]["bias"], params["end"]["kernel"]])
    return (flat - 1).tolist()


def test_sgd_with_momentum():
    """v <- m v + g, p <- p - lr v."""
    assert steps([[1.0, 2.0, 0.0, -1.0]] * 2, b1=0.9) == pytest.approx([-0.29, -0.58, 0, 0.29], abs=1e-6)


def test_adam_is_optax_s():
    reference = optax.adam(0.1, 0.8, 0.9)
    state = reference.init(jnp.zeros(4))
    expected, params = jnp.zeros(4), jnp.array([1.0, 2.0, 0.5, -1.0])
    for factor in (1, 2):
        update, state = reference.update(factor * params, state)
        expected += update
    gradients = [[1.0, 2.0, 0.5, -1.0], [2.0, 4.0, 1.0, -2.0]]
    assert steps(gradients, method="adam", b1=0.8, b2=0.9) == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_layer_learns_slower():
    assert steps([[1.0, 1.0, 1.0, 1.0]], factors={"end.kernel": 0.1}) == pytest.approx([-0.1, -0.1, -0.1, -0.01], abs=1e-6)
    inner = steps([[1.0, 1.0, 1.0, 1.0]], factors={"start.bias": 0.1})
    assert inner == pytest.approx([-0.1, -0.1, -0.01, -0.1], abs=1e-6)


def test_weight_decay_is_of_kernels():
    assert steps([[0.0, 0.0, 0.0, 0.0]], weight_decay=0.5) == pytest.approx([-0.05, -0.05, 0, -0.05], abs=1e-6)


def test_clipping():
    assert steps([[3.0, 0.0, 0.0, 4.0]], clip_norm=1.0) == pytest.approx([-0.06, 0, 0, -0.08], abs=1e-6)
    assert steps([[3.0, 0.1, 0.0, -4.0]], clip_value=0.02) == pytest.approx([-0.02, -0.01, 0, 0.02], abs=1e-6)
