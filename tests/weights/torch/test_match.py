import numpy as np
import pytest

from sr_jax.config import CARNConfig, FSRCNNConfig
from sr_jax.weights.torch import match
from sr_jax.weights.torch.layouts import LAYOUTS
from sr_jax.weights.torch.mapping import Layout
from tests import golden

NETWORK = FSRCNNConfig(d=7, s=3, m=2)


@pytest.fixture(scope="module")
def module():
    return match.abstract(NETWORK, 2)


@pytest.fixture
def layouts():
    return LAYOUTS["fsrcnn"](NETWORK, 2)


@pytest.fixture
def state():
    return golden.network("fsrcnn-x2")[1]


def test_the_layout_that_fits_comes_first(module, layouts, state):
    best, other = match.nearest(state, module, layouts)
    assert (best.title, best.prefix, best.complaints) == ("yjn870/FSRCNN-pytorch", "", [])
    assert len(best.matched) == len(state)
    assert other.matched == []
    assert len(other.complaints) == 2 * len(state)


@pytest.mark.parametrize("prefix", ["module.", "model.", "netG.", "module.model.", "_orig_mod.module."])
def test_prefixes(module, layouts, state, prefix):
    wrapped = {prefix + key: value for key, value in state.items()}
    best = match.nearest({**wrapped, "n_averaged": np.array(3)}, module, layouts)[0]
    assert (best.prefix, best.complaints, best.ignored) == (prefix, [], ["n_averaged (int64)"])
    assert best.state.keys() == {*state, "n_averaged"}


def test_a_prefix_that_only_some_have(module, layouts, state):
    mixed = {f"netG.{key}": value for key, value in state.items()} | {"netD.conv.weight": np.ones(3, np.float32)}
    best = match.nearest(mixed, module, layouts)[0]
    assert (best.prefix, best.matched) == ("", [])


def test_a_prefix_that_belongs_to_the_names(module, layouts, state):
    """Some layouts name all their layers `model.0`, `model.1`, ..."""
    named = {"so": Layout({ours: f"model.{theirs}" for ours, theirs in layouts["yjn870/FSRCNN-pytorch"].modules.items()})}
    best = match.nearest({f"module.model.{key}": value for key, value in state.items()}, module, named)[0]
    assert (best.prefix, best.complaints) == ("module.", [])


@pytest.mark.parametrize(
    ("stored", "complaints"),
    [
        (np.array([0.4488, 0.4371, 0.4040], np.float32), []),
        (np.array([0.4488, 0.4371, 0.4040], np.float16), []),
        (None, []),
        (np.array([0.485, 0.456, 0.406], np.float32), ["mean is a constant of this network, but has other values"]),
        (np.array([0.4488], np.float32), ["mean is a constant of this network, but has other values"]),
    ],
    ids=["right", "half", "left out", "others", "shape"],
)
def test_constants(module, layouts, state, stored, complaints):
    layout = layouts["yjn870/FSRCNN-pytorch"]._replace(constants={"mean": np.array([0.4488, 0.4371, 0.4040], np.float32)})
    found = match.nearest(state if stored is None else {**state, "mean": stored}, module, {"so": layout})[0]
    assert found.complaints == complaints
    assert len(found.matched) == len(state)


def test_published_networks_are_known_by_their_shapes():
    layouts = LAYOUTS["fsrcnn"](FSRCNNConfig(), 3)
    full = {
        leaf.key: np.zeros(match.shape_of(leaf), np.float32)
        for leaf in match.leaves(match.abstract(FSRCNNConfig(), 3), layouts["Lornatang/FSRCNN-PyTorch"])
    }
    assert match.elsewhere(full) == {"fsrcnn": [2, 3, 4]}
    assert match.elsewhere({"conv.weight": np.zeros(3, np.float32)}) == {}


def test_parts_that_a_network_lacks_are_ignored():
    """CARN's released files hold the upsamplers of all scales."""
    network = CARNConfig(width=4)
    layouts = LAYOUTS["carn"](network, 2)
    _, one_scale = golden.network("carn-x2")
    everything = {key.replace("upsample.up.", "upsample.up2."): value for key, value in one_scale.items()}
    more = {"upsample.up3.body.0.weight": np.ones((36, 4, 3, 3), np.float32)}
    best = match.nearest({**everything, **more}, match.abstract(network, 2), layouts)[0]
    assert (best.title, best.complaints) == ("nmhkahn/CARN-pytorch", [])
    assert best.ignored == ["upsample.up3.body.0.weight (a part that this network lacks)"]
