import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from sr_jax.config import Config
from sr_jax.errors import InputError
from sr_jax.training import losses


def test_against_hand_computed_values():
    sr = jnp.array([0.0, 0.5, 1.0, 0.25]).reshape(1, 2, 2, 1)
    hr = jnp.array([0.0, 0.25, 0.0, 0.5]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(losses.l1(sr, hr), (0.25 + 1 + 0.25) / 4)
    np.testing.assert_allclose(losses.mse(sr, hr), (0.0625 + 1 + 0.0625) / 4)
    np.testing.assert_allclose(losses.charbonnier(sr, hr), (0.001 + 2 * 0.250002 + 1.0000005) / 4, rtol=1e-6)


def test_charbonnier_is_smooth_where_there_is_no_error():
    image = jnp.ones((1, 2, 2, 1))
    assert not jnp.any(jax.grad(losses.charbonnier)(image, image))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_can_be_chosen(name):
    assert Config(loss=name).loss == name


@pytest.fixture
def pair():
    """Two images of 13 rows and 16 or 17 columns that differ by noise."""
    rng = np.random.default_rng(0)

    def make(width: int, channels: int) -> tuple[jax.Array, jax.Array]:
        hr = rng.random((2, 13, width, channels), dtype=np.float32)
        return jnp.asarray(np.clip(hr + rng.normal(0, 0.1, hr.shape), 0, 1), jnp.float32), jnp.asarray(hr)

    return make


@pytest.mark.parametrize(("width", "channels"), [(16, 1), (17, 3)])
def test_ssim_against_scikit_image(pair, width, channels):
    sr, hr = pair(width, channels)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": -1}
    expected = [structural_similarity(np.float64(a), np.float64(b), **options) for a, b in zip(sr, hr, strict=True)]
    np.testing.assert_allclose(jax.jit(losses.ssim)(sr, hr), 1 - np.mean(expected), rtol=1e-5)


def test_ssim_of_equal_and_of_flat_images(pair):
    _, hr = pair(16, 1)
    value_and_gradient = jax.jit(jax.value_and_grad(losses.ssim))
    value, gradient = value_and_gradient(hr, hr)
    np.testing.assert_allclose(value, 0, atol=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)  # equal images are the minimum
    value, gradient = value_and_gradient(jnp.full_like(hr, 0.5), jnp.full_like(hr, 0.5))
    np.testing.assert_allclose(value, 0, atol=1e-6)
    assert jnp.isfinite(gradient).all()


def test_ssim_needs_its_window():
    with pytest.raises(InputError, match="the loss ssim compares windows of 11x11 pixels, but an image has 10x20"):
        losses.ssim(jnp.zeros((1, 10, 20, 1)), jnp.zeros((1, 10, 20, 1)))


@pytest.mark.parametrize(("width", "channels"), [(16, 1), (17, 3)])
def test_fft_against_numpy(pair, width, channels):
    sr, hr = pair(width, channels)
    spectra = [np.fft.fft2(np.float64(image), axes=(1, 2)) for image in (sr, hr)]
    parts = [np.stack([spectrum.real, spectrum.imag]) for spectrum in spectra]
    np.testing.assert_allclose(losses.fft(sr, hr), np.abs(parts[0] - parts[1]).mean(), rtol=1e-5)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_gradients_against_differences(pair, name):
    sr, hr = pair(16, 1)
    direction = np.random.default_rng(1).normal(size=sr.shape).astype(np.float32)
    loss, step = jax.jit(losses.LOSSES[name]), 1e-7  # so small that no difference changes its sign
    with jax.enable_x64(True):
        sr, hr, direction = (jnp.asarray(x, jnp.float64) for x in (sr, hr, direction))
        numeric = (loss(sr + step * direction, hr) - loss(sr - step * direction, hr)) / (2 * step)
        np.testing.assert_allclose(jnp.vdot(jax.grad(loss)(sr, hr), direction), numeric, rtol=1e-5)
