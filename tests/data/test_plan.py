import numpy as np
import pytest

from sr_jax.data.plan import Sampler
from sr_jax.errors import InputError

SIZES = [(12, 20), (8, 8)]


def sampler(seed=0, batch=64, patch=8, scale=2, sizes=SIZES):
    return Sampler(sizes, patch=patch, scale=scale, batch=batch, seed=seed, names=["wide.png", "small.png"])


def test_a_plan_is_a_function_of_seed_and_step():
    first, second = sampler(), sampler()
    second.plan(3)  # it changes no state
    for a, b, c, d in zip(first.plan(7), second.plan(7), first.plan(8), sampler(seed=1).plan(7), strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
        assert not np.array_equal(a, d)


def test_the_numbers_are_those_of_philox():
    """Salmon et al. 2011, as implemented by numpy: 64-bit words of counter (0, step, 0, 0) under key (seed, 0)."""
    raw = np.random.Philox(key=5, counter=[0, 9, 0, 0]).random_raw(12)
    plan = sampler(seed=5, batch=4, sizes=[(8, 8), (8, 8)]).plan(9)
    np.testing.assert_array_equal(plan.image, raw[:4] % 2)
    np.testing.assert_array_equal(plan.transform, raw[4:8] % 8)
    np.testing.assert_array_equal((plan.draw[:, 0].astype(np.uint64) << np.uint64(32)) + plan.draw[:, 1], raw[8:])


def test_every_position_and_symmetry_is_equally_likely():
    plans = [sampler(batch=1000).plan(step) for step in range(20)]
    rows = np.concatenate([np.stack(plan[:4], 1) for plan in plans])
    positions, counts = np.unique(rows[:, :3], axis=0, return_counts=True)
    expected = [[0, y, x] for y in (0, 2, 4) for x in range(0, 13, 2)] + [[1, 0, 0]]
    np.testing.assert_array_equal(positions, expected)
    mean = len(rows) / len(expected)
    assert np.abs(counts - mean).max() < 5 * np.sqrt(mean)
    _, turns = np.unique(rows[:, 3], return_counts=True)
    assert len(turns) == 8
    assert np.abs(turns - len(rows) / 8).max() < 5 * np.sqrt(len(rows) / 8)


def test_positions_lie_on_the_lr_grid():
    plan = sampler(patch=6, scale=3, sizes=[(15, 18)]).plan(0)
    assert set(plan.top) == {0, 3, 6, 9}
    assert set(plan.left) == {0, 3, 6, 9, 12}


def test_patch_larger_than_the_smallest_image():
    with pytest.raises(
        InputError, match=r"a patch of 10x10 does not fit into the smallest image, small\.png; use at most 8, or"
    ):
        sampler(patch=10)
