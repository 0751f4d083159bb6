import io
import struct
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from sr_jax.errors import InputError
from sr_jax.pictures import gif, read
from tests.pictures import corpus, moving


def encoded(frames, **options):
    return gif.encode(frames, [Fraction(1, 10)] * len(frames), **{"plays": 0, "xmp": None, **options})


def test_few_colours_are_exact():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (255, 3), dtype=np.uint8)
    frames = [
        np.concatenate([colours[rng.integers(0, 255, (30, 31))], np.full((30, 31, 1), 255, np.uint8)], -1) for _ in range(3)
    ]
    frames[1][3:9, 4:8, 3] = 0
    for ours, theirs in zip(moving.seen_by_pillow(encoded(frames)), frames, strict=True):
        np.testing.assert_array_equal(ours[..., 3], theirs[..., 3])
        np.testing.assert_array_equal(ours[theirs[..., 3] > 0], theirs[theirs[..., 3] > 0])


def test_what_does_not_change_does_not_flicker_and_is_not_stored_again():
    """Thousands of colours, so that the frames are dithered."""
    frames = [corpus.of_type(corpus.smooth(3, height=90, width=120), "uint8") for _ in range(3)]
    frames[1][20:30, 40:60] = frames[2][20:30, 40:60] = (255, 0, 0)
    frames[2][10:20, 10:14] = (255, 0, 0)
    frames[2][70:80, 100:109] = (0, 0, 255)
    data = encoded(frames)
    first, second, third = (frame.astype(int) for frame in moving.seen_by_pillow(data))
    for before, after, i in ((first, second, 1), (second, third, 2)):
        still = (frames[i - 1] == frames[i]).all(-1)
        np.testing.assert_array_equal(before[still], after[still])
    assert [frame.box[2:] for frame in gif.parse(data).frames] == [(90, 120), (10, 20), (70, 99)]
    pillows = np.asarray(Image.fromarray(frames[0]).convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB"))
    assert error(first, frames[0]) < 1.1 * error(pillows, frames[0])
    assert error(first, frames[0], block=6) < error(pillows, frames[0], block=6)


def test_frames_in_which_nothing_is_seen():
    empty, some = np.zeros((9, 8, 4), np.uint8), np.full((9, 8, 4), 255, np.uint8)
    for frames in ([empty, empty], [empty, some, empty]):
        assert [frame[0, 0, 3] for frame in moving.seen_by_pillow(encoded(frames))] == [frame[0, 0, 3] for frame in frames]


def test_large_areas_are_not_dithered(rng):
    """A quarter of the picture has one colour, which thousands of similar ones surround."""
    frame = corpus.of_type(corpus.smooth(3, height=90, width=120), "uint8")
    frame[:, :60] = np.array([251, 211, 9]) + rng.integers(-9, 4, (90, 60, 3))
    frame[20:70, 5:55] = (251, 211, 9)
    (shown,) = moving.seen_by_pillow(encoded([frame]))
    assert (shown[20:70, 5:55] == (251, 211, 9)).all()


def error(ours, theirs, *, block=1):
    """The mean error of means over blocks. Dithering keeps these."""
    h, w, _ = theirs.shape
    means = [one.astype(float).reshape(h // block, block, w // block, block, 3).mean((1, 3)) for one in (ours, theirs)]
    return np.abs(means[0] - means[1]).mean()


def test_a_canvas_is_transparent_where_no_frame_was():
    """Browsers do so; Pillow would show the colour 0."""
    data = bytearray(moving.save([moving.scene(0), moving.scene(1)], "GIF", 50))
    struct.pack_into("<HH", data, 6, 60, 50)
    frames = list(read.decode_all(bytes(data), "x"))
    assert frames[0].alpha.shape == (50, 60, 1)
    assert frames[0].alpha[:36, :40].min() == 255
    assert frames[0].alpha[36:].max() == frames[0].alpha[:, 40:].max() == 0


def test_the_repetitions_are_counted_as_plays():
    for plays, loop in ((0, 0), (1, None), (2, 1), (5, 4), (65_536, 65_535)):
        data = encoded([moving.scene(0), moving.scene(1)], plays=plays)
        assert gif.parse(data).plays == plays
        with Image.open(io.BytesIO(data)) as image:
            assert image.info.get("loop") == loop


def test_damaged_files_are_refused():
    data = encoded([moving.scene(0), moving.scene(1)])
    for cut in range(len(data) - 200, len(data) - 2, 13):
        with pytest.raises(InputError, match="damaged"):
            list(read.decode_all(data[:cut], "x.gif"))
    bomb = bytearray(data)  # a frame that would take gigabytes on a small canvas
    struct.pack_into("<HH", bomb, bomb.rindex(b"\x2c", 0, len(data) - len(gif.parse(data).frames[1].data)) + 5, 65_535, 65_535)
    with pytest.raises(InputError, match="its frame 2 is larger than its canvas"):
        read.read_header(bytes(bomb), "x.gif")
    with pytest.raises(InputError, match="header is cut short"):
        gif.parse(data[:10])
