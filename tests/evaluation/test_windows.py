import numpy as np

from sr_jax.evaluation.tiles import cover
from sr_jax.evaluation.windows import Watch, choose


def test_windows_hold_what_passes(rng):
    lr, sr = rng.random((200, 150, 2)), rng.random((400, 300, 2))
    watch = Watch(choose((200, 150), margin=5, scale=2, seed=1, count=6))
    for start in range(0, 200, 32):
        watch.see_lr(max(0, start - 10), lr[max(0, start - 10) : start + 32])
    for rows, columns in cover((200, 150), side=64, radius=7):
        watch.see_sr(rows, columns, 2, sr[rows.scaled(2), columns.scaled(2)])
    for window, ours, theirs in zip(watch.windows, watch.lr, watch.sr, strict=True):
        np.testing.assert_array_equal(ours, lr[window.lr])
        np.testing.assert_array_equal(theirs, sr[window.sr])


def test_what_is_compared_lies_inside_its_window():
    for shape in ((200, 150), (30, 500), (1, 1)):
        for window in choose(shape, margin=9, scale=3, seed=0, count=50):
            for place, core, inner, size in zip(*window, shape, strict=True):
                assert core.stop - core.start == inner.stop - inner.start > 0
                assert core.start - 3 * place.start == inner.start
                assert core.start == 0 or inner.start >= 27
                assert core.stop == 3 * size or inner.stop <= 3 * (place.stop - place.start) - 27
