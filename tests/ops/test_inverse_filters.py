import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
import scipy.signal
from skimage import restoration

from sr_jax.ops.inverse_filters import LAPLACIAN, constrained_least_squares, tikhonov, wiener

pytestmark = pytest.mark.exact


def test_an_integer_lambda_is_a_number_like_any_other(rng):
    y, k = (jnp.asarray(rng.uniform(size=s), jnp.float32) for s in ((1, 8, 9, 2), (3, 3)))
    one = jnp.asarray(1)
    np.testing.assert_array_equal(
        constrained_least_squares(y, k, one, boundary="circular"), constrained_least_squares(y, k, 1.0, boundary="circular")
    )
    np.testing.assert_array_equal(tikhonov(y, k, one, boundary="circular"), tikhonov(y, k, 1.0, boundary="circular"))


def test_a_spectrum_for_each_channel_and_every_boundary(rng):
    y, k = (jnp.asarray(rng.uniform(size=s), jnp.float32) for s in ((1, 8, 9, 2), (3, 3)))
    prior = lambda fy, fx: jnp.asarray(np.stack([0.1 + 0 * (fy + fx), 0.2 + 0 * (fy + fx)], -1), jnp.float32)
    for boundary in ("circular", "symmetric"):
        out = wiener(y, k, nsr=prior, boundary=boundary, margin=5)
        np.testing.assert_allclose(out[..., 1], tikhonov(y, k, 0.2, boundary=boundary, margin=5)[..., 1], atol=1e-6)
    assert wiener(y, k, nsr=prior, boundary="symmetric").shape == y.shape


def test_scikit_image_wiener(rng):
    """scikit-image's `wiener` is constrained least squares with the Laplacian, and Tikhonov's inverse with the identity."""
    y, k = rng.uniform(size=(16, 20)), rng.uniform(size=(5, 5))
    k /= k.sum()
    laplacian = np.zeros((3, 3))
    laplacian[1, 1], laplacian[0, 1], laplacian[2, 1], laplacian[1, 0], laplacian[1, 2] = 4, -1, -1, -1, -1
    np.testing.assert_array_equal(4 * LAPLACIAN, laplacian)
    with jax.enable_x64(True):
        image, kernel = jnp.asarray(y)[None, :, :, None], jnp.asarray(k)
        ours = constrained_least_squares(image, kernel, 0.3, penalty=laplacian, boundary="circular")
        np.testing.assert_allclose(ours[0, :, :, 0], restoration.wiener(y, k, 0.3, clip=False), atol=1e-12)
        identity = np.zeros((3, 3))
        identity[1, 1] = 1
        theirs = restoration.wiener(y, k, 0.02, reg=identity, clip=False)
        np.testing.assert_allclose(tikhonov(image, kernel, 0.02, boundary="circular")[0, :, :, 0], theirs, atol=1e-12)
        np.testing.assert_allclose(wiener(image, kernel, nsr=0.02, boundary="circular")[0, :, :, 0], theirs, atol=1e-12)


def test_scipy_wiener_filter(rng):
    """An nsr for each frequency gives the same as the formula with SciPy's transforms."""
    y, k = rng.uniform(size=(16, 15)), rng.uniform(size=(3, 3))
    prior = lambda fy, fx: 0.01 + fy**2 + fx**2
    torus = np.zeros((16, 15))
    torus[:3, :3] = k
    otf = scipy.fft.fft2(np.roll(torus, (-1, -1), (0, 1)))
    nsr = prior(scipy.fft.fftfreq(16)[:, None], scipy.fft.fftfreq(15)[None])
    expected = scipy.fft.ifft2(np.conj(otf) * scipy.fft.fft2(y) / (np.abs(otf) ** 2 + nsr)).real
    with jax.enable_x64(True):
        image, kernel = jnp.asarray(y)[None, :, :, None], jnp.asarray(k)
        np.testing.assert_allclose(wiener(image, kernel, nsr=prior, boundary="circular")[0, :, :, 0], expected, atol=1e-12)
        table = jnp.asarray(nsr[:, :8])
        np.testing.assert_allclose(wiener(image, kernel, nsr=table, boundary="circular")[0, :, :, 0], expected, atol=1e-12)
        twice = wiener(jnp.concatenate([image, image], -1), kernel, nsr=jnp.array([0.1, 0.2]), boundary="circular")
        np.testing.assert_allclose(twice[..., 1:], tikhonov(image, kernel, 0.2, boundary="circular"), atol=1e-12)


def test_against_iterative_and_self_tuning_restoration(rng):
    """On a noisy blurred photograph, the Wiener filter with the true spectra is better than scikit-image's methods."""
    from skimage import data

    image = data.camera()[100:228, 100:228] / 255
    k = np.full((5, 5), 1 / 25)
    blurred = scipy.ndimage.convolve(image, k, mode="wrap") + rng.normal(scale=0.02, size=image.shape)
    spectrum = np.abs(np.fft.rfft2(image - image.mean())) ** 2
    fy, fx = np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None]
    slope = np.mean(spectrum * (fy**2 + fx**2))  # the image has the power spectrum slope / f^2
    ours = wiener(
        jnp.asarray(blurred, jnp.float32)[None, :, :, None],
        jnp.asarray(k, jnp.float32),
        nsr=lambda fy, fx: jnp.asarray(128**2 * 0.02**2 * (fy**2 + fx**2) / slope, jnp.float32),
        boundary="circular",
    )[0, :, :, 0]
    psnr = lambda x: -10 * np.log10(np.mean((x - image) ** 2))
    theirs, _ = restoration.unsupervised_wiener(blurred, k, clip=False, rng=0)
    lucy = restoration.richardson_lucy(np.clip(blurred, 1e-3, 1), k, num_iter=10)
    assert psnr(ours) > max(psnr(theirs), psnr(lucy), psnr(blurred) + 2)
