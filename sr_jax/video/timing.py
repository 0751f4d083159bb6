"""Time stamps of a result: those of its source, and decoding times that fit to them."""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from sr_jax.video.segments import Segment


class Stamp(NamedTuple):
    """The times of a packet, in the time base of the source's stream."""

    shown: int
    decoded: int
    duration: int


def durations(segments: Sequence[Segment], *, usual: int) -> list[int]:
    """Returns how long each frame is shown: until the next one, and the last one as long as the file says.

    Args:
      usual: for a last frame of which the file says nothing, if it is the only one.
    """
    times = [time for segment in segments for time in segment.times]
    starts = [time.start for time in times]
    differences = [after - before for before, after in itertools.pairwise(starts)]
    last = times[-1].duration or (differences[-1] if differences else usual)
    return [*differences, max(1, last)]


def stamps(segments: Sequence[Segment], *, usual: int) -> list[Stamp]:
    """Returns the times of all packets, in the order in which they are decoded.

    A file needs decoding times that rise and are not later than the times at which frames are shown. Where frames are not
    decoded in the order in which they are shown, packet i is decoded when frame i - delay is shown. The first ones are decoded
    so much earlier that the times of decoding span what the times of showing span, because files count their length by them.
    """
    lengths = durations(segments, usual=usual)
    starts = [time.start for segment in segments for time in segment.times]
    order = [index for segment in segments for index, _, _ in segment.packets]
    delay = max(place - index for place, index in enumerate(order))
    count = len(order)
    if not delay:
        return [Stamp(starts[index], starts[index], lengths[index]) for index in order]
    end = starts[-1] + lengths[-1]
    lead = max(delay, end - lengths[order[-1]] - starts[max(0, count - 1 - delay)])
    first = [starts[0] - lead + lead * place // delay for place in range(min(delay, count))]
    decoded = [*first, *starts[: count - delay]]
    return [Stamp(starts[index], when, lengths[index]) for index, when in zip(order, decoded, strict=True)]


def frame_length(rate: Fraction, time_base: Fraction) -> int:
    """Returns how long a frame is shown at a rate, in a time base."""
    return max(1, round(1 / (rate * time_base)))
