import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import DRCNConfig
from sr_jax.errors import InputError
from sr_jax.models import DRCN, make
from sr_jax.ops.resize import bicubic_upsample
from sr_jax.training import losses
from sr_jax.weights.torch.mapping import shapes
from tests.models.count import count


def small(**options) -> DRCN:
    return make(DRCNConfig(recursions=3, width=4, **options), scale=2, seed=0)


def test_published_number_of_parameters():
    """The published 1775K count weights, biases and the 16 weights of the average."""
    numbers = count(lambda: make(DRCNConfig(), scale=2, seed=0))
    assert numbers == {"kernel": 1_774_080, "bias": 1_025, "averaging": 16}
    assert round(sum(numbers.values()) / 1000) == 1775


def test_structure():
    by_name = shapes(nnx.eval_shape(small))
    assert {name: shape for name, shape in by_name.items() if not name.endswith("bias")} == {
        "averaging": (3,),
        "embedding.0.kernel": (3, 3, 1, 4),
        "embedding.1.kernel": (3, 3, 4, 4),
        "inference.kernel": (3, 3, 4, 4),
        "reconstruction.0.kernel": (3, 3, 4, 4),
        "reconstruction.1.kernel": (3, 3, 4, 1),
    }


def test_starts_with_recursions_that_change_nothing(rng):
    lr = jnp.asarray(rng.random((1, 5, 6, 1), dtype=np.float32))
    model = small()
    first, *others = model.predictions(lr)
    assert len(others) == 2
    assert float(jnp.abs(first - bicubic_upsample(lr, 2)).max()) > 0.01
    for y in (*others, model(lr)):
        np.testing.assert_allclose(y, first, atol=1e-6)


def test_averages_the_predictions_of_all_recursions(rng):
    lr = jnp.asarray(rng.random((1, 5, 6, 1), dtype=np.float32))
    model = small()
    model.inference.kernel[...] = 0.5 * model.inference.kernel[...]
    model.averaging[...] = jnp.array([0.5, -0.25, 2.0])
    y = [np.asarray(prediction) for prediction in model.predictions(lr)]
    assert min(np.abs(y[0] - y[1]).max(), np.abs(y[1] - y[2]).max()) > 0.01
    np.testing.assert_allclose(model(lr), 0.5 * y[0] - 0.25 * y[1] + 2 * y[2], atol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_objective_supervises_every_recursion(rng, alpha):
    lr, hr = (jnp.asarray(rng.random(shape), jnp.float32) for shape in ((2, 5, 6, 1), (2, 10, 12, 1)))
    model = small(alpha=alpha)
    model.inference.kernel[...] = 0.5 * model.inference.kernel[...]
    of_recursions = np.mean([np.mean((np.asarray(y) - np.asarray(hr)) ** 2) for y in model.predictions(lr)])
    of_average = np.mean((np.asarray(model(lr)) - np.asarray(hr)) ** 2)
    expected = alpha * of_recursions + (1 - alpha) * of_average
    np.testing.assert_allclose(model.objective(lr, hr, None, loss=losses.mse), expected, rtol=1e-5)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=8: DRCN knows the scales 2, 3, 4"):
        make(DRCNConfig(), scale=8, seed=0)
