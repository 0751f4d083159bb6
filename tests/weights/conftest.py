"""One weights file and its card, for all tests of this folder."""

import resource
import sys

import pytest
from flax import nnx

from sr_jax import models
from sr_jax.config import Config, FSRCNNConfig
from sr_jax.weights import files as weights
from sr_jax.weights.card import Card


@pytest.fixture(scope="session")
def card():
    return Card(Config(scale=3, model=FSRCNNConfig(d=8, s=4, m=2)), 7, "abc", [{"set": "Set5", "psnr_y": 30.0}])


@pytest.fixture(scope="session")
def params(card):
    return params_of(card)


@pytest.fixture
def file(tmp_path, params, card):
    weights.write(tmp_path / "net.safetensors", params, card)
    return tmp_path / "net.safetensors"


def params_of(card):
    module = models.make(card.config.model, scale=card.config.scale, seed=0)
    return nnx.to_pure_dict(nnx.state(module, nnx.Param))


def peak_memory():
    """The largest memory of this process so far [bytes]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
