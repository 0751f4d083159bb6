import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.errors import InputError
from sr_jax.models.vdsr import VDSR
from sr_jax.ops.resize import bicubic_upsample
from sr_jax.weights.torch.mapping import shapes
from tests.models.count import count


def test_published_number_of_weights():
    """665K: the number of weights, without biases."""
    found = count(lambda: VDSR(scale=2, rngs=nnx.Rngs(0)))
    assert found == {"kernel": 664_704}
    assert round(found["kernel"] / 1000) == 665


def test_structure():
    found = shapes(nnx.eval_shape(lambda: VDSR(scale=2, depth=5, width=6, rngs=nnx.Rngs(0))))
    assert found == {
        "input.kernel": (3, 3, 1, 6),
        **{f"hidden.{i}.kernel": (3, 3, 6, 6) for i in range(3)},
        "output.kernel": (3, 3, 6, 1),
    }


@pytest.mark.parametrize("scale", VDSR.about.scales)
def test_learns_what_bicubic_interpolation_lacks(rng, scale):
    model = VDSR(scale=scale, depth=3, width=4, rngs=nnx.Rngs(0))
    model.output.kernel[...] = jnp.zeros(model.output.kernel.shape)
    lr = jnp.asarray(rng.random((1, 5, 6, 1), dtype=np.float32))
    np.testing.assert_array_equal(model(lr), bicubic_upsample(lr, scale))


def test_starts_by_he():
    kernel = VDSR(scale=2, depth=3, rngs=nnx.Rngs(0)).hidden[0].kernel[...]
    assert float(kernel.std()) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=8: VDSR knows the scales 2, 3, 4"):
        VDSR(scale=8, rngs=nnx.Rngs(0))
