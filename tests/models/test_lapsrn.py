import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from sr_jax.config import LapSRNConfig
from sr_jax.errors import InputError
from sr_jax.models import make
from sr_jax.training import losses
from sr_jax.weights.torch.mapping import shapes
from tests.models.count import count


def halved(image: np.ndarray) -> np.ndarray:
    """Pillow's bicubic reduction, which equals MATLAB's except at the border; the image is therefore reflected first."""
    large = Image.fromarray(np.pad(image, 8, mode="symmetric"))
    return np.asarray(large.resize((large.width // 2, large.height // 2), Image.Resampling.BICUBIC))[4:-4, 4:-4]


def test_published_number_of_weights():
    """LapSRN x4 has 813K weights with the 3x3 transposed convolutions of the authors' network instead of the paper's 4x4."""
    numbers = count(lambda: make(LapSRNConfig(), scale=4, seed=0))
    assert numbers == {"kernel": 870_112}
    assert round((numbers["kernel"] - 2 * 64 * 64 * (4**2 - 3**2)) / 1000) == 813


@pytest.mark.parametrize(("scale", "levels"), [(2, 1), (4, 2), (8, 3)])
def test_structure(scale, levels):
    by_name = shapes(nnx.eval_shape(lambda: make(LapSRNConfig(depth=2, width=6), scale=scale, seed=0)))
    expected = {"input.kernel": (3, 3, 1, 6)}
    for level in range(levels):
        expected |= {
            f"features.{level}.convs.0.kernel": (3, 3, 6, 6),
            f"features.{level}.convs.1.kernel": (3, 3, 6, 6),
            f"features.{level}.enlargement.kernel": (4, 4, 6, 6),
            f"enlargements.{level}.kernel": (4, 4, 1, 1),
            f"residuals.{level}.kernel": (3, 3, 6, 1),
        }
    assert by_name == expected


def test_starts_from_bilinear_interpolation(rng):
    """This holds without the random residuals and away from the border, where zeros come in."""
    model = make(LapSRNConfig(depth=1, width=4), scale=4, seed=0)
    for residual in model.residuals:
        residual.kernel[...] = jnp.zeros(residual.kernel.shape)
    lr = jnp.asarray(rng.random((1, 8, 9, 1), dtype=np.float32))
    half = jax.image.resize(lr, (1, 16, 18, 1), "bilinear")
    expected = jax.image.resize(half, (1, 32, 36, 1), "bilinear")
    np.testing.assert_allclose(model(lr)[:, 8:-8, 8:-8], expected[:, 8:-8, 8:-8], atol=1e-6)


def test_objective_supervises_every_level(rng):
    """The objective is the paper's sum over the pixels of each level, divided by the pixels of HR."""
    lr, hr = (rng.random(shape, dtype=np.float32) for shape in ((2, 5, 6, 1), (2, 20, 24, 1)))
    model = make(LapSRNConfig(depth=1, width=4), scale=4, seed=0)
    half, whole = (np.asarray(image, np.float64) for image in model.pyramid(jnp.asarray(lr)))
    target = np.stack([halved(image[..., 0]) for image in hr])[..., None]
    total = sum(np.sqrt((a - b) ** 2 + 1e-6).sum() for a, b in ((half, target), (whole, hr)))
    objective = model.objective(jnp.asarray(lr), jnp.asarray(hr), None, loss=losses.charbonnier)
    np.testing.assert_allclose(objective, total / hr.size, rtol=1e-4)


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale=3: LapSRN knows the scales 2, 4, 8"):
        make(LapSRNConfig(), scale=3, seed=0)
