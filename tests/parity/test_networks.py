"""Every published network in full size equals its PyTorch module with the same random weights: `make parity`."""

import dataclasses

import jax
import numpy as np
import pytest

from sr_jax.config import NETWORKS, USRNetConfig
from sr_jax.models import MODELS, Known
from tests.models.cases import CASES, inputs
from tests.models.test_models import with_weights

pytestmark = pytest.mark.torch

LAYOUT_OF = {case.network.name: case.layout for case in CASES.values()}
PUBLISHED = [(name, scale) for name, network in NETWORKS.items() for scale in MODELS[network.name].about.scales]


@pytest.mark.parametrize(("name", "scale"), PUBLISHED, ids=lambda value: str(value))
def test_equals_pytorch(name, scale):
    """The outputs agree to 1e-5, or to 1e-5 of the largest value if that exceeds 1."""
    from tests import torch_models

    network = NETWORKS[name]
    if isinstance(network, USRNetConfig):
        network = dataclasses.replace(network, boundary="circular")  # their module does not extend the image
    case = CASES[next(n for n, c in CASES.items() if c.network.name == network.name)]
    case = case._replace(network=network, scale=scale, layout=LAYOUT_OF[network.name], size=(18, 14))
    theirs = torch_models.random_module(network, scale, seed=1)
    lr, *known = inputs(case)
    expected = torch_models.run(theirs, (lr, *known))
    ours = with_weights(case, torch_models.state(theirs))
    lr, *known = map(jax.numpy.asarray, (lr, *known))
    sr = jax.jit(lambda *args: ours(*args))(lr, *([Known(*known)] if known else []))
    np.testing.assert_allclose(sr, expected, atol=1e-5 * max(1.0, float(np.abs(expected).max())), rtol=0)
