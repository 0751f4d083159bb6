import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.config import FSRCNNConfig
from sr_jax.errors import InputError
from sr_jax.models import FSRCNN, make
from tests.models.count import count


def parameters(model: FSRCNN) -> dict[str, jax.Array]:
    flat, _ = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(nnx.state(model, nnx.Param)))
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in flat}


@pytest.mark.parametrize("scale", FSRCNN.about.scales)
def test_published_number_of_weights(scale):
    """FSRCNN has 12,464 weights (Table 1 of the paper), and with 173 biases and 172 slopes 12,809 parameters."""
    leaves = parameters(make(FSRCNNConfig(), scale=scale, seed=0))
    assert sum(p.size for name, p in leaves.items() if name.endswith("kernel")) == 12_464
    assert sum(p.size for name, p in leaves.items() if name.endswith("bias")) == 173
    assert sum(p.size for p in leaves.values()) == 12_809


def test_published_number_of_weights_of_the_small_network():
    """FSRCNN-s, which is (32, 5, 1), is published with 3,937 weights."""
    assert count(lambda: make(FSRCNNConfig(d=32, s=5, m=1), scale=3, seed=0))["kernel"] == 3_937


def test_structure():
    """Conv(5, d, 1) - Conv(1, s, d) - m x Conv(3, s, s) - Conv(1, d, s) - DeConv(9, 1, d)."""
    leaves = parameters(make(FSRCNNConfig(d=7, s=3, m=2), scale=3, seed=0))
    kernels = {name.removesuffix(".kernel"): p.shape for name, p in leaves.items() if name.endswith("kernel")}
    assert kernels == {
        "feature_extraction": (5, 5, 1, 7),
        "shrinking": (1, 1, 7, 3),
        "mapping.0": (3, 3, 3, 3),
        "mapping.1": (3, 3, 3, 3),
        "expanding": (1, 1, 3, 7),
        "deconvolution": (9, 9, 7, 1),
    }


@pytest.mark.parametrize("scale", FSRCNN.about.scales)
def test_starts_as_bilinear_interpolation(rng, scale):
    model = make(FSRCNNConfig(), scale=scale, seed=1)
    model.deconvolution.kernel[...] = model.deconvolution.kernel[...].at[:, :, 1:].set(0)  # without the small random part
    lr = jnp.asarray(rng.random((1, 8, 9, 1), dtype=np.float32))
    bilinear = jax.image.resize(lr, (1, 8 * scale, 9 * scale, 1), "bilinear")
    rows, columns = (np.arange(scale, (n - 1) * scale) for n in (8, 9))  # at the border zero padding shows
    if scale == 4:  # nine taps cannot hold the interpolation: one phase in four is cut
        rows, columns = rows[rows % 4 != 1], columns[columns % 4 != 1]
        sr = np.asarray(model(lr))[0, ..., 0]
        np.testing.assert_allclose(sr[5:-4:4][:, 5:-4:4], lr[0, 1:-1, 1:-1, 0], atol=1e-6)
    inside = np.ix_([0], rows, columns, [0])
    np.testing.assert_allclose(np.asarray(model(lr))[inside], np.asarray(bilinear)[inside], atol=1e-6)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=5: FSRCNN knows the scales 2, 3, 4"):
        make(FSRCNNConfig(), scale=5, seed=0)
