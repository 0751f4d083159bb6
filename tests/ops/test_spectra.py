import jax
import jax.numpy as jnp
import numpy as np

from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.spectra import otf_to_psf, phase_spectra, psf_to_otf


def test_phase_spectra_are_transforms_of_the_phases(rng):
    k = rng.normal(size=(2, 3, 4))
    taps = [[[(0, 0), (2, -1)], [(1, 3)]], [[(3, 2)], [(0, 0), (1, 1)]]]
    spectra = phase_spectra(jnp.asarray(k, jnp.float32), taps, (6, 5))
    for r, q in np.ndindex(2, 2):
        torus = np.zeros((2, 6, 5))
        for t, dy in taps[0][r]:
            for u, dx in taps[1][q]:
                torus[:, dy % 6, dx % 5] += k[:, t, u]
        re, im = spectra[r][q]
        np.testing.assert_allclose(re + 1j * np.asarray(im), np.fft.rfft2(torus), atol=1e-5)


def test_otf_and_back(rng):
    k = rng.normal(size=(5, 4, 2))
    with jax.enable_x64(True):
        otf = psf_to_otf(jnp.asarray(k), (9, 8), centre=(2, 1))
        assert otf.shape == (9, 5, 2)
        np.testing.assert_allclose(otf_to_psf(otf, (9, 8), (5, 4), centre=(2, 1)), k, atol=1e-13)
        image = jnp.asarray(rng.normal(size=(1, 9, 8, 2)))
        product = jnp.fft.irfft2(otf[None] * jnp.fft.rfft2(image, axes=(1, 2)), (9, 8), axes=(1, 2))
        np.testing.assert_allclose(product, blur_downsample(image, jnp.asarray(k), scale=1, centre=(2, 1)), atol=1e-12)
        np.testing.assert_allclose(psf_to_otf(jnp.asarray(k[:4, :, 0]), (9, 8), scale=2)[0, 0], k[:4, :, 0].sum(), atol=1e-12)
