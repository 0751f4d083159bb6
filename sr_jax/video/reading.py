"""Reads videos: what a file says, and its frames one after another."""

import contextlib
import re
import threading
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av import logging
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sr_jax.errors import InputError
from sr_jax.video.colour import SITINGS, Coding, Samples

MOST_PIXELS = 2**26
"""Pixels of the largest frame that is decoded. Files that claim more are refused before any memory is taken for them."""
MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
"""Matrices by their numbers in ITU-T H.273."""
UNSPECIFIED, FULL = 2, 2
HD_WIDTH, SD_HEIGHT = 1280, 576
"""From this width on, or above this height, a video that does not name its matrix is taken as BT.709, otherwise as BT.601."""
PROGRESSIVE = (0, 1)
"""The orders of fields of a video that is not interlaced: unknown, and progressive."""
TIME = Fraction(1, av.time_base)
USUAL_RATE, MOST_RATE = 25, 480
"""Frames a second where a file says none, and most of them that are believed."""

_lock = threading.Lock()


class Tags(NamedTuple):
    """What a video says of its colours, as numbers of ITU-T H.273."""

    matrix: int
    primaries: int
    transfer: int
    range: int


class Video(NamedTuple):
    """What is known of a video before its frames are enlarged."""

    height: int
    width: int
    """Size of the stored frames [pixels]."""
    coding: Coding
    tags: Tags
    aspect: Fraction
    """Width of a pixel divided by its height."""
    rate: Fraction
    """Mean frames a second."""
    frames: int
    """How many there are; 0 if this is unknown."""
    display: tuple[int, ...] | None
    """The display matrix, which turns or mirrors the frames for whoever watches them, as 9 integers of FFmpeg."""
    warnings: tuple[str, ...]
    """What cannot be kept, or will look wrong."""

    @property
    def turned(self) -> bool:
        """Whether height and width are exchanged when the video is watched."""
        return self.display is not None and abs(self.display[1]) > abs(self.display[0])


class Frame(NamedTuple):
    """A decoded frame."""

    number: int
    """How many frames there are before."""
    time: int
    """When it is shown, in the time base of its stream."""
    duration: int
    """As the file says; 0 if it does not."""
    planes: list[Samples]
    is_damaged: bool


