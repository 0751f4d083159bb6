import numpy as np
import pytest

from sr_jax.config import CARNConfig, FSRCNNConfig, SRResNetConfig
from sr_jax.errors import InputError
from sr_jax.weights.torch import match
from sr_jax.weights.torch.layouts import LAYOUTS
from sr_jax.weights.torch.mapping import Layout
from tests import golden

NETWORK_CONFIG = FSRCNNConfig(d=7, s=3, m=2)


@pytest.fixture(scope="module")
def module():
    return match.abstract(NETWORK_CONFIG, 2)


@pytest.fixture
def layouts():
    return LAYOUTS["fsrcnn"](NETWORK_CONFIG, 2)


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


def test_names_that_are_the_same_without_a_prefix(module, layouts, state):
    key = next(iter(state))
    wrapped = {f"module.{name}": value for name, value in state.items()}
    message = rf"the tensors module\.{key} and {key} are both called {key} without module\.; remove one of them"
    for tensors in ({**wrapped, key: np.ones(3, np.int64)}, {key: np.ones(3, np.int64), **wrapped}):
        with pytest.raises(InputError, match=message):
            match.nearest(tensors, module, layouts)


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
    best = match.nearest(state if stored is None else {**state, "mean": stored}, module, {"so": layout})[0]
    assert best.complaints == complaints
    assert len(best.matched) == len(state)


def test_published_networks_are_known_by_their_shapes():
    layouts = LAYOUTS["fsrcnn"](FSRCNNConfig(), 3)
    full = {
        leaf.key: np.zeros(match.shape_of(leaf), np.float32)
        for leaf in match.leaves(match.abstract(FSRCNNConfig(), 3), layouts["Lornatang/FSRCNN-PyTorch"])
    }
    assert match.other_networks(full) == {"fsrcnn": [2, 3, 4]}
    assert match.other_networks({"conv.weight": np.zeros(3, np.float32)}) == {}


def test_parts_that_a_network_lacks_are_ignored():
    """CARN's released files hold the upsamplers of all scales."""
    network_config = CARNConfig(width=4)
    layouts = LAYOUTS["carn"](network_config, 2)
    _, one_scale = golden.network("carn-x2")
    all_scales = {key.replace("upsample.up.", "upsample.up2."): value for key, value in one_scale.items()}
    more = {"upsample.up3.body.0.weight": np.ones((36, 4, 3, 3), np.float32)}
    best = match.nearest({**all_scales, **more}, match.abstract(network_config, 2), layouts)[0]
    assert (best.title, best.complaints) == ("nmhkahn/CARN-pytorch", [])
    assert best.ignored == ["upsample.up3.body.0.weight (a part that this network lacks)"]


def test_other_scales(state):
    """FSRCNN's weights have the same shapes at every scale, and SRResNet's do not."""
    best = match.nearest(state, match.abstract(NETWORK_CONFIG, 2), match.layouts_of(NETWORK_CONFIG, 2))[0]
    assert match.other_scales(best, NETWORK_CONFIG, 2) == [3, 4]
    other = SRResNetConfig(blocks=2, width=6)
    best = match.nearest(golden.network("srresnet-x2")[1], match.abstract(other, 2), match.layouts_of(other, 2))[0]
    assert match.other_scales(best, other, 2) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda state: state, False),
        (lambda state: {key: value for key, value in state.items() if key != "mid_part.0.bias"}, False),
        (lambda state: {key: value for key, value in state.items() if not key.startswith("mid_part.0.")}, True),
        (lambda state: {**state, "mid_part.0.bias": np.zeros(5, np.float32)}, True),
        (lambda state: {**state, "mid_part.8.bias": np.zeros(5, np.float32)}, True),
        (lambda state: {f"theirs.{key}": value for key, value in state.items()}, False),
    ],
    ids=["same", "a tensor is missing", "a layer is missing", "a shape differs", "more layers", "other names"],
)
def test_other_sizes(module, layouts, state, change, expected):
    best = match.nearest(change(state), module, layouts)[0]
    assert match.has_other_sizes(best, module) == expected


def test_a_network_without_a_file_of_layouts(monkeypatch, module):
    monkeypatch.delitem(LAYOUTS, "fsrcnn")
    layouts = match.layouts_of(NETWORK_CONFIG, 2)
    assert [*layouts] == ["sr_jax"]
    state = {leaf.key: np.zeros(match.shape_of(leaf), np.float32) for leaf in match.leaves(module, layouts["sr_jax"])}
    assert state.keys() >= {"mapping.1.weight", "mapping.1.bias", "mapping_activations.1.weight", "deconvolution.weight"}
    best = match.nearest(state, module, layouts)[0]
    assert (best.complaints, len(best.matched)) == ([], len(state))
    assert match.other_scales(best, NETWORK_CONFIG, 2) == [3, 4]
    assert match.other_networks(state) == {}
