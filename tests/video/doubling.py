"""Enlarges a video by repeating pixels, with all but the network."""

from pathlib import Path

import numpy as np

from sr_jax.video import colour, encoding, joining, reading, segments
from sr_jax.video.containers import CONTAINERS, choose_codec, crf
from sr_jax.video.encoding import Encoder, Settings
from sr_jax.video.joining import Target
from sr_jax.video.reading import Video
from sr_jax.video.segments import Time


def target(path: Path, video: Video, *, codec: str | None = None, comment: str | None = "made here") -> Target:
    bits = 8 if video.coding.bits == 8 else 10
    codec = choose_codec(path.suffix, codec, bits=bits)
    size = 2 * video.height, 2 * video.width
    chosen = encoding.settings(video, codec=codec, crf=crf(codec, 100), size=size, bits=bits)
    return Target(CONTAINERS[path.suffix].muxer, chosen, comment)


def encode(path: Path, video: Video, settings: Settings, folder: Path, *, length: int) -> None:
    """Writes the segments."""
    frames = list(reading.frames(path, video, first=0))
    for number, start in enumerate(range(0, len(frames), length)):
        encoder, packets = Encoder(settings, first=start), []
        members = frames[start : start + length]
        for frame in members:
            given = colour.decode(frame.planes, video.coding)
            y = np.kron(given.y, np.ones((2, 2), np.float32))
            chroma = colour.enlarged_chroma(given, video.coding, settings.coding, y.shape)
            packets += encoder.encode(colour.encode(y, chroma, settings.coding))
        times = [Time(frame.time, frame.duration) for frame in members]
        segments.write(folder, number, times, packets + encoder.finish(), encoder.extradata)


def double(path: Path, out: Path, monkeypatch, *, length: int = 7, **options) -> bool:
    """Writes the result. Returns whether its time stamps are exact."""
    monkeypatch.setattr(segments, "FRAMES", length)
    video = reading.probe(path)
    what = target(path, video, **options)
    folder = out.parent / f"{out.name}.segments"
    encode(path, video, what.settings, folder, length=length)
    assert joining.left_out(path, video, what) == []
    return joining.join(path, video, what, segments.find(folder), out)
