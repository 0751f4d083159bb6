import itertools

import numpy as np
import pytest

from sr_jax.pictures.alpha import bleed, within_neighbours
from sr_jax.pictures.strips import bled, opacity, reach_of
from tests.pictures.test_rows import strips


@pytest.mark.parametrize("share", [0.0, 0.002, 0.05, 0.6, 1.0])
def test_colours_bleed_near_what_can_be_seen(share, rng):
    """Also where several visible pixels are equally near."""
    from scipy import ndimage

    for height, width, reach in ((70, 40, 5), (37, 61, 11), (3, 50, 8)):
        colours = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        alpha = (255 * (rng.random((height, width, 1)) < share)).astype(np.uint8)
        both = np.concatenate([colours, alpha], -1)
        result = np.concatenate(list(bled(strips(both, rng), height=height, reach=reach)))
        np.testing.assert_array_equal(result[..., 3:], alpha)
        if alpha.any():
            near = ndimage.distance_transform_edt(alpha[..., 0] == 0) <= reach
            np.testing.assert_array_equal(result[near, :3], bleed(colours, alpha)[near])
        else:
            np.testing.assert_array_equal(result[..., :3], colours)


def test_opacity_stays_within_its_neighbours(rng):
    alpha = np.where(rng.random((33, 9, 1)) < 0.5, rng.random((33, 9, 1)), 1).astype(np.float32)
    enlarged = rng.random((66, 18, 1), dtype=np.float32)
    for heights in ([4] * 8 + [1], [33], [1] * 33):
        cuts = np.cumsum([0, *heights])
        bands = [enlarged[2 * a : 2 * b] for a, b in itertools.pairwise(cuts)]
        result = np.concatenate(list(opacity(bands, strips(alpha, rng), height=33, scale=2)))
        np.testing.assert_array_equal(result, within_neighbours(enlarged, alpha))


def test_the_reach_holds_every_pixel_on_which_a_visible_one_depends():
    """The farthest is at a corner of the square around a visible pixel's neighbour."""
    for radius in range(40):
        assert reach_of(radius) >= np.hypot(radius + 1, radius + 1)
