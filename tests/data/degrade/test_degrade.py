"""Chains of stages: their results, purity, margins and names, and the operators that invert them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax import config as c
from sr_jax.assembly import degradation
from sr_jax.data import degrade
from sr_jax.data.degrade import Batch, Degrade
from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.color import to_float, to_uint8
from sr_jax.ops.resize import bicubic_downsample

pytestmark = pytest.mark.exact

PATCH = 24


def make(*stages, scale=2):
    return degradation.Degradation(stages, scale=scale).degrade


def make_batch(margin, count=4, *, which=0, seed=0):
    rng = np.random.default_rng(seed)
    n = PATCH + 2 * margin
    window = rng.integers(0, 256, (count, n, n, 3), dtype=np.uint8)
    return Batch(window, np.full(count, which, np.int32), rng.integers(0, 2**32, (count, 2), dtype=np.uint32))


def run(degrader, batch):
    return jax.device_get(jax.jit(lambda b: degrader(b))(batch))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("which", [0, 5])
def test_drawn_kernels_in_the_model_give_the_same_lr(scale, which):
    """So the operators in `sr_jax.ops` that invert S(k * x) invert this degradation."""
    degrader = make(c.GaussianBlur(size=13, sigma=(0.5, 2.0), anisotropic=True), c.Subsample(), scale=scale)
    batch = make_batch(degrader.margin, which=which)
    lr, _, drawn = run(degrader, batch)
    window = to_float(degrade.transform(jnp.asarray(batch.window), jnp.asarray(batch.transform)))
    whole = blur_downsample(window, jnp.asarray(drawn["kernel"])[..., None], scale=scale, centre=6)
    m = degrader.margin // scale
    expected = np.asarray(to_uint8(whole[:, m:-m, m:-m]))
    assert (lr != expected).mean() < 1e-3  # ties in rounding
    assert np.abs(lr.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("aligned", "middle"), [(True, 2.5), (False, 3.0)])
def test_aligned_kernels_have_their_middle_in_the_cell(aligned, middle):
    degrader = make(c.GaussianBlur(size=7, sigma=(1.0, 1.0)), c.Subsample(aligned=aligned))
    kernel = run(degrader, make_batch(degrader.margin)).drawn["kernel"][0]
    assert (kernel.sum(1) * np.arange(7)).sum() == pytest.approx(middle, abs=0.02)  # its tail is cut
    before_bicubic = make(c.GaussianBlur(size=7, sigma=(1.0, 1.0)), c.Bicubic())
    kernel = run(before_bicubic, make_batch(before_bicubic.margin)).drawn["kernel"][0]
    assert (kernel.sum(1) * np.arange(7)).sum() == pytest.approx(3, abs=1e-4)


GAUSSIAN = c.GaussianBlur(size=15, sigma=(1.0, 1.0))
LINE = c.MotionBlur(size=15, length=(4.0, 4.0))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "stages",
    [
        (c.Bicubic(),),
        (GAUSSIAN, c.Subsample()),
        (GAUSSIAN, GAUSSIAN, c.Subsample()),
        (GAUSSIAN, c.GaussianNoise(sigma=(0.0, 0.0)), LINE, c.Subsample()),
        (GAUSSIAN, c.Subsample(), c.GaussianBlur(size=5, sigma=(0.5, 0.5))),
    ],
)
def test_aligned_lr_lies_as_bicubic_lr_does(stages, scale):
    """The LR image of a ramp is the ramp's value in the centre of each cell, whatever the chain."""
    degrader = make(*stages, scale=scale)
    n = PATCH + 2 * degrader.margin
    ramp = np.broadcast_to(4 * np.arange(n, dtype=np.uint8)[:, None, None], (n, n, 3))
    window = np.concatenate([[ramp], [ramp.swapaxes(0, 1)]])
    lr = run(degrader, make_batch(degrader.margin, 2)._replace(window=window)).lr.astype(float)
    middles = degrader.margin + np.arange(0, PATCH, scale) + (scale - 1) / 2
    middles = np.broadcast_to(4 * middles[:, None], lr.shape[1:3])
    np.testing.assert_allclose(lr[0, ..., 0], middles, atol=0.51)  # rounded to 8 bits
    np.testing.assert_allclose(lr[1, ..., 0], middles.T, atol=0.51)


