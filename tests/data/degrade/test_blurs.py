"""Distributions of kernels, and the convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from sr_jax.data.degrade import blurs
from sr_jax.data.degrade.kernel_files import load_kernels

KEYS = jax.random.split(jax.random.key(7), 400)


def draw(kernels):
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(kernels.draw))(KEYS))


def assert_uniform(values, low, high):
    assert values.min() >= low
    assert values.max() <= high
    assert scipy.stats.kstest(values, scipy.stats.uniform(low, high - low).cdf).pvalue > 1e-3


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_convolution_is_scipys(rng, stride):
    x = rng.random((20, 23, 3)).astype(np.float32)
    k = rng.random((5, 5)).astype(np.float32)
    whole = np.stack([scipy.ndimage.convolve(x[..., c], k, mode="reflect") for c in range(3)], -1)
    ours = blurs.convolve_inside(jnp.asarray(x), jnp.asarray(k), stride=stride)
    np.testing.assert_allclose(ours, whole[2:-2:stride, 2:-2:stride], rtol=1e-5)


def test_gaussians():
    drawn = draw(blurs.gaussian(size=21, sigma=(0.5, 3.0), anisotropic=True, shift=0.5))
    assert_uniform(drawn["blur_sigma"][:, 0], 0.5, 3.0)
    assert_uniform(drawn["blur_sigma"][:, 1], 0.5, 3.0)
    assert_uniform(drawn["blur_angle"], 0, 180)
    assert abs(np.corrcoef(drawn["blur_sigma"].T)[0, 1]) < 0.2
    round_ones = draw(blurs.gaussian(size=21, sigma=(0.5, 3.0), anisotropic=False, shift=0.0))
    np.testing.assert_array_equal(*round_ones["blur_sigma"].T)
    np.testing.assert_allclose(round_ones["kernel"], round_ones["kernel"].swapaxes(1, 2), atol=1e-7)


def test_equal_bounds_fix_a_value():
    drawn = draw(blurs.gaussian(size=9, sigma=(1.5, 1.5), anisotropic=True, shift=0.0))
    np.testing.assert_array_equal(drawn["blur_sigma"], 1.5)


def test_others_are_drawn_uniformly():
    lines = draw(blurs.motion(size=25, length=(2.0, 20.0), angle=(30.0, 60.0), shift=0.0))
    assert_uniform(lines["blur_length"], 2, 20)
    assert_uniform(lines["blur_angle"], 30, 60)
    assert_uniform(draw(blurs.disk(size=25, radius=(1.0, 9.0), shift=0.0))["blur_radius"], 1, 9)


@pytest.mark.parametrize("name", sorted(blurs.BLURS))
def test_kernels_sum_to_one(name, tmp_path):
    options = {
        "gaussian-blur": {"size": 15, "sigma": (0.2, 9.0), "anisotropic": True},
        "motion-blur": {"size": 15, "length": (0.0, 13.0), "angle": (0.0, 180.0)},
        "shake-blur": {"size": 15, "extent": (5.0, 13.0)},
        "disk-blur": {"size": 15, "radius": (0.1, 6.0)},
        "classical-blur": {"size": 25, "variance": (0.6, 12.0), "extent": (5.0, 20.0), "shake_probability": 0.5},
        "kernel-file": {"path": str(tmp_path / "k.npy")},
    }[name]
    np.save(tmp_path / "k.npy", np.random.default_rng(0).random((3, 6, 6)))
    distribution = blurs.BLURS[name](**options, shift=0.5)
    kernels = draw(distribution)["kernel"]
    assert kernels.shape[1:] == (distribution.size, distribution.size)
    np.testing.assert_allclose(kernels.sum((1, 2)), 1, atol=1e-5)
    assert (kernels >= 0).all()


def test_shakes_have_the_extent_and_lie_around_the_middle():
    drawn = draw(blurs.shake(size=25, extent=(10.0, 10.0), shift=0.0))["kernel"]
    y, x = np.mgrid[:25, :25] - 12
    centroids = np.stack([(drawn * y).sum((1, 2)), (drawn * x).sum((1, 2))])
    assert np.abs(centroids).max() < 0.5
    rows, columns = drawn.sum(2) > 0, drawn.sum(1) > 0
    widths = np.maximum(rows.sum(1), columns.sum(1))
    assert set(widths) <= {11, 12, 13}


def test_classical_kernels_are_half_gaussians_half_shakes():
    drawn = draw(blurs.classical(size=25, variance=(0.6, 12.0), extent=(5.0, 20.0), shake_probability=0.5, shift=0.0))
    shaken = drawn["blur_is_shake"]
    assert 0.4 < shaken.mean() < 0.6
    assert_uniform(drawn["blur_sigma"][~shaken, 0] ** 2, 0.6, 12.0)
    assert (drawn["blur_sigma"][shaken] == 0).all()


def test_kernels_of_a_file_are_drawn_uniformly(tmp_path, rng):
    np.savez(tmp_path / "both.npz", rng.random((5, 5)), rng.random((4, 7)))
    picked = draw(blurs.from_file(path=str(tmp_path / "both.npz"), shift=0.5))
    assert 0.4 < picked["kernel_index"].mean() < 0.6
    np.testing.assert_array_equal(picked["kernel"], load_kernels(tmp_path / "both.npz")[picked["kernel_index"]])
