"""The second-order chain: the values that it draws, and which pixels it uses."""

import jax
import numpy as np
import pytest
import scipy.ndimage

from sr_jax import config as c
from sr_jax.assembly.degradation import Degradation
from sr_jax.data.degrade import Batch, blind

PATCH = 32
ORDER = c.Order()
KEYS = jax.random.split(jax.random.key(5), 1500)


def run(stage, window, *, keys, of=lambda pairs: pairs):
    """Returns `of(pairs)`. The rest of the pairs is not compiled."""
    degrade = Degradation((stage,), scale=4).degrade
    rng = np.random.default_rng(0)
    count = len(window)
    batch = Batch(window, np.zeros(count, np.int32), np.resize(rng.integers(0, 2**32, (keys, 2), dtype=np.uint32), (count, 2)))
    return jax.device_get(jax.jit(lambda b: of(degrade(b)))(batch))


def smooth(count):
    n = PATCH + 64
    rng = np.random.default_rng(1)
    noise = scipy.ndimage.gaussian_filter(rng.normal(size=(count, n, n, 3)), (0, 8, 8, 0))
    return np.clip(128 + 50 * noise / noise.std(), 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_it_draws_what_was_published():
    drawn = run(c.SecondOrder(), smooth(40), keys=40, of=lambda pairs: pairs.drawn)
    for suffix, low, high, sigma, scale in [("", 0.15, 1.5, 30, 3), ("_2", 0.3, 1.2, 25, 2.5)]:
        factor = drawn[f"resize_factor{suffix}"]
        assert low <= factor.min() < 1 < factor.max() <= high
        assert drawn[f"noise_sigma{suffix}"].max() <= sigma
        assert drawn[f"shot_noise_scale{suffix}"].max() <= scale
        assert ((drawn[f"noise_sigma{suffix}"] == 0) != (drawn[f"shot_noise_scale{suffix}"] == 0)).all()
        assert drawn[f"jpeg_quality{suffix}"].min() >= 30
        assert drawn[f"jpeg_quality{suffix}"].max() <= 95
        np.testing.assert_allclose(drawn[f"kernel{suffix}"].sum((1, 2)), 1, atol=1e-5)
    assert 0 < drawn["jpeg_last"].mean() < 1


@pytest.mark.slow
def test_probabilities_of_kernels_and_sizes():
    kernels = np.asarray(jax.jit(jax.vmap(lambda key: blind._kernel(key, ORDER)))(KEYS))
    ringing = kernels.min((1, 2)) < -1e-4
    assert 0.06 < ringing.mean() < 0.13  # a sinc that is cut off in its first lobe stays positive
    factors = np.asarray(jax.jit(jax.vmap(lambda key: blind._factor(key, ORDER)[0]))(KEYS))
    np.testing.assert_allclose([(factors > 1).mean(), (factors < 1).mean(), (factors == 1).mean()], [0.2, 0.7, 0.1], atol=0.04)
    betas = np.asarray(jax.vmap(lambda key: blind._beta(key, (0.5, 4.0)))(KEYS))
    assert 0.45 < (betas < 1).mean() < 0.55
    sizes = np.asarray(jax.vmap(blind._draw_size)(KEYS))
    assert set(sizes.tolist()) == {7, 9, 11, 13, 15, 17, 19, 21}


GENTLE = {
    "blur": 0.0,
    "factor": (0.9, 1.1),
    "gaussian": 1.0,
    "noise_sigma": (0.0, 0.0),
    "quality": (100, 100),
}


@pytest.mark.slow
def test_without_its_degradations_it_only_reduces():
    """All grids have the same centre, so for smooth gray images LR is about the mean of each cell."""
    order = c.Order(**GENTLE)
    window = np.repeat(smooth(2)[..., :1], 3, -1)
    far = window.copy()
    far[:, 0] = far[:, :, 0] = 255  # pixels that are far away do not matter
    lr = run(c.SecondOrder(first=order, second=order, final_sinc=0.0), np.concatenate([window, far]), keys=2).lr
    assert lr.shape == (4, PATCH // 4, PATCH // 4, 3)
    np.testing.assert_array_equal(lr[:2], lr[2:])
    patch = window[:, 32:-32, 32:-32].astype(float)
    cells = patch.reshape(2, PATCH // 4, 4, PATCH // 4, 4, 3).mean((2, 4))
    assert np.abs(lr[:2] - cells).mean() < 2.5