def probe(path: Path) -> Video:
    """Reads the headers of a video, and decodes its first frame.

    Raises:
      InputError: if it cannot be decoded, or holds what cannot be enlarged.
      OSError: if the file cannot be read.
    """
    with opened(path) as container:
        stream = video_stream(container, path)
        with naming(path, "its first frame cannot be decoded"):
            frame = next(iter(container.decode(stream)), None)
        if frame is None:
            raise InputError(f"{path}: there is no frame in this video")
        context = stream.codec_context
        tags = Tags(context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        coding = _coding(frame, tags, _siting(container, stream))
        rates = (rate for rate in (stream.average_rate, stream.guessed_rate) if rate and 1 <= rate <= MOST_RATE)
        rate = next(rates, Fraction(USUAL_RATE))
        seconds = stream.duration * stream.time_base if stream.duration and stream.time_base else None
        if seconds is None and container.duration:
            seconds = container.duration * TIME
        return Video(
            height=frame.height,
            width=frame.width,
            coding=coding,
            tags=tags,
            aspect=stream.sample_aspect_ratio or Fraction(1),
            rate=rate,
            frames=stream.frames or (round(seconds * rate) if seconds else 0),
            display=_display(frame),
            warnings=tuple(_warnings(frame, stream, container)),
        )


def frames(path: Path, video: Video, *, first: int) -> Generator[Frame, None, None]:
    """Yields the frames of a video from number `first` on, in the order in which they are shown. Those before are decoded, too.

    Raises:
      InputError: if the file is damaged, or the frames change.
    """
    last = None
    with opened(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        decoded = iter(container.decode(stream))
        number = 0
        while True:
            with naming(path, f"frame {number + 1} cannot be decoded"):
                frame = next(decoded, None)
            if frame is None:
                return
            if (frame.height, frame.width) != (video.height, video.width):
                raise InputError(
                    f"{path}: frame {number + 1} has {frame.width}x{frame.height} pixels, and the frames before "
                    f"{video.width}x{video.height}; divide the video where its size changes"
                )
            time = frame.pts
            if time is None or (last is not None and time <= last):
                raise InputError(
                    f"{path}: frame {number + 1} has {'no time stamp' if time is None else 'the time of an earlier one'}; "
                    "write the file anew, for example with: ffmpeg -i IN -c copy OUT.mkv"
                )
            last = time
            if number >= first:
                yield Frame(number, time, frame.duration or 0, _planes(frame, video.coding), frame.is_corrupt)
            number += 1


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Opens a file.

    Raises:
      InputError: if it is no video.
      OSError: if it cannot be read.
    """
    path.open("rb").close()  # so that this error is the system's own
    with naming(path, "is damaged or no video"):
        container = av.open(str(path), options={"max_pixels": str(MOST_PIXELS)}, metadata_errors="replace")
    with container:
        yield container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Returns the first stream of moving pictures.

    Raises:
      InputError: if there is none that can be decoded.
    """
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise InputError(f"{path}: there is no video in this file")
    stream = streams[0]
    if stream.codec_context is None:
        raise InputError(f"{path}: its codec cannot be decoded; convert the video to H.264 or another one that FFmpeg knows")
    if not 0 < stream.codec_context.height * stream.codec_context.width <= MOST_PIXELS:
        raise InputError(f"{path}: its frames are damaged, or have more than {MOST_PIXELS:,} pixels; give a smaller video")
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    return stream


def is_cover(stream: Any) -> bool:
    """Returns whether a stream is a still picture that belongs to the file."""
    return bool(stream.disposition & stream.disposition.attached_pic)


def _coding(frame: VideoFrame, tags: Tags, siting: str) -> Coding:
    pixels = frame.format
    bits = max(8, *(component.bits for component in pixels.components))
    is_rgb = pixels.is_rgb or pixels.has_palette
    name = MATRICES.get(tags.matrix, f"number {tags.matrix} of H.273")
    if is_rgb or tags.matrix == UNSPECIFIED:
        name = "bt709" if frame.width >= HD_WIDTH or frame.height > SD_HEIGHT else "bt601"
    if is_rgb:
        return Coding("rgb", 8 if bits <= 8 else 16, True, name)
    is_full = tags.range == FULL or pixels.name.startswith("yuvj")
    if len(pixels.components) < 3:
        return Coding("gray", bits, is_full, name)
    step = round(16 / pixels.chroma_height(16)), round(16 / pixels.chroma_width(16))
    return Coding("yuv", bits, is_full, name, step, siting)


def _planes(frame: VideoFrame, coding: Coding) -> list[Samples]:
    wanted, pixels = 1 if coding.kind == "gray" else 3, frame.format
    is_plain = [component.plane for component in pixels.components][:wanted] == [*range(wanted)] and not pixels.is_big_endian
    is_plain = is_plain and pixels.components[0].bits == coding.bits and len(pixels.components) != 2
    if coding.kind == "rgb":
        frame = frame.reformat(format="gbrp" if coding.bits == 8 else "gbrp16le")
    elif not is_plain:
        frame = frame.reformat(format=_planar(coding))
    return [_samples(plane, coding.bits) for plane in frame.planes[:wanted]]


def _planar(coding: Coding) -> str:
    """The format that has the same samples in planes."""
    if coding.kind == "gray":
        return "gray" if coding.bits == 8 else f"gray{coding.bits}le"
    subsampling = {(2, 2): "420", (1, 2): "422", (1, 1): "444", (2, 1): "440"}.get(coding.step, "444")
    return f"yuv{subsampling}p" + ("" if coding.bits == 8 else f"{coding.bits}le")


def _samples(plane: Any, bits: int) -> Samples:
    dtype = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, abs(plane.line_size) // dtype.itemsize)
    return (rows[::-1] if plane.line_size < 0 else rows)[:, : plane.width]


def _display(frame: VideoFrame) -> tuple[int, ...] | None:
    data: Any
    for data in frame.side_data:
        if data.type == Type.DISPLAYMATRIX:
            return tuple(map(int, np.frombuffer(bytes(data), np.int32)))
    return None


def _siting(container: InputContainer, stream: VideoStream) -> str:
    """Where chroma lies. PyAV has no attribute for it, but FFmpeg prints it among what it says of a stream."""
    out: Any = container  # whose stubs lack this method
    with _lock:
        level = logging.get_level()
        logging.set_level(logging.VERBOSE)
        logging.set_libav_level(logging.VERBOSE)
        try:
            text = out.dumps_format()
        finally:
            logging.set_libav_level(logging.INFO)
            logging.set_level(level)
    line = next((line for line in text.splitlines() if re.search(rf"Stream #\d+:{stream.index}\b.*Video:", line)), "")
    for group in re.findall(r"\(([^()]*)\)", line.partition("Video:")[2]):
        for word in group.split(", "):
            if word in SITINGS:
                return word
    return "center" if stream.codec_context.name in ("mpeg1video", "mjpeg") else "left"


def _warnings(frame: VideoFrame, stream: VideoStream, container: InputContainer) -> Iterator[str]:
    if frame.interlaced_frame or stream.codec_context.field_order not in PROGRESSIVE:
        yield "it is interlaced, and both fields are enlarged as one picture; deinterlace it before (FFmpeg: -vf bwdif)"
    if any(component.is_alpha for component in frame.format.components) or stream.metadata.get("alpha_mode") == "1":
        yield "its transparency is left out"
    side_data: Any = frame.side_data
    kinds = {data.type for data in side_data}
    if kinds & {Type.MASTERING_DISPLAY_METADATA, Type.CONTENT_LIGHT_LEVEL}:
        yield "what it says of the display that it was mastered on is left out"
    if len([one for one in container.streams.video if not is_cover(one)]) > 1:
        yield "only its first video stream is enlarged; the others are copied"


@contextlib.contextmanager
def naming(path: Path, what: str) -> Iterator[None]:
    """Turns errors of FFmpeg into an InputError that names the file."""
    try:
        yield
    except (FFmpegError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: {what} ({reason})") from None
