"""Makes small videos, and reads what is in a file, with PyAV itself."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

HEIGHT, WIDTH = 48, 64
VARIABLE = (100, 140, 150, 200, 300, 320, 400, 440, 450, 500, 540, 580, 700, 740, 760, 800, 840, 1000, 1040, 1080)
"""Times of 20 frames at a variable rate [ms]."""
TEXTS = ("one", "two")

Planes = Callable[[int], Sequence[np.ndarray]]


class Content(NamedTuple):
    """What a file holds."""

    times: list[Fraction]
    """When the frames are shown [s]."""
    frames: list[list[np.ndarray]]
    """The planes of each frame."""
    stream: dict[str, Any]
    """What the file says of its video."""
    copied: dict[int, list[bytes]]
    """The packets of the other streams."""
    copied_times: dict[int, list[Fraction]]
    texts: dict[str, str]
    chapters: list[tuple[Fraction, Fraction, str]]
    duration: int | None
    """In microseconds."""


def moving(index: int, *, height: int = HEIGHT, width: int = WIDTH) -> list[np.ndarray]:
    """A smooth picture in 4:2:0 that moves."""
    rows, columns = np.mgrid[:height, :width]
    y = 128 + 80 * np.sin((columns + 3 * index) / 9) * np.cos(rows / 7)
    half = np.s_[::2, ::2]
    return [plane.astype(np.uint8) for plane in (y, (128 + 0.5 * (y - 128))[half], np.full((height // 2, width // 2), 110))]


def write(
    path: Path,
    *,
    planes: Planes = moving,
    times: Sequence[int] = VARIABLE,
    length: int = 40,
    base: Fraction = Fraction(1, 1000),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (HEIGHT, WIDTH),
    tags: tuple[int, int, int, int] = (1, 1, 1, 1),
    aspect: Fraction = Fraction(1),
    rotation: float | None = None,
    options: dict[str, str] | None = None,
    audio: str | None = None,
    subtitles: bool = False,
    attachment: bytes | None = None,
    cover: bytes | None = None,
    chapters: bool = False,
) -> None:
    """Writes a video.

    Args:
      length: of the last frame.
      tags: matrix, primaries, transfer and range.
      audio: a codec, for a track of a second.
    """
    quiet = {"libx265": {"x265-params": "log-level=error:bframes=0"}, "libx264": {"crf": "4"}}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=1 / (length * base), options={**quiet.get(codec, {}), **(options or {})})
        stream.height, stream.width, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = stream.time_base = base
        stream.codec_context.sample_aspect_ratio = aspect
        for name, value in zip(("colorspace", "color_primaries", "color_trc", "color_range"), tags, strict=True):
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        out.metadata["title"] = "A clip"
        sound = out.add_stream(audio, rate=48_000) if audio else None
        text = out.add_mux_stream("subrip" if path.suffix == ".mkv" else "mov_text") if subtitles else None
        if attachment:
            out.add_attachment("font.ttf", "font/ttf", attachment)
        if cover:
            out.add_attachment("cover.jpg", "image/jpeg", cover)
        if chapters:
            out.set_chapters(
                [{"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "Start"}}]
            )
        for index, time in enumerate(times):
            frame = av.VideoFrame(size[1], size[0], pixel_format)
            for plane, samples in zip(frame.planes, planes(index), strict=True):
                rows = np.frombuffer(plane, samples.dtype).reshape(plane.height, plane.line_size // samples.itemsize)
                rows[:, : samples.shape[1]] = samples
            frame.pts, frame.time_base = time, base
            frame.duration = (times[index + 1] if index + 1 < len(times) else time + length) - time
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            tone = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16)
            for start in range(0, 48_000, 960):
                samples = np.repeat(tone[None, start : start + 960], 2, 0).T.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout="stereo")
                frame.sample_rate, frame.pts = 48_000, start
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
        if text is not None:
            for index, words in enumerate(TEXTS):
                data = words.encode() if path.suffix == ".mkv" else len(words).to_bytes(2, "big") + words.encode()
                packet = av.Packet(data)
                packet.stream, packet.time_base = text, Fraction(1, 1000)
                packet.pts = packet.dts = 200 + 400 * index
                packet.duration = 300
                out.mux(packet)


def read(path: Path) -> Content:
    """Reads all of a file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        about = {
            "codec": context.codec.name,
            "format": context.pix_fmt,
            "tags": (context.colorspace, context.color_primaries, context.color_trc, context.color_range),
            "aspect": stream.sample_aspect_ratio,
            "size": (context.height, context.width),
            "base": stream.time_base,
        }
        times, frames = [], []
        for frame in container.decode(stream):
            times.append(frame.pts * frame.time_base)
            frames.append([_samples(plane, frame.format.components[0].bits) for plane in frame.planes])
            about.setdefault("rotation", frame.rotation)
        texts = dict(container.metadata)
        chapters = [
            (one["start"] * one["time_base"], one["end"] * one["time_base"], one["metadata"].get("title", ""))
            for one in container.chapters()
        ]
        duration = container.duration
    copied: dict[int, list[bytes]] = {}
    copied_times: dict[int, list[Fraction]] = {}
    with av.open(str(path)) as container:
        others = [one for one in container.streams if one.type in ("audio", "subtitle")]
        for packet in container.demux(others) if others else []:
            if packet.size:
                copied.setdefault(packet.stream_index, []).append(bytes(packet))
                copied_times.setdefault(packet.stream_index, []).append(packet.pts * packet.time_base)
        about["attachments"] = [one.data for one in container.streams if one.type == "attachment"]
    return Content(times, frames, about, copied, copied_times, texts, chapters, duration)


def _samples(plane: Any, bits: int) -> np.ndarray:
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    return np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width].copy()
