"""Every network is registered, and equals its PyTorch module under the names of a public implementation."""

import dataclasses
import inspect
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from sr_jax import config, models
from sr_jax.config import NETWORK_GROUPS, NETWORKS, NetworkConfig
from sr_jax.config.groups import members
from sr_jax.models import MODELS, Known, make
from sr_jax.weights.torch import mapping
from sr_jax.weights.torch.layouts import LAYOUTS
from tests import golden
from tests.models.cases import CASES, Case, inputs

pytestmark = pytest.mark.exact


def build(network, scale: int) -> nnx.Module:
    return make(network, scale=scale, seed=0)


def with_weights(case: Case, state: dict[str, np.ndarray]) -> nnx.Module:
    module = build(case.network, case.scale)
    params = mapping.from_torch(module, state, LAYOUTS[case.network.name](case.network, case.scale)[case.layout])
    for path, variable in nnx.to_flat_state(nnx.state(module, nnx.Param)):
        value = params[".".join(map(str, path))]
        assert variable.shape == value.shape
        variable[...] = jax.numpy.asarray(value)
    return module


def test_the_registries_agree():
    """Files, imported classes, groups of keys, the union of the config and the published networks are the same networks."""
    files = {path.stem.replace("_", "-") for path in Path(models.__file__).parent.glob("*.py")} - {"--init--", "about"}
    assert set(MODELS) == set(NETWORK_GROUPS) == files
    assert set(members(NetworkConfig)) == files
    assert {network.name for network in NETWORKS.values()} == files
    assert all(type(network) is NETWORK_GROUPS[network.name] for network in NETWORKS.values())
    assert files == {case.network.name for case in CASES.values()}
    assert {network.__name__ for network in MODELS.values()} < set(models.__all__)
    assert {group.__name__ for group in NETWORK_GROUPS.values()} < set(config.__all__)


@pytest.mark.parametrize("name", MODELS)
def test_options_are_the_keys_of_the_group(name):
    """A class has exactly the keys of its group as options, and only the group has defaults."""
    keys = {field.name for field in dataclasses.fields(NETWORK_GROUPS[name])} - {"name"}
    options = inspect.signature(MODELS[name].__init__).parameters
    assert set(options) == keys | {"self", "scale", "rngs"}
    assert all(option.default is option.empty for option in options.values())
    assert all(option.kind is option.KEYWORD_ONLY for name, option in options.items() if name != "self")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_is_named(name):
    """It is one layer: a kernel, and perhaps a bias."""
    network = NETWORKS[name]
    about = MODELS[network.name].about
    module = nnx.eval_shape(lambda: build(network, about.scales[0]))
    paths = [".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(module, nnx.Param))]
    assert sum(path.startswith(f"{about.last}.") for path in paths) in (1, 2)


FIRST = {case.network.name: name for name, case in reversed(CASES.items())}
"""The first case of each network."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FIRST.values() else pytest.mark.slow) for name in CASES]
)
def test_equals_pytorch(name):
    case = CASES[name]
    expected, state = golden.network(name)
    lr, *known = map(jax.numpy.asarray, inputs(case))
    module = with_weights(case, state)
    sr = jax.jit(lambda *args: module(*args))(lr, *([Known(*known)] if known else []))
    np.testing.assert_allclose(sr, expected, atol=1e-5, rtol=0)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("name", CASES)
def test_back_to_pytorch(name):
    case = CASES[name]
    _, state = golden.network(name)
    module = with_weights(case, state)
    layout = LAYOUTS[case.network.name](case.network, case.scale)[case.layout]
    ours = {".".join(map(str, path)): np.asarray(value[...]) for path, value in nnx.to_flat_state(nnx.state(module, nnx.Param))}
    back = mapping.to_torch(module, ours, layout)
    assert set(back) == set(state)
    for key, value in state.items():
        np.testing.assert_array_equal(back[key], value, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_names_every_parameter_once(name):
    group = next(network for network in NETWORKS.values() if network.name == name)
    for scale in MODELS[name].about.scales:
        module = nnx.eval_shape(lambda scale=scale: build(group, scale))
        for title, layout in LAYOUTS[name](group, scale).items():
            keys = [leaf.key for leaf in mapping.leaves(module, layout)]
            assert all(keys), title
            assert len(set(keys) | set(layout.constants)) == len(keys) + len(layout.constants), title
