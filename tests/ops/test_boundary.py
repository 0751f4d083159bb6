import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from sr_jax.ops.boundary import BOUNDARIES, crop_border, edgetaper, extend_border


def gaussian(size, sigma):
    t = np.arange(size) - size // 2
    k = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * sigma**2))
    return k / k.sum()


@pytest.mark.parametrize("mode", BOUNDARIES)
def test_the_image_itself_is_kept(rng, mode):
    x = jnp.asarray(rng.uniform(size=(2, 9, 7, 3)), jnp.float32)
    psf = jnp.asarray(gaussian(3, 1.0), jnp.float32)[None, :, :, None]
    extended = extend_border(x, 5, mode, psf=psf)
    assert extended.shape == ((2, 9, 7, 3) if mode == "circular" else (2, 19, 17, 3))
    if mode != "circular":
        np.testing.assert_array_equal(crop_border(extended, 5), x)
    assert np.array_equal(extend_border(x, 0, mode, psf=psf), x) == (mode != "edgetaper")


@pytest.mark.parametrize(
    ("mode", "scipy_mode"), [("zero", "constant"), ("reflect", "mirror"), ("symmetric", "reflect"), ("replicate", "nearest")]
)
def test_simple_modes_as_scipy(rng, mode, scipy_mode):
    """Filtering the extended image equals SciPy's filter with the corresponding mode."""
    x, k = rng.normal(size=(8, 9)), rng.normal(size=(5, 5))
    with jax.enable_x64(True):
        extended = np.asarray(extend_border(jnp.asarray(x)[None, :, :, None], 4, mode))[0, :, :, 0]
    inside = ndimage.convolve(extended, k)[4:-4, 4:-4]
    np.testing.assert_allclose(inside, ndimage.convolve(x, k, mode=scipy_mode), atol=1e-12)


def test_smooth_is_harmonic_and_periodic(rng):
    """Around the image, Laplace's equation holds inside each of the three blocks and across the seam of the torus."""
    x = rng.uniform(size=(1, 12, 10, 2))
    with jax.enable_x64(True):
        extended = np.asarray(extend_border(jnp.asarray(x), 4, "smooth"))
    torus = np.roll(extended, (-4, -4), (1, 2))  # the image is in the first corner
    np.testing.assert_allclose(torus[:, :12, :10], x, atol=1e-12)
    laplacian = sum(np.roll(torus, shift, axis) for shift in (-1, 1) for axis in (1, 2)) - 4 * torus
    for block in (np.s_[:, 12:, 1:9], np.s_[:, 1:11, 10:], np.s_[:, 12:, 10:]):
        assert np.abs(laplacian[block]).max() < 1e-12
    constant = extend_border(jnp.full((1, 6, 5, 1), 0.3), 3, "smooth")
    np.testing.assert_allclose(constant, 0.3, atol=1e-6)


def test_edgetaper(rng):
    """The result equals MATLAB's rule in NumPy: the weights are autocorrelations of the psf's projections."""
    x, psf = rng.uniform(size=(24, 20)), gaussian(7, 1.5) * rng.uniform(0.5, 1.5, size=(7, 7))
    psf /= psf.sum()
    weights = []
    for axis, n in ((1, 24), (0, 20)):
        spectrum = np.fft.fft(psf.sum(axis), n - 1)
        correlation = np.fft.ifft(np.abs(spectrum) ** 2).real
        correlation = np.append(correlation, correlation[0]) / correlation.max()
        weights.append(1 - correlation)
    weight = np.outer(*weights)
    blurred = ndimage.convolve(x, psf, mode="wrap")
    with jax.enable_x64(True):
        out = edgetaper(jnp.asarray(x)[None, :, :, None], jnp.asarray(psf)[None, :, :, None])
    np.testing.assert_allclose(out[0, :, :, 0], weight * x + (1 - weight) * blurred, atol=1e-12)


@pytest.mark.parametrize(
    ("mode", "margin", "message"),
    [
        ("mirror", 2, "boundary='mirror' is not one of circular, zero, reflect"),
        ("zero", -1, "margin=-1 must not be negative"),
        ("edgetaper", 2, "give it the psf"),
        ("reflect", 2, "1x4 image cannot be reflected"),
    ],
)
def test_bad_input(mode, margin, message):
    with pytest.raises(ValueError, match=message):
        extend_border(jnp.zeros((1, 1, 4, 1)), margin, mode)
