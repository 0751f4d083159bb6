import numpy as np
import pytest

from sr_jax.video import colour
from sr_jax.video.colour import Coding, YCbCr

BARS = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
"""White, yellow, cyan, green, magenta, red, blue, black."""
LEVELS = {
    ("bt601", 8, False): [
        (235, 128, 128),
        (210, 16, 146),
        (170, 166, 16),
        (145, 54, 34),
        (106, 202, 222),
        (81, 90, 240),
        (41, 240, 110),
        (16, 128, 128),
    ],
    ("bt709", 8, False): [
        (235, 128, 128),
        (219, 16, 138),
        (188, 154, 16),
        (173, 42, 26),
        (78, 214, 230),
        (63, 102, 240),
        (32, 240, 118),
        (16, 128, 128),
    ],
    ("bt601", 8, True): [
        (255, 128, 128),
        (226, 1, 149),
        (179, 171, 1),
        (150, 44, 21),
        (105, 212, 235),
        (76, 85, 255),
        (29, 255, 107),
        (0, 128, 128),
    ],
    ("bt2020", 10, False): [
        (940, 512, 512),
        (888, 64, 548),
        (710, 637, 64),
        (658, 189, 100),
        (346, 835, 924),
        (294, 387, 960),
        (116, 960, 476),
        (64, 512, 512),
    ],
}
"""Y, Cb and Cr of these colours, as the tables of the standards and of test signals have them."""


def planes(levels, dtype, height=6, width=4):
    """Bars side by side, in 4:4:4."""
    return [np.repeat(np.array(row, dtype), width)[None].repeat(height, 0) for row in zip(*levels, strict=True)]


@pytest.mark.parametrize(("matrix", "bits", "is_full"), LEVELS)
def test_colour_bars_are_those_of_the_standard(matrix, bits, is_full):
    coding = Coding("yuv", bits, is_full, matrix)
    given = planes(LEVELS[matrix, bits, is_full], np.uint8 if bits == 8 else np.uint16)
    rgb = colour.to_rgb(colour.decode(given, coding), coding)
    expected = np.array(BARS, np.float32).repeat(4, 0)
    # A level is worth 1/219; Cb and Cr are rounded, and B takes 1.8 times the error of Cb.
    assert np.abs(rgb[0] - expected).max() < 0.5 * (1 + 1.9) / (219 * 2 ** (bits - 8))
    y, chroma = colour.enlarged_from_rgb(np.broadcast_to(expected, (6, 32, 3)).copy(), coding)
    back = colour.encode(y, chroma, coding)
    assert max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(back, given, strict=True)) <= (1 if is_full else 0)
    assert {plane.dtype for plane in back} == {given[0].dtype}


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("is_full", [False, True])
def test_networks_see_y_in_the_range_of_their_training(bits, is_full):
    coding = Coding("gray", bits, is_full, "bt709")
    black, white = (0, 2**bits - 1) if is_full else (16 << bits - 8, 235 << bits - 8)
    samples = np.array([[black, white]], np.uint8 if bits == 8 else np.uint16)
    frame = colour.decode([samples], coding)
    np.testing.assert_allclose(frame.y * 255, [[16, 235]], rtol=1e-6)
    neutral = colour.enlarged_chroma(frame, coding, coding._replace(step=(2, 2)), (2, 4))
    back = colour.encode(np.repeat(np.repeat(frame.y, 2, 0), 2, 1), neutral, coding)
    assert back[0].tolist() == [[black, black, white, white]] * 2
    assert back[1].tolist() == [[2 ** (bits - 1)] * 2]


@pytest.mark.parametrize(("siting", "first"), {"left": (0.5, 0), "center": (0.5, 0.5), "topleft": (0, 0)}.items())
@pytest.mark.parametrize("scale", [2, 3])
def test_chroma_stays_at_its_place(siting, first, scale):
    """Cb and Cr are ramps, down and to the right: their values say where their samples lie in the picture [pixels]."""
    given = Coding("yuv", 8, False, "bt709", (2, 2), siting)
    h, w = 16, 24

    def positions(factor):
        axes = ((first[axis] + 2 * np.arange(factor * size // 2) + 0.5) / factor - 0.5 for axis, size in enumerate((h, w)))
        return np.meshgrid(*axes, indexing="ij")

    ramps = [(place / 100 - 0.1).astype(np.float32) for place in positions(1)]
    frame = YCbCr(np.full((h, w), 0.5, np.float32), (ramps[0], ramps[1]))
    enlarged = colour.enlarged_chroma(frame, given, given, (scale * h, scale * w))
    for found, place in zip(enlarged, positions(scale), strict=True):
        np.testing.assert_allclose((found * 100 + 10)[6:-6, 6:-6], place[6:-6, 6:-6], rtol=0, atol=1e-3)
    _, back = colour.enlarged_from_rgb(colour.to_rgb(frame, given), given)
    for found, place in zip(back, positions(1), strict=True):
        np.testing.assert_allclose((found * 100 + 10)[3:-3, 3:-3], place[3:-3, 3:-3], rtol=0, atol=1e-3)
    luma = colour.to_rgb(frame, given) @ np.array([0.2126, 0.7152, 0.0722])  # of BT.709
    red = colour.to_rgb(frame, given)[..., 0]
    columns = (red - luma)[8] / (2 * (1 - 0.2126)) * 100 + 10
    np.testing.assert_allclose(columns[4:-4], np.arange(w)[4:-4], rtol=0, atol=1e-3)


def test_rgb_and_y_of_one_video_agree(rng):
    given, matrix = Coding("rgb", 8, True, "bt709"), Coding("yuv", 8, False, "bt709")
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    frame = colour.decode([pixels[..., channel] for channel in (1, 2, 0)], given)
    np.testing.assert_allclose(colour.to_rgb(frame, matrix), pixels / 255, rtol=0, atol=1e-5)
