"""The layouts of public implementations are tested with their networks; here is what a network without one gets."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.layers import Converse2D, Deconvolution, PReLU, SubPixel
from sr_jax.weights.torch import mapping, match
from sr_jax.weights.torch.layouts import LAYOUTS
from sr_jax.weights.torch.mapping import Layout, default_layout
from tests import golden
from tests.models.cases import CASES

ONE_OF_EACH = {case.network.name: case for case in CASES.values()}


class Tiny(nnx.Module):
    """A network with a layer of every kind, whose channels all differ."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.convs = nnx.List([nnx.Conv(1, 2, (3, 5), rngs=rngs), nnx.Conv(2, 3, (1, 1), use_bias=False, rngs=rngs)])
        self.activation = PReLU(3)
        self.norm = nnx.LayerNorm(3, rngs=rngs)
        self.deconvolution = Deconvolution(3, 4, (5, 7), 2, rngs=rngs)
        self.attention = nnx.Linear(4, 6, rngs=rngs)
        self.upsampling = SubPixel(6, 2, scale=3, rngs=rngs)
        self.converse = Converse2D(2, kernel_size=4, scale=2, rngs=rngs)
        self.line = nnx.Conv(2, 3, (5,), rngs=rngs)
        self.averaging = nnx.Param(jnp.ones(5))
        self.bias = nnx.Param(jnp.ones(2))


@pytest.fixture(scope="module")
def tiny():
    return nnx.eval_shape(Tiny)


def random_params(module, rng):
    return {name: rng.random(shape, dtype=np.float32) for name, shape in mapping.shapes(module).items()}


def test_default_layout_has_our_names_and_the_axes_of_pytorch(tiny, rng):
    params = random_params(tiny, rng)
    state = mapping.to_torch(tiny, params, default_layout(tiny))
    assert {key: value.shape for key, value in state.items()} == {
        "convs.0.weight": (2, 1, 3, 5),
        "convs.0.bias": (2,),
        "convs.1.weight": (3, 2, 1, 1),
        "activation.weight": (3,),
        "norm.weight": (3,),
        "norm.bias": (3,),
        "deconvolution.weight": (3, 4, 5, 7),
        "deconvolution.bias": (4,),
        "attention.weight": (6, 4),
        "attention.bias": (6,),
        "upsampling.conv.weight": (18, 6, 3, 3),
        "upsampling.conv.bias": (18,),
        "converse.kernel": (4, 4, 2),
        "converse.bias": (2,),
        "line.kernel": (5, 2, 3),
        "line.bias": (3,),
        "averaging": (5,),
        "bias": (2,),
    }


def test_default_layout_there_and_back(tiny, rng):
    params, layout = random_params(tiny, rng), default_layout(tiny)
    state = mapping.to_torch(tiny, params, layout)
    (best,) = match.nearest(state, tiny, {"sr_jax": layout})
    assert (best.complaints, len(best.matched)) == ([], len(params))
    back = mapping.from_torch(tiny, best.state, layout)
    assert back.keys() == params.keys()
    for name, value in params.items():
        np.testing.assert_array_equal(back[name], value, err_msg=name)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_every_network_has_a_default_layout(name, rng):
    case = ONE_OF_EACH[name]
    module = match.abstract(case.network, case.scale)
    params, layout = random_params(module, rng), default_layout(module)
    state = mapping.to_torch(module, params, layout)
    assert len(state) == len(params)
    back = mapping.from_torch(module, state, layout)
    for key, value in params.items():
        np.testing.assert_array_equal(back[key], value, err_msg=key)


@pytest.mark.parametrize("name", ["fsrcnn-x2", "srresnet-x3", "deconv-sr-x2"])
def test_default_layout_has_the_values_of_a_public_layout(name):
    """Both follow the same rules, which tests/models compares with what PyTorch computed."""
    case = CASES[name]
    module, theirs = match.abstract(case.network, case.scale), LAYOUTS[case.network.name](case.network, case.scale)[case.layout]
    _, state = golden.network(name)
    ours = mapping.to_torch(module, mapping.from_torch(module, state, theirs), default_layout(module))
    assert len(ours) == len(state)
    for path, their_path in theirs.modules.items():
        for attribute in ("weight", "bias"):
            if f"{their_path}.{attribute}" in state:
                np.testing.assert_array_equal(ours[f"{path}.{attribute}"], state[f"{their_path}.{attribute}"])


def test_a_layout_file_must_name_a_parameter_without_a_rule(tiny):
    with pytest.raises(TypeError, match=r"there is no rule for the axes of averaging: the layout must have it"):
        mapping.leaves(tiny, Layout({"convs.0": "a"}))
