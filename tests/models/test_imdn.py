import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import IMDNConfig
from sr_jax.errors import InputError
from sr_jax.models import make
from sr_jax.models.imdn import ContrastAttention


@pytest.mark.parametrize(("scale", "thousands"), [(2, 694), (3, 703), (4, 715)])
def test_published_number_of_parameters(scale, thousands):
    """The numbers are those of Table 4 of the paper."""
    model = nnx.eval_shape(lambda: make(IMDNConfig(), scale=scale, seed=0))
    assert round(sum(p.size for p in jax.tree.leaves(nnx.state(model))) / 1000) == thousands


def test_attention_sees_the_whole_image(rng):
    """The factor of a pixel depends on the mean and the contrast of the whole channels."""
    attention = ContrastAttention(16, rngs=nnx.Rngs(0))
    attention.squeeze.kernel[...] = jnp.ones((1, 1, 16, 1))
    attention.excite.kernel[...] = jnp.ones((1, 1, 1, 16))
    x = rng.random((1, 8, 9, 16), dtype=np.float32)
    total = (x.std((1, 2)) + x.mean((1, 2))).sum()
    np.testing.assert_allclose(attention(jnp.asarray(x)), x / (1 + np.exp(-total)), rtol=1e-5)


def test_flat_features_have_gradients():
    """The variance of a constant is 0, where the square root has no gradient."""
    attention = ContrastAttention(16, rngs=nnx.Rngs(0))
    gradient = jax.grad(lambda x: attention(x).sum())(jnp.ones((1, 4, 4, 16)))
    assert np.isfinite(gradient).all()


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=8: IMDN knows the scales 2, 3, 4"):
        make(IMDNConfig(), scale=8, seed=0)
