import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import fftconvolve
from skimage import data

from sr_jax.ops import blur_kernels, estimate_noise
from sr_jax.ops.noise import _HIGH_PASS, natural_nsr


def test_the_filter_is_daubechies():
    """An orthonormal filter that removes constants and slopes."""
    np.testing.assert_allclose([np.sum(_HIGH_PASS**2), np.sum(_HIGH_PASS[2:] * _HIGH_PASS[:2])], [1, 0], atol=1e-12)
    np.testing.assert_allclose([np.sum(_HIGH_PASS), np.sum(_HIGH_PASS * np.arange(4))], 0, atol=1e-12)


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.05])
def test_the_noise_of_a_blurred_photograph(rng, noise):
    image = fftconvolve(data.camera() / 255, np.asarray(blur_kernels.gaussian(11, 1.6)), mode="valid")
    levels = np.array([1.0, 2.0]) * noise
    noisy = image[..., None] + levels * rng.standard_normal((*image.shape, 2))
    found = estimate_noise(jnp.asarray(noisy, jnp.float32)[None])
    np.testing.assert_allclose(found, levels[None], rtol=0.03)
    np.testing.assert_allclose(estimate_noise(jnp.asarray(255 * noisy, jnp.float32)[None]), 255 * found, rtol=1e-3)


def test_constant_areas_are_left_out(rng):
    """Most of the image is black, as in a photograph of the night sky."""
    image = np.zeros((96, 96))
    image[:, :32] = 0.5 + 0.02 * rng.standard_normal((96, 32))
    np.testing.assert_allclose(estimate_noise(jnp.asarray(image, jnp.float32)[None, :, :, None]), 0.02, rtol=0.1)
    for value in (0.0, 0.3, 1.0):
        assert float(estimate_noise(jnp.full((1, 16, 16, 1), value))[0, 0]) == 0


def test_bad_images():
    with pytest.raises(ValueError, match="the noise of a 3x9 image cannot be estimated"):
        estimate_noise(jnp.zeros((1, 3, 9, 1)))
    with pytest.raises(ValueError, match="image has the type uint8, but must be float"):
        estimate_noise(jnp.zeros((1, 8, 8, 1), jnp.uint8))


def test_the_power_of_an_image_that_follows_the_model(rng):
    """An image of random phases with the spectrum a / f^2, blurred and noisy: the ratio is that of the true a."""
    n, a, noise = 256, 5e-4, 0.02
    fy, fx = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]
    squares = fy**2 + fx**2
    white = np.fft.rfft2(rng.standard_normal((n, n)))
    image = np.fft.irfft2(white * np.sqrt(a / np.where(squares > 0, squares, np.inf)))
    kernel = np.asarray(blur_kernels.gaussian(9, 1.2))
    y = fftconvolve(image, kernel, mode="valid")
    y = jnp.asarray(y + noise * rng.standard_normal(y.shape), jnp.float32)[None, :, :, None]
    level = jnp.full((1, 1, 1, 1), noise)
    nsr = natural_nsr(y, jnp.asarray(kernel)[None, :, :, None], level, (n, n), centre=(4, 4))
    np.testing.assert_allclose(nsr[0, 0], noise**2 * squares / a, rtol=0.1)


def test_constant_images_and_no_noise_stay_finite():
    kernel = jnp.full((1, 3, 3, 1), 1 / 9)
    for value, noise in ((0.0, 0.0), (0.5, 0.02), (1.0, 0.0)):
        y = jnp.full((1, 16, 16, 1), value)
        level = jnp.full((1, 1, 1, 1), noise)
        assert np.isfinite(natural_nsr(y, kernel, level, (32, 32), centre=(1, 1))).all()
