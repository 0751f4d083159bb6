import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import ESPCNConfig
from sr_jax.errors import InputError
from sr_jax.models import make
from sr_jax.weights.torch.mapping import shapes
from tests.models.count import count


@pytest.mark.parametrize(("scale", "published", "weights"), [(2, 21, 21_184), (3, None, 22_624), (4, 25, 24_640)])
def test_published_number_of_weights(scale, published, weights):
    """Comparisons print thousands for x2 and x4."""
    assert count(lambda: make(ESPCNConfig(), scale=scale, seed=0)) == {"kernel": weights, "bias": 96 + scale**2}
    assert published in (None, round(weights / 1000))


def test_structure():
    """Conv(5, n1, 1) - Conv(3, n2, n1) - Conv(3, r^2, n2)."""
    by_name = shapes(nnx.eval_shape(lambda: make(ESPCNConfig(n1=6, n2=4), scale=3, seed=0)))
    kernels = {name.removesuffix(".kernel"): shape for name, shape in by_name.items() if name.endswith("kernel")}
    assert kernels == {"feature_extraction": (5, 5, 1, 6), "mapping": (3, 3, 6, 4), "sub_pixel.conv": (3, 3, 4, 9)}


def test_starts_free_of_a_checkerboard(rng):
    model = make(ESPCNConfig(), scale=3, seed=0)
    lr = jnp.asarray(rng.random((1, 7, 8, 1), dtype=np.float32))
    cells = np.asarray(jax.jit(lambda x: model(x))(lr)).reshape(7, 3, 8, 3)
    assert np.ptp(cells, axis=(1, 3)).max() < 1e-6 < cells.std()


@pytest.mark.parametrize("name", ["feature_extraction", "mapping"])
def test_tanh_keeps_the_size_of_its_signals(name):
    kernel = getattr(make(ESPCNConfig(), scale=3, seed=0), name).kernel[...]
    assert float(kernel.std()) == pytest.approx(np.prod(kernel.shape[:3]) ** -0.5, rel=0.05)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=8: ESPCN knows the scales 2, 3, 4"):
        make(ESPCNConfig(), scale=8, seed=0)
