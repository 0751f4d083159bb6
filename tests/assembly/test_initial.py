import json

import jax
import numpy as np
import pytest

from sr_jax import config as configs
from sr_jax.assembly import trained
from sr_jax.assembly.initial import make_start, record
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import learning_rate_factors
from sr_jax.config import Config, DataConfig, EDSRConfig, FSRCNNConfig, OptimConfig, SRCNNConfig
from sr_jax.errors import InputError
from sr_jax.training.state import by_name, count
from sr_jax.weights import files as weights
from sr_jax.weights.card import Card
from tests.conftest import ROOT

SMALL = FSRCNNConfig(d=8, s=4, m=1)


@pytest.fixture
def write_weights(tmp_path):
    """Writes the weights file of a network with parameters that no initialisation has, and returns its place."""

    def write(config, add=1.0):
        params = jax.tree.map(lambda leaf: np.asarray(leaf) + np.float32(add), make_network(config).params)
        weights.write(tmp_path / "weights.safetensors", params, Card(config, 7, "abc", []))
        return str(tmp_path / "weights.safetensors"), by_name(params)

    return write


def test_without_init_all_is_initialised(tmp_path):
    network = make_network(Config(model=SMALL))
    start = make_start(Config(model=SMALL), network, tmp_path, step=0)
    assert start.params is network.params
    assert not start.taken
    record(start, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [3, 4])
def test_fsrcnn_for_other_scales_starts_from_the_zoo(tmp_path, scale):
    config = configs.load(ROOT / f"configs/fsrcnn_x{scale}.py")
    start = make_start(config, make_network(config), tmp_path, step=0)
    theirs = by_name(trained.load("fsrcnn-x2", which="latest", parameters="ema").network.params)
    assert {*start.taken} == {*theirs}
    assert start.origin.startswith("fsrcnn-x2, step 240000")
    assert all(np.array_equal(leaf, theirs[name]) for name, leaf in by_name(start.params).items())


def test_what_fits_is_taken_and_the_rest_is_initialised(tmp_path, write_weights):
    """Both have the same names, but only the first has blocks of these widths."""
    place, theirs = write_weights(Config(model=EDSRConfig(blocks=2, width=8), scale=2))
    config = Config(model=EDSRConfig(blocks=3, width=8), scale=4, data=DataConfig(patch=64), init=place)
    network = make_network(config)
    start = make_start(config, network, tmp_path, step=0)
    ours, initial = by_name(start.params), by_name(network.params)
    assert set(start.taken) == {name for name in ours if name in theirs and theirs[name].shape == ours[name].shape}
    assert set(start.taken) | set(start.fresh) == set(ours)
    assert {name.split(".")[1] for name in start.fresh if name.startswith("body")} >= {"2"}
    for name, leaf in ours.items():
        assert np.array_equal(leaf, theirs[name] if name in start.taken else initial[name])

    # The record is enough to resume, and a changed source is noticed while it is still needed.
    record(start, tmp_path)
    write_weights(Config(model=EDSRConfig(blocks=2, width=8), scale=2), add=2.0)
    assert make_start(config, network, tmp_path, step=5).taken == start.taken
    with pytest.raises(InputError, match=r"init=.*has changed since the run in --workdir"):
        make_start(config, network, tmp_path, step=0)


def test_at_least_half_must_fit(tmp_path, write_weights):
    place, _ = write_weights(Config(model=SMALL))
    config = Config(model=SRCNNConfig(), init=place)
    with pytest.raises(InputError, match=r"init=.*only 0 of [\d,]+ parameters fit by name and shape.*at least half"):
        make_start(config, make_network(config), tmp_path, step=0)


def test_a_place_that_cannot_be_read(tmp_path):
    config = Config(model=SMALL, init=str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"init: .*nowhere: no such work directory or weights file"):
        make_start(config, make_network(config), tmp_path, step=0)


def test_a_damaged_record(tmp_path):
    (tmp_path / "init.json").write_text("[]")
    config = Config(model=SMALL, init="somewhere")
    with pytest.raises(InputError, match=r"init\.json"):
        make_start(config, make_network(config), tmp_path, step=1)


def test_factors_on_the_learning_rate():
    def factors(names, taken=(), **keys):
        return learning_rate_factors(Config(model=SMALL, init="x", optim=OptimConfig(**keys)), names, taken)

    names = ["shrink.kernel", "shrink.bias", "deconvolution.kernel", "deconvolution.bias", "deconvolutioned.kernel"]
    assert factors(names) == {}
    assert factors(names, last_lr=0.1) == {"deconvolution.kernel": 0.1, "deconvolution.bias": 0.1}
    assert factors(names, {"shrink.bias", "deconvolution.bias"}, init_lr=0.5, last_lr=0.1) == pytest.approx(
        {"shrink.bias": 0.5, "deconvolution.kernel": 0.1, "deconvolution.bias": 0.05}
    )
    assert factors(names, frozen=("*.bias",)) == {"shrink.bias": 0, "deconvolution.bias": 0}
    with pytest.raises(
        InputError,
        match=r"optim\.frozen: no parameter is called shrnk\.\*; the layers of the network are shrink, deconvolution",
    ):
        factors(names, frozen=("shrnk.*",))
    with pytest.raises(InputError, match=r"optim\.frozen: no parameter is left to train"):
        factors(names, frozen=("*",))
    with pytest.raises(InputError, match=r"optim\.init_lr=0: no parameter is left to train"):
        factors(names, set(names), init_lr=0.0)


def test_init_lr_needs_init():
    with pytest.raises(InputError, match=r"optim\.init_lr=0\.1 is for parameters that are taken from `init`"):
        Config(optim=OptimConfig(init_lr=0.1))


def test_the_number_of_parameters_is_kept(tmp_path, write_weights):
    place, _ = write_weights(Config(model=SMALL))
    config = Config(model=SMALL, scale=3, init=place)
    network = make_network(config)
    assert count(make_start(config, network, tmp_path, step=0).params) == count(network.params)
    assert json.loads((tmp_path / "weights.json").read_text())
