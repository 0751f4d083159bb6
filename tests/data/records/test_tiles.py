import itertools

import numpy as np
import pytest

from sr_jax.data.records import tiles
from sr_jax.data.records.tiles import OVERLAP, STEP, Span

LENGTHS = [1, OVERLAP, STEP, STEP + OVERLAP, STEP + OVERLAP + 1, 2 * STEP, 2 * STEP + OVERLAP, 2 * STEP + OVERLAP + 1, 5000]


@pytest.mark.parametrize("length", LENGTHS)
def test_tiles_reach_the_end_and_overlap(length):
    spans = [tiles.span(i, length) for i in range(tiles.count(length))]
    assert spans[0].first == 0
    assert spans[-1].last == length
    assert all(0 < span.last - span.first <= STEP + OVERLAP for span in spans)
    assert all(one.last - two.first == OVERLAP for one, two in itertools.pairwise(spans))


def test_an_image_without_pixels_has_no_tiles():
    assert tiles.count(0) == 0


@pytest.mark.parametrize("length", LENGTHS)
def test_every_span_is_covered(length, rng):
    firsts = rng.integers(0, length, 50)
    for first, last in zip(firsts.tolist(), rng.integers(firsts + 1, length + 1).tolist(), strict=True):
        pixels = []
        for index, part in tiles.covering(Span(first, last), length):
            of_tile = tiles.span(index, length)
            assert of_tile.first <= part.first < part.last <= of_tile.last
            pixels += range(*part)
        assert pixels == list(range(first, last))


@pytest.mark.parametrize("length", LENGTHS)
def test_the_usual_window_lies_in_one_tile(length):
    size = min(length, OVERLAP)
    assert all(len(list(tiles.covering(Span(first, first + size), length))) == 1 for first in range(length - size + 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_any_part_of_a_tile_is_restored(channels, rng):
    tile = rng.integers(0, 256, (30, 41, channels), dtype=np.uint8)
    data = tiles.encode(tile)
    assert len(data) == tile.size
    for rows, columns in [((0, 30), (0, 41)), ((3, 4), (40, 41)), ((29, 30), (0, 1)), ((5, 20), (7, 30))]:
        part = tiles.decode(data, size=(30, 41), rows=Span(*rows), columns=Span(*columns))
        np.testing.assert_array_equal(part, tile[slice(*rows), slice(*columns)])


def test_flat_colours_become_zeros():
    """Only the first column of each row has other differences."""
    tile = np.broadcast_to(np.array([200, 7, 90], np.uint8), (5, 9, 3))
    planes = np.frombuffer(tiles.encode(tile), np.uint8).reshape(3, 5, 9)
    assert planes[:, 0, 0].tolist() == [193, 7, 83]
    assert not planes[:, :, 1:].any()


def test_an_image_is_split_row_by_row(rng):
    pixels = rng.integers(0, 256, (STEP + OVERLAP + 5, 2 * STEP + OVERLAP + 1, 1), dtype=np.uint8)
    sizes = [len(record) for record in tiles.split(pixels)]
    heights, widths = (STEP + OVERLAP, OVERLAP + 5), (STEP + OVERLAP, STEP + OVERLAP, OVERLAP + 1)
    assert sizes == [height * width for height in heights for width in widths]
