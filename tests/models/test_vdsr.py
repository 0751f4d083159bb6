import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import VDSRConfig
from sr_jax.errors import InputError
from sr_jax.models import VDSR, make
from sr_jax.ops.resize import bicubic_upsample
from sr_jax.weights.torch.mapping import shapes
from tests.models.count import count

pytestmark = pytest.mark.exact


def test_published_number_of_weights():
    """VDSR has 665K weights and no biases."""
    numbers = count(lambda: make(VDSRConfig(), scale=2, seed=0))
    assert numbers == {"kernel": 664_704}
    assert round(numbers["kernel"] / 1000) == 665


def test_structure():
    by_name = shapes(nnx.eval_shape(lambda: make(VDSRConfig(depth=5, width=6), scale=2, seed=0)))
    assert by_name == {
        "input.kernel": (3, 3, 1, 6),
        **{f"hidden.{i}.kernel": (3, 3, 6, 6) for i in range(3)},
        "output.kernel": (3, 3, 6, 1),
    }


@pytest.mark.parametrize("scale", VDSR.about.scales)
def test_learns_what_bicubic_interpolation_lacks(rng, scale):
    model = make(VDSRConfig(depth=3, width=4), scale=scale, seed=0)
    model.output.kernel[...] = jnp.zeros(model.output.kernel.shape)
    lr = jnp.asarray(rng.random((1, 5, 6, 1), dtype=np.float32))
    np.testing.assert_array_equal(model(lr), bicubic_upsample(lr, scale))


def test_starts_by_he():
    kernel = make(VDSRConfig(depth=3), scale=2, seed=0).hidden[0].kernel[...]
    assert float(kernel.std()) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=8: VDSR knows the scales 2, 3, 4"):
        make(VDSRConfig(), scale=8, seed=0)
