"""Compares resampling with SciPy and with PyTorch's `interpolate`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from sr_jax.data.degrade.resample import MODES, resample


@pytest.mark.parametrize("mode", range(3))
@pytest.mark.parametrize("pitch", [0.61, 1.0, 3.7, 9.0])
def test_a_constant_stays(mode, pitch):
    y = resample(jnp.full((20, 20, 1), 0.3), size=33, pitch=pitch, mode=mode)
    np.testing.assert_allclose(y, 0.3, rtol=1e-5)


@pytest.mark.parametrize("pitch", [0.7, 1.9, 6.3])
def test_bilinear_is_scipys_with_reflection(rng, pitch):
    x = rng.random((24, 24))
    u = (np.arange(31) + 0.5 - 31 / 2) * pitch + 24 / 2 - 0.5
    expected = scipy.ndimage.map_coordinates(x, np.meshgrid(u, u, indexing="ij"), order=1, mode="reflect")
    ours = resample(jnp.asarray(x[..., None], jnp.float32), size=31, pitch=pitch, mode=MODES.index("bilinear"))
    np.testing.assert_allclose(ours[..., 0], expected, atol=1e-4)


def test_area_is_the_mean_of_what_a_pixel_covers(rng):
    x = rng.random((24, 24, 3)).astype(np.float32)
    ours = resample(jnp.asarray(x), size=8, pitch=3.0, mode=MODES.index("area"))
    np.testing.assert_allclose(ours, x.reshape(8, 3, 8, 3, 3).mean((1, 3)), atol=1e-6)


def test_the_same_grid_is_the_identity(rng):
    x = rng.random((16, 16, 3)).astype(np.float32)
    for mode in range(3):
        np.testing.assert_allclose(resample(jnp.asarray(x), size=16, pitch=1.0, mode=mode), x, atol=1e-6)


def test_factor_and_mode_may_be_traced(rng):
    x = jnp.asarray(rng.random((16, 16, 3)), jnp.float32)
    traced = jax.jit(lambda p, m: resample(x, size=20, pitch=p, mode=m))(jnp.float32(1.3), jnp.int32(2))
    np.testing.assert_allclose(traced, resample(x, size=20, pitch=1.3, mode=2), atol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [11, 32, 47])
def test_inside_it_is_pytorchs(rng, mode, size):
    import torch

    x = rng.random((32, 32, 3)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(torch.tensor(x).permute(2, 0, 1)[None], size=(size, size), mode=mode)
    ours = np.asarray(resample(jnp.asarray(x), size=size, pitch=32 / size, mode=MODES.index(mode)))
    edge = max(1, 2 * size // 32 + 1)
    inside = np.s_[edge:-edge, edge:-edge]
    np.testing.assert_allclose(ours[inside], theirs[0].permute(1, 2, 0).numpy()[inside], atol=1e-5)
