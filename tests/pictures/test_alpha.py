import numpy as np

from sr_jax.pictures.alpha import bleed, within_neighbours


def test_invisible_pixels_take_the_colour_of_the_nearest_visible_one(rng):
    pixels = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    alpha = np.where(rng.random((9, 11, 1)) < 0.2, 1, 0).astype(np.uint8)
    result = bleed(pixels, alpha)
    visible = np.argwhere(alpha[..., 0])
    for place in np.ndindex(9, 11):
        distances = ((visible - place) ** 2).sum(1)
        nearest = visible[distances == distances.min()]
        assert any((result[place] == pixels[tuple(one)]).all() for one in nearest)


def test_what_is_visible_stays(rng):
    pixels = rng.random((6, 5, 1), dtype=np.float32)
    for alpha in (np.zeros((6, 5, 1), np.float32), np.full((6, 5, 1), 0.25, np.float32)):
        assert bleed(pixels, alpha) is pixels


def test_opacity_stays_within_its_neighbours(rng):
    alpha = np.zeros((8, 9, 1), np.float32)
    alpha[2:6, 4:] = 1
    alpha[3, 3] = 0.5
    enlarged = np.repeat(np.repeat(alpha, 3, 0), 2, 1) + rng.normal(scale=0.2, size=(24, 18, 1)).astype(np.float32)
    result = within_neighbours(enlarged, alpha)
    for i, j in np.ndindex(24, 18):
        near = alpha[max(0, i // 3 - 1) : i // 3 + 2, max(0, j // 2 - 1) : j // 2 + 2]
        assert result[i, j] == np.clip(enlarged[i, j], near.min(), near.max())
