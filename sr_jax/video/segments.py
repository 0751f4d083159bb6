"""The part of a result that is done: segments of encoded frames, by which an interrupted video goes on.

Each segment is a file that is written whole or not at all: a line of JSON, and the packets behind it. Time stamps are those of
the video that is enlarged. Segments have a fixed number of frames, and an encoder of their own, so that those of an
interrupted run and of an undisturbed one are alike.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sr_jax.system.files import replace_bytes
from sr_jax.video.encoding import Packet

FRAMES = 48
"""Frames of a segment. Each begins with a key frame."""
SUFFIX = ".segment"


class Time(NamedTuple):
    """When a frame is shown, in the time base of its stream."""

    start: int
    duration: int
    """As the video says; 0 if it does not."""


class Segment(NamedTuple):
    """What the first line of a segment's file says."""

    path: Path
    times: list[Time]
    """Those of its frames."""
    packets: list[tuple[int, bool, int]]
    """Number of the frame, whether it is a key frame, and bytes, in the order in which they are decoded."""
    extradata: bytes
    offset: int
    """Where the packets begin in the file."""

    def read(self) -> Iterator[Packet]:
        """Yields the packets."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            for number, is_key, size in self.packets:
                yield Packet(number, is_key, file.read(size))


def write(folder: Path, number: int, times: Sequence[Time], packets: Sequence[Packet], extradata: bytes) -> None:
    """Writes a segment.

    Args:
      number: how many segments there are before.

    Raises:
      OSError: if it cannot be written.
    """
    data = b"".join(packet.data for packet in packets)
    about = {
        "times": times,
        "packets": [(packet.number, packet.is_key, len(packet.data)) for packet in packets],
        "extradata": extradata.hex(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    replace_bytes(folder / f"{number:06d}{SUFFIX}", json.dumps(about).encode() + b"\n" + data)


def find(folder: Path) -> list[Segment]:
    """Returns the segments that are there, from the first one to the first that is missing, short or damaged."""
    found: list[Segment] = []
    while (segment := _read(folder / f"{len(found):06d}{SUFFIX}")) is not None:
        found.append(segment)
        if len(segment.times) < FRAMES:
            break
    return found


def _read(path: Path) -> Segment | None:
    try:
        with path.open("rb") as file:
            about: dict[str, Any] = json.loads(file.readline())
            offset = file.tell()
            if hashlib.file_digest(file, "sha256").hexdigest() != about["sha256"]:
                return None
        times = [Time(*time) for time in about["times"]]
        packets = [(int(number), bool(is_key), int(size)) for number, is_key, size in about["packets"]]
        return Segment(path, times, packets, bytes.fromhex(about["extradata"]), offset)
    except (OSError, ValueError, KeyError, TypeError):
        return None
