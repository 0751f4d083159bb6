"""What training minimises: sums of losses, and what is refused of a user's own networks and losses before images are read."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax import config as configs
from sr_jax.assembly.degradation import of_training
from sr_jax.assembly.network import make_network, make_objective
from sr_jax.config import Config, DataConfig, FSRCNNConfig, LapSRNConfig
from sr_jax.errors import InputError
from sr_jax.training.losses import LOSSES
from tests.config.writing import write

NET = """
import jax.numpy as jnp
from flax import nnx
from typing import Literal
from sr_jax.models import About

class Net(nnx.Module):
    about = About(name="Net", channels=1, scales=(2,))

    def __init__(self, *, scale, rngs):
        self.about.check_scale(scale)
        {init}

    def __call__(self, lr):
        {call}

def edge(sr, hr):
    {loss}

@keys_of(Net)
class NetConfig:
    name: Literal["net"] = "net"

config = Config({options})
"""
RIGHT = {
    "init": "pass",
    "call": "return lr.repeat(2, 1).repeat(2, 2)",
    "loss": "return jnp.abs(sr - hr).mean()",
    "options": "model=NetConfig(), loss=edge",
}


def objective_of(config):
    network = make_network(config)
    return network, make_objective(config, network, of_training(config))


@pytest.mark.parametrize("model", [FSRCNNConfig(d=4, s=2, m=1), LapSRNConfig(depth=1, width=4)], ids=lambda model: model.name)
def test_a_sum_is_the_weighted_sum_of_its_losses_each_of_which_is_logged(model, rng):
    weights = {"l1": 1.0, "fft": 0.25}
    lr, hr = (jnp.asarray(rng.random((2, side, side, 1)), jnp.float32) for side in (12, 24))
    values = {}
    for name in weights:
        network, objective = objective_of(Config(model=model, loss=name))
        values[name], metrics = jax.jit(objective)(network.params, lr, hr, {}, ())
        assert metrics == {}
    network, objective = objective_of(Config(model=model, loss=tuple((weight, name) for name, weight in weights.items())))
    total, metrics = jax.jit(objective)(network.params, lr, hr, {}, ())
    assert {*metrics} == {"loss_l1", "loss_fft"}
    for name, value in values.items():
        np.testing.assert_allclose(metrics[f"loss_{name}"], value, rtol=1e-6)
    np.testing.assert_allclose(total, sum(weights[name] * value for name, value in values.items()), rtol=1e-6)


def test_one_named_loss_is_computed_as_it_is(rng):
    network, objective = objective_of(Config(model=FSRCNNConfig(d=4, s=2, m=1), loss="mse"))
    lr, hr = (jnp.asarray(rng.random((1, side, side, 1)), jnp.float32) for side in (6, 12))
    loss, _ = objective(network.params, lr, hr, {}, ())
    assert np.asarray(loss) == np.asarray(LOSSES["mse"](network.apply(network.params, lr), hr))


@pytest.mark.parametrize(("model", "scale", "patch"), [(FSRCNNConfig(), 2, 10), (LapSRNConfig(), 4, 16)], ids=["sr", "level"])
def test_patches_that_are_too_small_for_ssim(model, scale, patch):
    config = Config(model=model, scale=scale, loss="ssim", data=DataConfig(patch=patch))
    with pytest.raises(InputError, match="the loss ssim compares windows of 11x11 pixels, but an image has"):
        objective_of(config)


def test_a_network_and_a_loss_of_ones_own(tmp_path, rng):
    network, objective = objective_of(configs.load(write(tmp_path, NET.format(**RIGHT))))
    lr, hr = (jnp.asarray(rng.random((1, side, side, 1)), jnp.float32) for side in (6, 12))
    loss, _ = objective(network.params, lr, hr, {}, ())
    np.testing.assert_allclose(loss, np.abs(np.kron(lr[0, :, :, 0], np.ones((2, 2))) - hr[0, :, :, 0]).mean(), rtol=1e-6)
    assert jax.tree.leaves(network.params) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init": "1 / 0"}, "model=net: ZeroDivisionError: division by zero (experiment.py, line 13)"),
        ({"init": "self.layers = [nnx.Conv(1, 1, (3, 3), rngs=rngs)]"}, "model=net: ValueError: Found data on value of type"),
        ({"init": "self.norm = nnx.BatchNorm(1, rngs=rngs)"}, "Net has variables that are not parameters: norm.mean, norm.var"),
        ({"call": "return lr"}, "must return SR of shape (1, 48, 48, 1) and type float32, but it returns shape (1, 24, 24, 1)"),
        ({"call": "return self.convolve(lr)"}, "model=net: AttributeError: 'Net' object has no attribute 'convolve'"),
        ({"options": "model=NetConfig(), scale=3"}, "model=net: scale=3: Net knows the scales 2"),
        (
            {"loss": "return (sr - hr) ** 2"},
            "loss=experiment.py:edge must return one real number, but returns shape (1, 48, 48",
        ),
        ({"loss": "return sr.average()"}, "loss=experiment.py:edge: AttributeError: "),
        ({"loss": "return None"}, "loss=experiment.py:edge: "),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(tmp_path, change, message):
    config: Any = configs.load(write(tmp_path, NET.format(**RIGHT | change)))
    with pytest.raises(InputError, match=re.escape(message)) as error:
        objective_of(config)
    assert "\n" not in str(error.value)
