import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import DBPNConfig
from sr_jax.errors import InputError
from sr_jax.models import DBPN, make
from sr_jax.models.dbpn import DownProjection, Projection, UpProjection


def set_all(unit: Projection, scale: int) -> None:
    """Makes the unit repeat each pixel on the way to HR and take the mean of its cell on the way back, without activations."""
    cell = jnp.zeros((scale + 4, scale + 4)).at[2:-2, 2:-2].set(1)[:, :, None, None]
    for step in (unit.project, unit.project_back, unit.project_error):
        step.conv.kernel[...] = cell if hasattr(step.conv, "output_padding") else cell / scale**2
        step.activation.slope[...] = jnp.ones((1,))


@pytest.mark.parametrize("scale", DBPN.about.scales)
def test_published_number_of_parameters(scale):
    """Section 4.2 of the paper says 10 million at x4; it does not say the other numbers."""
    model = nnx.eval_shape(lambda: make(DBPNConfig(), scale=scale, seed=0))
    parameters = sum(p.size for p in jax.tree.leaves(nnx.state(model)))
    assert parameters == {2: 5_953_526, 4: 10_426_358, 8: 23_205_878}[scale]
    assert scale != 4 or round(parameters / 1e6) == 10


@pytest.mark.parametrize("scale", DBPN.about.scales)
def test_projections_without_an_error(rng, scale):
    """If the way back inverts the way there, nothing is left to correct."""
    x = rng.random((1, 3, 4, 1), dtype=np.float32)
    enlarged = x.repeat(scale, 1).repeat(scale, 2)
    up, down = (kind(1, 1, scale=scale, rngs=nnx.Rngs(0)) for kind in (UpProjection, DownProjection))
    set_all(up, scale)
    set_all(down, scale)
    np.testing.assert_allclose(up(jnp.asarray(x)), enlarged, atol=1e-6)
    np.testing.assert_allclose(down(jnp.asarray(enlarged)), x, atol=1e-6)


def test_the_error_is_projected_and_added(rng):
    """A way back that returns half of L leaves the other half as the error: H = p(L) + p(L / 2 - L)."""
    up = UpProjection(1, 1, scale=2, rngs=nnx.Rngs(0))
    set_all(up, 2)
    up.project_back.conv.kernel[...] = up.project_back.conv.kernel[...] / 2
    x = rng.random((1, 3, 4, 1), dtype=np.float32)
    np.testing.assert_allclose(up(jnp.asarray(x)), x.repeat(2, 1).repeat(2, 2) / 2, atol=1e-6)


def test_units_with_several_inputs_fuse_them():
    model = nnx.eval_shape(lambda: make(DBPNConfig(stages=4, width=3, features=5), scale=2, seed=0))
    inputs = [[unit.fusion and unit.fusion.conv.kernel.shape[2] // 3 for unit in units] for units in (model.ups, model.downs)]
    assert inputs == [[None, None, 2, 3], [None, 2, 3]]
    assert model.last.kernel.shape == (3, 3, 4 * 3, 3)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=3: DBPN knows the scales 2, 4, 8"):
        make(DBPNConfig(), scale=3, seed=0)
