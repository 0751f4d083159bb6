import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import Config, EDSRConfig
from sr_jax.errors import InputError
from sr_jax.models import EDSR, make
from sr_jax.ops.resize import imresize
from sr_jax.weights.torch.layouts import LAYOUTS
from tests.models.objective import gradient


def parameters(scale: int, **options) -> int:
    model = nnx.eval_shape(lambda: make(EDSRConfig(**options), scale=scale, seed=0))
    return sum(p.size for p in jax.tree.leaves(nnx.state(model)))


@pytest.mark.parametrize(("scale", "thousands", "millions"), [(2, 1370, 40.7), (3, 1555, 43.7), (4, 1518, 43.1)])
def test_published_number_of_parameters(scale, thousands, millions):
    """Thousands of EDSR-baseline are rounded up, as in Table 1 of SAFMN; millions of EDSR are those of its authors' README."""
    assert math.ceil(parameters(scale, blocks=16, width=64, res_scale=1.0) / 1e3) == thousands
    assert round(parameters(scale) / 1e6, 1) == millions


@pytest.mark.parametrize(("channels", "mean"), [(3, (0.4488, 0.4371, 0.4040)), (1, (0.0,))])
def test_the_mean_is_what_is_left_of_a_network_of_zeros(channels, mean):
    """The mean is that of DIV2K for RGB; there is none for Y."""
    model = make(EDSRConfig(blocks=1, width=2, channels=channels), scale=2, seed=0)
    nnx.update(model, jax.tree.map(jnp.zeros_like, nnx.state(model)))
    sr = model(jnp.ones((1, 3, 4, channels)))
    np.testing.assert_allclose(sr, np.broadcast_to(np.float32(mean), (1, 6, 8, channels)))


@pytest.mark.parametrize("channels", [1, 3])
def test_says_what_it_reads(channels):
    config = Config(model=EDSRConfig(blocks=1, width=4, channels=channels))
    module = make(config.model, scale=2, seed=0)
    assert module.about.channels == channels
    assert EDSR.about.channels == 3
    lr, hr = jnp.full((1, 3, 4, channels), 0.5), jnp.full((1, 6, 8, channels), 0.5)
    assert module(lr).shape == hr.shape
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient(config, lr, hr, {})))


def test_residuals_are_scaled(rng):
    model = make(EDSRConfig(blocks=1, width=4, res_scale=0.1), scale=2, seed=0)
    plain = make(EDSRConfig(blocks=1, width=4, res_scale=1.0), scale=2, seed=0).body[0]
    x = jnp.asarray(rng.normal(size=(1, 3, 3, 4)), jnp.float32)
    np.testing.assert_allclose(model.body[0](x) - x, 0.1 * (plain(x) - x), atol=1e-6)


def test_kernels_start_as_pytorchs():
    kernel = make(EDSRConfig(blocks=1, width=64), scale=2, seed=0).body_end.kernel[...]
    bound = (9 * 64) ** -0.5
    assert 0.99 * bound < np.abs(kernel).max() <= bound
    np.testing.assert_allclose(np.std(kernel), bound / np.sqrt(3), rtol=0.02)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=5: EDSR knows the scales 2, 3, 4"):
        make(EDSRConfig(), scale=5, seed=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_with_an_image_skip_it_starts_as_bicubic_interpolation(rng, channels):
    """Other code has no such network, so no layout fits it."""
    lr = jnp.asarray(rng.random((1, 9, 8, channels), dtype=np.float32))
    bicubic = imresize(lr, scale=2, kernel="bicubic", antialias=True)
    model = make(EDSRConfig(blocks=1, width=4, channels=channels, image_skip=True), scale=2, seed=0)
    np.testing.assert_allclose(model(lr)[:, 4:-4, 4:-4], bicubic[:, 4:-4, 4:-4], atol=0.02)
    with pytest.raises(InputError, match=r"only sr_jax has model\.image_skip=True"):
        LAYOUTS["edsr"](EDSRConfig(image_skip=True), 2)
