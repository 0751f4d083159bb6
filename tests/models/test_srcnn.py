import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import SRCNNConfig
from sr_jax.errors import InputError
from sr_jax.models import SRCNN, make
from sr_jax.ops.resize import bicubic_upsample
from sr_jax.weights.torch.mapping import shapes
from tests.models.count import count


@pytest.mark.parametrize(("f2", "weights"), [(1, 8_032), (5, 57_184)])
def test_published_number_of_weights(f2, weights):
    """Papers print the numbers of 9-1-5 and 9-5-5 (the latter in Table 2 of the FSRCNN paper)."""
    assert count(lambda: make(SRCNNConfig(f2=f2), scale=3, seed=0)) == {"kernel": weights, "bias": 97}


def test_structure():
    """Conv(f1, n1, 1) - Conv(f2, n2, n1) - Conv(f3, 1, n2)."""
    by_name = shapes(nnx.eval_shape(lambda: make(SRCNNConfig(n1=6, n2=4, f1=7, f2=3, f3=5), scale=2, seed=0)))
    kernels = {name.removesuffix(".kernel"): shape for name, shape in by_name.items() if name.endswith("kernel")}
    assert kernels == {"patch_extraction": (7, 7, 1, 6), "mapping": (3, 3, 6, 4), "reconstruction": (5, 5, 4, 1)}


def test_starts_as_in_the_paper():
    model = make(SRCNNConfig(), scale=2, seed=0)
    for conv in (model.patch_extraction, model.mapping, model.reconstruction):
        assert float(conv.kernel[...].std()) == pytest.approx(0.001, rel=0.05)
        assert not np.any(conv.bias[...])


@pytest.mark.parametrize("scale", SRCNN.about.scales)
def test_works_on_the_bicubic_image(rng, scale):
    """With middle taps of 1 from channel 0 to channel 0 the network returns its input, because that is positive."""
    model = make(SRCNNConfig(n1=2, n2=2, f2=3), scale=scale, seed=0)
    for conv in (model.patch_extraction, model.mapping, model.reconstruction):
        middle = conv.kernel.shape[0] // 2
        conv.kernel[...] = jnp.zeros(conv.kernel.shape).at[middle, middle, 0, 0].set(1)
    lr = jnp.asarray(rng.uniform(0.4, 0.6, (1, 5, 6, 1)), jnp.float32)
    np.testing.assert_allclose(model(lr), bicubic_upsample(lr, scale), atol=1e-6)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=8: SRCNN knows the scales 2, 3, 4"):
        make(SRCNNConfig(), scale=8, seed=0)