def test_blur_then_bicubic():
    degrader = make(c.GaussianBlur(size=5, sigma=(1.0, 1.0)), c.Bicubic())
    assert degrader.margin == 6
    batch = make_batch(degrader.margin)
    lr, hr, drawn = run(degrader, batch)
    np.testing.assert_array_equal(hr, batch.window[:, 6:-6, 6:-6])
    blurred = blur_downsample(to_float(jnp.asarray(batch.window)), jnp.asarray(drawn["kernel"][0]), scale=1, centre=2)
    expected = np.asarray(to_uint8(bicubic_downsample(blurred, 2)[:, 3:-3, 3:-3]))
    assert np.abs(lr.astype(int) - expected).max() <= 1
    assert (lr != expected).mean() < 1e-3


def test_bicubic_is_transformed_after_and_others_before():
    bicubic, noisy = make(c.Bicubic()), make(c.Bicubic(), c.GaussianNoise(sigma=(0.0, 0.0)))
    batch = make_batch(bicubic.margin, which=3)
    np.testing.assert_array_equal(run(bicubic, batch).hr, run(noisy, batch).hr)
    untransformed = run(bicubic, batch._replace(transform=np.zeros(4, np.int32))).lr
    expected = np.asarray(degrade.transform(jnp.asarray(untransformed), jnp.asarray(batch.transform)))
    np.testing.assert_array_equal(run(bicubic, batch).lr, expected)
    transformed_first = run(noisy, batch).lr  # rows and columns are rounded in the other order
    assert np.abs(transformed_first.astype(int) - expected).max() <= 1
    assert (transformed_first != expected).any()


def test_lr_from_files_is_only_transformed():
    degrader = make(c.GaussianBlur(size=5, sigma=(0.5, 0.7)), c.Subsample())
    batch = make_batch(degrader.margin, which=6)
    lr = np.random.default_rng(1).integers(0, 256, (4, 12, 12, 3), dtype=np.uint8)
    pairs = run(degrader, batch._replace(lr=lr))
    np.testing.assert_array_equal(pairs.lr, degrade.transform(jnp.asarray(lr), jnp.asarray(batch.transform)))
    assert pairs.drawn == {}


CLASSICAL = (c.ClassicalBlur(size=15, variance=(0.6, 9.0), extent=(5.0, 11.0)), c.Subsample(), c.GaussianNoise())


def test_pure_in_the_key_and_independent_of_the_batch():
    degrader = make(*CLASSICAL)
    batch = make_batch(degrader.margin, 6)
    pairs = run(degrader, batch)
    for leaf, again in zip(jax.tree.leaves(pairs), jax.tree.leaves(run(degrader, batch)), strict=True):
        np.testing.assert_array_equal(leaf, again)
    part = run(degrader, Batch(batch.window[2:5], batch.transform[2:5], batch.draw[2:5]))
    for leaf, again in zip(jax.tree.leaves(pairs), jax.tree.leaves(part), strict=True):
        assert np.asarray(leaf)[2:5].tobytes() == np.asarray(again).tobytes()
    same_window = batch._replace(window=np.repeat(batch.window[:1], 6, 0))
    lrs = run(degrader, same_window).lr
    assert len({lr.tobytes() for lr in lrs}) == 6


@pytest.mark.slow
def test_stages_draw_independently_and_names_are_unique():
    degrader = make(c.GaussianNoise(), c.Subsample(), c.GaussianNoise(), c.Jpeg(), c.Jpeg())
    drawn = run(degrader, make_batch(degrader.margin, 16)).drawn
    assert set(drawn) == {
        *("noise_sigma", "noise_is_gray", "noise_sigma_2", "noise_is_gray_2"),
        *("jpeg_quality", "jpeg_quality_2"),
    }
    assert (drawn["noise_sigma"] != drawn["noise_sigma_2"]).all()
    assert degrader.margin == 0


def test_without_stages_it_is_bicubic():
    batch = make_batch(4)
    np.testing.assert_array_equal(run(Degrade(scale=2), batch).lr, run(make(c.Bicubic()), batch).lr)


def test_stages_that_do_not_reduce_by_the_scale_are_refused():
    with pytest.raises(ValueError, match="reduce by 3, not by scale=2"):
        Degrade(scale=2, stages=[degrade.subsample(scale=3)])


@pytest.mark.parametrize("name", ["bicubic", "classical"])
def test_presets_keep_gray_levels_in_mean(name):
    degrader = degradation.of_training(c.Config(data=c.DataConfig(patch=PATCH, degradation=name))).degrade
    batch = make_batch(degrader.margin, 8)
    flat = batch._replace(window=np.full_like(batch.window, 120))
    assert run(degrader, flat).lr.mean() == pytest.approx(120, abs=1)
