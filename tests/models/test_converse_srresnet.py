from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import NETWORKS, Config, ConverseSRResNetConfig
from sr_jax.errors import InputError
from sr_jax.layers import Converse2D
from tests.models.objective import gradient
from tests.models.test_models import build

SMALL = ConverseSRResNetConfig(blocks=1, width=4)


def test_published_number_of_parameters():
    """The published weights have 699,072 parameters; the authors' table says 694,208, without the normalisations."""
    module = nnx.eval_shape(lambda: build(NETWORKS["converse-srresnet"], 4))
    sizes = {path: p.size for path, p in nnx.to_flat_state(nnx.state(module, nnx.Param))}
    assert sum(sizes.values()) == 699_072
    assert sum(size for path, size in sizes.items() if not any("norm" in str(part) for part in path)) == 694_208


def test_least_lambda_of_blocks_and_upsamplers():
    module: Any = build(SMALL, 4)
    layers = {".".join(map(str, path)): node for path, node in nnx.iter_graph(module) if isinstance(node, Converse2D)}
    settings = {(n.kernel_size, n.scale, n.padding, n.boundary, n.eps) for n in layers.values()}
    assert settings == {(5, 1, 4, "replicate", 1e-5), (2, 2, 2, "replicate", 1e-3)}
    assert [name for name, node in layers.items() if node.scale == 2] == ["ups.0", "ups.1"]


@pytest.mark.parametrize("scale", [2, 4])
def test_without_its_tail_it_interpolates_bilinearly(rng, scale):
    module: Any = build(SMALL, scale)
    module.tail.kernel[...] *= 0
    lr = jnp.asarray(rng.random((1, 6, 5, 3), dtype=np.float32))
    np.testing.assert_allclose(module(lr), jax.image.resize(lr, (1, 6 * scale, 5 * scale, 3), "bilinear"), atol=1e-6)


def test_upsamplers_start_near_nearest_neighbour(rng):
    module: Any = build(SMALL, 2)
    y = jnp.asarray(rng.random((1, 3, 4, 4), dtype=np.float32))
    np.testing.assert_allclose(module.ups[0](y), y.repeat(2, 1).repeat(2, 2), atol=1e-5)


@pytest.mark.slow
def test_bfloat16_stays(rng):
    module: Any = build(SMALL, 4)
    graph, params = nnx.split(module, nnx.Param)
    half = nnx.merge(graph, jax.tree.map(lambda p: p.astype(jnp.bfloat16), params))
    lr = jnp.asarray(rng.random((2, 6, 5, 3), dtype=np.float32))
    sr = half(lr.astype(jnp.bfloat16))  # not close to float32, because lambda = 1e-4 amplifies rounding errors
    assert sr.dtype == jnp.bfloat16
    assert jnp.isfinite(sr).all()


@pytest.mark.slow
def test_its_objective_has_gradients(rng):
    lr, hr = (jnp.asarray(rng.random((2, n, n, 3), dtype=np.float32)) for n in (8, 32))
    gradients = gradient(Config(scale=4, model=SMALL), lr, hr, {})
    norms = [float(jnp.linalg.norm(g.ravel())) for g in jax.tree.leaves(gradients)]
    assert np.isfinite(norms).all()
    assert min(norms) > 0


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=3: Converse-SRResNet knows the scales 2, 4"):
        build(SMALL, 3)
