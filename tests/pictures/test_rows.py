import weakref

import numpy as np
import pytest

from sr_jax.pictures.rows import Rows, copies, cut, in_step


def strips(picture, rng, most=7):
    """The picture in strips of random heights."""
    start = 0
    while start < len(picture):
        stop = start + int(rng.integers(1, most))
        yield picture[start:stop]
        start = stop


def test_windows_of_rows_are_those_of_the_picture(rng):
    picture = rng.integers(0, 256, (60, 3, 2))
    for _ in range(20):
        rows, start, farthest = Rows(strips(picture, rng)), 0, 0
        while start < 60:
            stop = min(60, start + int(rng.integers(1, 20)))
            np.testing.assert_array_equal(rows.between(start, stop), picture[start:stop])
            farthest = max(farthest, stop)
            assert sum(map(len, rows._kept)) < farthest - start + 7
            start += int(rng.integers(0, 25))
    with pytest.raises(ValueError, match="has 60 rows, not 61"):
        rows.between(59, 61)


def test_copies_hold_a_strip_until_all_have_passed_it(rng):
    picture = rng.integers(0, 256, (200, 3, 2))
    alive = []

    def made():
        for start in range(200):
            strip = picture[start : start + 1].copy()
            alive.append(weakref.ref(strip))
            yield strip

    first, second = copies(made(), 2)
    for _ in range(10):
        next(first)
    for start in range(200):
        np.testing.assert_array_equal(next(second), picture[start : start + 1])
        next(first, None)
        assert sum(one() is not None for one in alive) <= 12
    assert (next(first, None), next(second, None)) == (None, None)


def test_pictures_go_in_step(rng):
    pictures = [rng.integers(0, 256, (50, 3, n)) for n in (1, 2, 3)]
    steps = list(in_step([strips(one, rng) for one in pictures]))
    assert all(len({len(part) for part in step}) == 1 for step in steps)
    for one, parts in zip(pictures, zip(*steps, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), one)


def test_strips_are_cut_anew(rng):
    picture = rng.integers(0, 256, (45, 3, 2))
    for height in (1, 8, 45, 50):
        parts = list(cut(strips(picture, rng), height))
        assert [len(part) for part in parts[:-1]] == [height] * (len(parts) - 1)
        np.testing.assert_array_equal(np.concatenate(parts), picture)
