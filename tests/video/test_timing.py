from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from sr_jax.video.segments import Segment, Time
from sr_jax.video.timing import durations, frame_length, stamps
from tests.video.clips import VARIABLE


def segment(times, order, *, first=0):
    return Segment(Path(), [Time(time, 40) for time in times], [(first + i, False, 1) for i in order], b"", 0)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [0, 4, 2, 1, 3], [0, 2, 1, 4, 3], [0, 3, 2, 1, 4]])
def test_decoding_times_rise_and_are_early_enough(order):
    both = [segment(VARIABLE[:5], order), segment(VARIABLE[5:10], order, first=5)]
    found = stamps(both, usual=40)
    assert [stamp.shown for stamp in found] == [VARIABLE[i + first] for first in (0, 5) for i in order]
    assert all(stamp.decoded <= stamp.shown for stamp in found)
    assert all(a.decoded < b.decoded for a, b in pairwise(found))
    shown_until = max(stamp.shown + stamp.duration for stamp in found)
    assert shown_until == VARIABLE[9] + 40
    assert found[-1].decoded + found[-1].duration - found[0].decoded == shown_until - VARIABLE[0]


def test_frames_last_until_the_next_one():
    assert durations([segment([0, 10, 15], [0, 1, 2])], usual=7) == [10, 5, 40]
    one = Segment(Path(), [Time(0, 0)], [(0, True, 1)], b"", 0)
    assert durations([one], usual=7) == [7]
    assert frame_length(Fraction(30000, 1001), Fraction(1, 90000)) == 3003
