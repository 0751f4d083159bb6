import math

import jax
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import NETWORKS, CARNConfig
from sr_jax.errors import InputError
from sr_jax.layers import SubPixel
from sr_jax.models import CARN, make
from sr_jax.weights.torch import mapping
from sr_jax.weights.torch.layouts import LAYOUTS

ONE, ALL = "nmhkahn/CARN-pytorch, one scale", "nmhkahn/CARN-pytorch"


def parameters(module: nnx.Module) -> int:
    return sum(p.size for p in jax.tree.leaves(nnx.state(module)))


def test_published_number_of_parameters():
    """The published 1,592K (Table 2 of the paper) count the upsamplers of x2, x3 and x4."""
    models = [nnx.eval_shape(lambda scale=scale: make(CARNConfig(), scale=scale, seed=0)) for scale in CARN.about.scales]
    upsamplers = [parameters(model.upsampling) for model in models]
    (trunk,) = {parameters(model) - upsampler for model, upsampler in zip(models, upsamplers, strict=True)}
    assert round((trunk + sum(upsamplers)) / 1000) == 1592
    assert [parameters(model) for model in models] == [964_163, 1_148_803, 1_111_875]


def test_published_number_of_weights_of_carn_m():
    """The published 412K (Table 2 of the paper) leave out biases, and count the upsamplers of x2, x3 and x4."""
    kernels = {}
    for scale in CARN.about.scales:
        shapes = mapping.shapes(nnx.eval_shape(lambda scale=scale: make(NETWORKS["carn-m"], scale=scale, seed=0)))
        kernels |= {f"x{scale}.{name}" if name.startswith("upsampling") else name: shape for name, shape in shapes.items()}
    weights = {name: math.prod(shape) for name, shape in kernels.items() if name.endswith(".kernel")}
    assert sum(weights.values()) == 412_032
    assert {name for name in weights if ".units.0.units." in name} == {
        f"cascade.units.0.units.0.{conv}.kernel" for conv in ("conv1", "conv2", "point")
    }


def test_groups_divide_the_width():
    with pytest.raises(ValueError, match="groups=3 must divide width=64"):
        CARNConfig(groups=3)
    with pytest.raises(ValueError, match="groups=4 must divide in_channels=4 and out_channels=6"):
        SubPixel(4, 6, scale=2, groups=4, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("scale", CARN.about.scales)
def test_one_branch_of_a_network_of_all_scales_is_read(scale):
    config = CARNConfig(width=2)
    state, branches = {}, {}
    for s in CARN.about.scales:
        model = make(CARNConfig(width=2), scale=s, seed=s)
        params = {".".join(map(str, path)): np.asarray(v[...]) for path, v in nnx.to_flat_state(nnx.state(model))}
        branches[s] = {name: value for name, value in params.items() if name.startswith("upsampling")}
        state |= {
            key.replace("upsample.up.", f"upsample.up{s}."): value
            for key, value in mapping.to_torch(model, params, LAYOUTS["carn"](config, s)[ONE]).items()
        }
    model = make(CARNConfig(width=2), scale=scale, seed=0)
    layout = LAYOUTS["carn"](config, scale)[ALL]
    read = mapping.from_torch(model, state, layout)
    for name, value in branches[scale].items():
        np.testing.assert_array_equal(read[name], value)
    known = {leaf.key for leaf in mapping.leaves(model, layout)} | set(layout.constants)
    assert all(key.startswith(layout.ignored) for key in set(state) - known)
    assert not any(key.startswith(layout.ignored) for key in known)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=8: CARN knows the scales 2, 3, 4"):
        make(CARNConfig(), scale=8, seed=0)
