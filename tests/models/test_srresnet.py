import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import SRResNetConfig
from sr_jax.errors import InputError
from sr_jax.models import make


@pytest.mark.parametrize(("scale", "parameters"), [(2, 1_369_859), (3, 1_554_499), (4, 1_517_571)])
def test_number_of_parameters(scale, parameters):
    """Public implementations have 1,517,571 at x4; their body and ends are the same at x2 and x3."""
    model = nnx.eval_shape(lambda: make(SRResNetConfig(), scale=scale, seed=0))
    assert sum(p.size for p in jax.tree.leaves(nnx.state(model))) == parameters


def test_nothing_but_parameters():
    """Without batch normalisation, training changes nothing else."""
    model = nnx.eval_shape(lambda: make(SRResNetConfig(), scale=2, seed=0))
    _, params, rest = nnx.split(model, nnx.Param, ...)
    assert jax.tree.leaves(params)
    assert not jax.tree.leaves(rest)


def test_starts_near_bilinear_interpolation(rng):
    model = make(SRResNetConfig(blocks=1, width=16), scale=4, seed=0)
    lr = jnp.asarray(rng.random((1, 5, 6, 3), dtype=np.float32))
    np.testing.assert_allclose(model(lr), jax.image.resize(lr, (1, 20, 24, 3), "bilinear"), atol=1e-3)


def test_kernels_start_at_a_tenth_of_he():
    kernel = make(SRResNetConfig(blocks=1, width=64), scale=2, seed=0).body[0].conv1.kernel[...]
    np.testing.assert_allclose(np.std(kernel), 0.1 * np.sqrt(2 / (9 * 64)), rtol=0.02)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=5: SRResNet knows the scales 2, 3, 4"):
        make(SRResNetConfig(), scale=5, seed=0)
