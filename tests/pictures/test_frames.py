from fractions import Fraction

import numpy as np
import pytest

from sr_jax.pictures.frames import CLEAR, KEEP, RESTORE, Box, Layer, changes, composite, in_units

SECOND = Fraction(1)


def layer(values, *, left=0, is_over=True, disposal=KEEP):
    """A row of gray pixels; None is transparent."""
    pixels = np.array([[(0, 0) if value is None else (value, 255) for value in values]], np.uint8)
    return Layer(pixels, 0, left, is_over, disposal, SECOND)


def shown(*layers):
    return [
        [None if opacity == 0 else int(value) for value, opacity in canvas[0]] for canvas, _ in composite(iter(layers), (1, 4))
    ]


@pytest.mark.parametrize(
    ("disposal", "third"),
    [(KEEP, [1, 8, 9, 1]), (CLEAR, [1, None, 9, None]), (RESTORE, [1, 1, 9, 1])],
)
def test_what_becomes_of_a_frame(disposal, third):
    frames = shown(layer([1, 1, 1, 1]), layer([8, 8, None], left=1, disposal=disposal), layer([9], left=2))
    assert frames == [[1, 1, 1, 1], [1, 8, 8, 1], third]


def test_a_frame_replaces_its_area_or_is_laid_over_it():
    first = layer([1, 1, 1, 1])
    assert shown(first, layer([None, 5], left=1))[1] == [1, 1, 5, 1]
    assert shown(first, layer([None, 5], left=1, is_over=False))[1] == [1, None, 5, 1]


def test_the_canvas_is_transparent_at_first_and_frames_are_cut_off_at_its_edge():
    assert shown(layer([7, 7, 7], left=2)) == [[None, None, 7, 7]]


def test_half_transparent_pixels_are_mixed():
    """Half of white over black, and half of white over nothing."""
    front = Layer(np.array([[(255, 128), (255, 128)]], np.uint8), 0, 0, True, KEEP, SECOND)
    back = layer([0, None])
    canvases = [canvas for canvas, _ in composite(iter([back, front]), (1, 2))]
    assert canvases[1].tolist() == [[[128, 255], [255, 128]]]


def test_changes_are_found(rng):
    before = rng.integers(0, 200, (20, 30, 3))
    now = before.copy()
    assert changes(before, now, even=False) == Box(0, 0, 1, 1)
    now[5:9, 11:14] += 1
    assert changes(before, now, even=False) == Box(5, 11, 4, 3)
    assert changes(before, now, even=True) == Box(4, 10, 5, 4)


@pytest.mark.parametrize(
    ("durations", "per_second", "least", "units"),
    [
        (["1/30"] * 6, 100, 2, [3, 4, 3, 3, 4, 3]),
        (["1/24"] * 24, 1000, 1, None),
        (["1/60"] * 4, 100, 2, [2, 2, 2, 2]),  # programs show a hundredth of a second for a tenth
        (["0", "1/100", "1/2"], 100, 2, [0, 1, 50]),
        (["1/1000", "1/1000", "3/10"], 100, 2, [1, 1, 28]),
        (["700", "1"], 100, 2, [65_535, 100]),
    ],
)
def test_durations_in_units(durations, per_second, least, units):
    values = [Fraction(value) for value in durations]
    found = in_units(values, per_second, most=65_535, least=least)
    if units is None:
        assert sum(found) == 1000
        assert max(found) - min(found) == 1
    else:
        assert found == units
