import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.pictures import apng, read
from tests.pictures import moving

DATA = moving.save([moving.scene(0), moving.scene(1), moving.scene(3)], "PNG", [33, 40, 50], loop=2)


def test_the_frames_of_a_file_are_found():
    parsed = apng.parse(DATA)
    assert (parsed.shape, parsed.plays, len(parsed.frames), parsed.has_alpha) == ((36, 40), 2, 3, False)
    assert [frame.duration for frame in parsed.frames] == [Fraction(n, 1000) for n in (33, 40, 50)]


def changed(kind, place, content):
    """The file with other bytes in the first chunk of a kind, whose sum is right."""
    data = bytearray(DATA)
    start = data.index(kind)
    (size,) = struct.unpack_from(">L", data, start - 4)
    data[start + 4 + place : start + 4 + place + len(content)] = content
    struct.pack_into(">L", data, start + 4 + size, zlib.crc32(data[start : start + 4 + size]))
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (changed(b"acTL", 0, struct.pack(">L", 9)), "it has 3 of 9 frames"),
        (changed(b"fcTL", 4, struct.pack(">L", 41)), "a frame lies outside its canvas"),
        (DATA[:-30], "cut short or changed"),
        (DATA.replace(b"fdAT", b"fdAX"), "cut short or changed"),
    ],
)
def test_damaged_files_are_refused(data, reason):
    with pytest.raises(InputError, match=reason):
        list(read.decode_all(data, "x.png"))


def test_a_duration_whose_denominator_is_0_is_in_hundredths():
    data = changed(b"fcTL", 20, struct.pack(">HH", 7, 0))
    assert apng.parse(data).frames[0].duration == Fraction(7, 100)


def test_durations_that_do_not_fit_are_rounded_to_milliseconds():
    frames = [moving.scene(0), moving.scene(1)]
    png = moving.corpus.pillow(frames[0], "PNG")
    data = apng.encode(
        frames, [Fraction(1, 70_000), Fraction(2)], plays=0, first=png, encode_one=lambda p: moving.corpus.pillow(p, "PNG")
    )
    assert [picture.duration for picture in read.decode_all(data, "x")] == [Fraction(1, 1000), Fraction(1999, 1000)]
    np.testing.assert_array_equal([*read.decode_all(data, "x")][1].pixels, frames[1])
