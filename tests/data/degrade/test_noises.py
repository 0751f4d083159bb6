"""Compares noise with its definition and with SciPy's distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from sr_jax.data.degrade import noises

KEY = jax.random.key(3)


def test_gaussian_noise_has_the_drawn_deviation():
    image = jnp.full((64, 64, 3), 0.5)
    stage = noises.gaussian_noise(sigma=(5.0, 25.0), gray=0.5)
    noisy, drawn = jax.vmap(stage.apply, (0, None))(jax.random.split(KEY, 200), image)
    residual = np.asarray(noisy - 0.5) * 255
    np.testing.assert_allclose(residual.std((1, 2, 3)), drawn["noise_sigma"], rtol=0.06)
    assert scipy.stats.kstest(np.asarray(drawn["noise_sigma"]), scipy.stats.uniform(5, 20).cdf).pvalue > 1e-3
    assert scipy.stats.kstest((residual[0] / float(drawn["noise_sigma"][0])).ravel(), "norm").pvalue > 1e-3
    same = (residual[..., 0] == residual[..., 1]).all((1, 2))
    np.testing.assert_array_equal(same, drawn["noise_is_gray"])
    assert 0.4 < same.mean() < 0.6


@pytest.mark.parametrize("mean", [0.0, 0.3, 3.0, 9.9, 10.1, 40.0, 250.0])
def test_poisson_numbers_have_their_distribution(mean):
    normal = jax.random.normal(KEY, (100_000,))
    numbers = np.asarray(noises.poisson_of_normal(normal, jnp.full(normal.shape, mean, jnp.float32)))
    assert (numbers == np.floor(numbers)).all()
    assert numbers.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 1e5) + 1e-9)
    assert numbers.var() == pytest.approx(mean, rel=0.03, abs=1e-9)
    exact = scipy.stats.poisson.ppf(scipy.stats.norm.cdf(np.asarray(normal, np.float64)), mean) if mean else 0 * numbers
    assert (numbers != exact).mean() < 3e-3
    assert np.abs(numbers - exact).max() <= 1


def test_poisson_numbers_are_not_negative():
    """The same holds for the smallest normal numbers that are drawn in float32."""
    normal, mean = jnp.linspace(-6, -3, 301), jnp.linspace(0, 15, 151)
    numbers = np.asarray(noises.poisson_of_normal(*jnp.meshgrid(normal, mean)))
    assert numbers.min() == 0


def test_poisson_noise_counts_photons():
    image = jnp.broadcast_to(jnp.linspace(0.02, 1, 50)[None, :, None], (4000, 50, 3))
    noisy, drawn = jax.jit(noises.poisson_noise(peak=(100.0, 100.0), gray=0.0).apply)(KEY, image)
    assert float(drawn["noise_peak"]) == 100
    counts = np.asarray(noisy) * 100
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-3)
    np.testing.assert_allclose(counts.var((0, 2)), np.linspace(2, 100, 50), rtol=0.08)
    gray = np.asarray(jax.jit(noises.poisson_noise(peak=(100.0, 100.0), gray=1.0).apply)(KEY, image)[0] - image)
    np.testing.assert_allclose(gray[..., 0], gray[..., 2], atol=1e-6)


def test_all_integer_jpeg_qualities_are_drawn():
    stage = noises.jpeg(quality=(30, 34), subsampling="4:2:0")
    image = jnp.zeros((8, 8, 3))
    drawn = jax.jit(jax.vmap(stage.apply, (0, None)))(jax.random.split(KEY, 200), image)[1]["jpeg_quality"]
    assert set(np.asarray(drawn).tolist()) == {30, 31, 32, 33, 34}
