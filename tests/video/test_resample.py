import numpy as np
import pytest

from sr_jax.ops.resize import imresize_host
from sr_jax.video.resample import Grid, resample, scaled


@pytest.mark.parametrize("scale", [2, 3, 0.5, 1.25])
def test_grids_of_pixels_give_what_matlab_gives(rng, scale):
    plane = rng.random((12, 20), np.float32)
    expected = imresize_host(plane[..., None].astype(np.float64), scale=scale, kernel="bicubic", antialias=True)[..., 0]
    target = [scaled(Grid(size), float(scale)) for size in expected.shape]
    enlarged = resample(plane, (Grid(12), Grid(20)), (target[0], target[1]))
    np.testing.assert_allclose(enlarged, expected, rtol=0, atol=2e-6)


def test_a_ramp_stays_where_it_is_on_shifted_grids():
    """A cubic kernel reproduces straight lines, so the values say where samples lie."""
    source, target = Grid(20, 0.0, 2.0), scaled(Grid(30, 0.0, 2.0), 1.5)
    ramp = np.broadcast_to((source.first + source.step * np.arange(20)).astype(np.float32), (4, 20))
    positions = target.first + target.step * np.arange(30)
    inner = slice(4, -4)
    found = resample(ramp, (Grid(4), source), (Grid(4), target))
    np.testing.assert_allclose(found[0, inner], positions[inner], rtol=0, atol=1e-4)


def test_shrinking_filters_what_the_coarse_grid_cannot_hold():
    stripes = np.tile(np.array([0, 1], np.float32), (8, 16))
    assert np.ptp(resample(stripes, (Grid(8), Grid(32)), (Grid(8), Grid(16, 0.5, 2)))[:, 3:-3]) < 1e-6
