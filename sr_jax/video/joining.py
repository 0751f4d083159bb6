"""Writes the file of a result: the encoded frames, and all else of the source as it is."""

import io
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError

from sr_jax.errors import InputError
from sr_jax.video import encoding, reading
from sr_jax.video.containers import CODECS
from sr_jax.video.encoding import Settings
from sr_jax.video.reading import Video
from sr_jax.video.segments import Segment
from sr_jax.video.timing import Stamp, frame_length, stamps

WRITTEN_ANEW = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration", "vendor_id", "alpha_mode")
STATISTICS = ("bps", "number_of_", "_statistics_")
"""Names of texts in a file that would be wrong in the result, or beginnings of them."""
MOST_UNITS = 2**31 - 1
"""Units of time in a second that MP4 can count."""
COMMENT = "comment"
COVERS = {"mjpeg": "jpeg"}
"""Names of formats of still pictures, by those of codecs, where they differ."""


class Target(NamedTuple):
    """What is written."""

    muxer: str
    settings: Settings
    comment: str | None
    """What made the file; None to leave out this note and all texts of the source."""


class _Streams(NamedTuple):
    video: Any
    copied: dict[int, Any]
    """The streams of the result, by the numbers of those of the source."""
    left_out: list[str]


def left_out(source: Path, video: Video, target: Target) -> list[str]:
    """Writes the head of the result into memory, and returns the streams that the container cannot hold.

    Raises:
      InputError: if the encoder or the container refuse the result.
    """
    with reading.opened(source) as container:
        stream = reading.video_stream(container, source)
        out = av.open(io.BytesIO(), "w", format=target.muxer, container_options=_options(target, container, stream))
        try:
            streams = _add_streams(out, container, stream, video, target, source)
            out.start_encoding()
            return streams.left_out
        except (FFmpegError, ValueError) as error:
            one = target.settings
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"{source}: {one.codec} of {one.width}x{one.height} pixels ({one.pixel_format}) in {target.muxer} is refused "
                f"({reason})"
            ) from None


def join(source: Path, video: Video, target: Target, segments: Sequence[Segment], path: Path) -> bool:
    """Writes the result. Returns whether all time stamps are exact; Matroska, for example, counts milliseconds.

    Raises:
      InputError: if the source is damaged.
      OSError: if the file cannot be written.
    """
    with reading.opened(source) as container:
        stream = reading.video_stream(container, source)
        base = stream.time_base or reading.TIME
        with av.open(str(path), "w", format=target.muxer, container_options=_options(target, container, stream)) as out:
            streams = _add_streams(out, container, stream, video, target, source)
            out.start_encoding()
            _check(segments, streams.video)
            times = stamps(segments, usual=frame_length(target.settings.rate, base))
            frames = _encoded(segments, times, streams.video, base)
            waiting = next(frames, None)
            for packet in _copied(container, source, [*streams.copied]):
                when = (packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base
                while waiting is not None and waiting.dts * base <= when:
                    out.mux(waiting)
                    waiting = next(frames, None)
                packet.stream = streams.copied[packet.stream_index]
                out.mux(packet)
            while waiting is not None:
                out.mux(waiting)
                waiting = next(frames, None)
            unit = streams.video.time_base or base
            return all((stamp.shown * base / unit).denominator == 1 for stamp in times)


def _add_streams(
    out: OutputContainer, container: InputContainer, stream: Any, video: Video, target: Target, source: Path
) -> _Streams:
    """Adds all streams in the order of the source."""
    result: Any = None
    copied: dict[int, Any] = {}
    missing: list[str] = []
    chapters = container.chapters()
    for one in container.streams:
        if one is stream:
            result = out.add_stream(CODECS[target.settings.codec].encoder, rate=target.settings.rate)
            encoding.configure(result.codec_context, target.settings)
            result.time_base = stream.time_base
            if video.display:
                result.set_display_matrix(_enlarged(video, target.settings))
            other = result
        elif one.type == "data" and chapters and target.muxer in ("mp4", "mov"):
            continue  # the texts of the chapters, which are written with them
        else:
            try:
                other = _copy(out, one, target.muxer, source)
            except (FFmpegError, ValueError, AttributeError):
                name = getattr(one, "name", None) or "unknown"
                missing.append(f"{one.type} stream {one.index} ({name})")
                continue
            if other.type == "attachment":
                continue
            copied[one.index] = other
        other.disposition = one.disposition
        other.metadata.clear()
        texts = one.metadata if target.comment is not None else {"language": one.language} if one.language else {}
        other.metadata.update(_kept(texts))
    assert result is not None
    if target.comment is not None:
        texts = _kept(container.metadata)
        if COMMENT not in {name.lower() for name in texts}:
            texts[COMMENT] = target.comment
        out.metadata.update(texts)
    if chapters:
        out.set_chapters(chapters)
    return _Streams(result, copied, missing)


def _copy(out: OutputContainer, one: Any, muxer: str, source: Path) -> Any:
    is_cover = one.type == "video" and reading.is_cover(one)
    if one.type == "data" or (one.type == "attachment" and muxer != "matroska") or (is_cover and muxer == "webm"):
        raise ValueError("the container cannot hold it")
    if is_cover and muxer == "matroska":  # it would become a video of one frame
        mimetype = f"image/{COVERS.get(one.name, one.name)}"
        name = one.metadata.get("filename", f"cover.{COVERS.get(one.name, one.name)}")
        return out.add_attachment(name, one.metadata.get("mimetype", mimetype), _first_packet(source, one.index))
    return out.add_stream_from_template(one, opaque=True)


def _first_packet(source: Path, index: int) -> bytes:
    with reading.opened(source) as container:
        return next(bytes(packet) for packet in container.demux(container.streams[index]) if packet.size)


def _kept(texts: dict[str, str]) -> dict[str, str]:
    return {
        name: text
        for name, text in texts.items()
        if name.lower() not in WRITTEN_ANEW and not name.lower().startswith(STATISTICS)
    }


def _enlarged(video: Video, settings: Settings) -> list[int]:
    """The display matrix for the size of the result. Two of its numbers move the picture by pixels."""
    matrix = list(video.display or ())
    factors = [settings.width / video.width, settings.height / video.height]
    for place, factor in zip((6, 7), reversed(factors) if video.turned else factors, strict=True):
        matrix[place] = min(2**31 - 1, max(-(2**31), round(matrix[place] * factor)))
    return matrix


def _options(target: Target, container: InputContainer, stream: Any) -> dict[str, str]:
    """The options of the muxer, so that it counts time in the units of the source, and does not move it."""
    if target.muxer not in ("mp4", "mov"):
        return {}
    units = [(one.time_base or reading.TIME).denominator for one in container.streams]
    video = (stream.time_base or reading.TIME).denominator
    common = math.lcm(*units)
    return {"video_track_timescale": str(video), "movie_timescale": str(common if common <= MOST_UNITS else video)}


def _check(segments: Sequence[Segment], stream: Any) -> None:
    """Raises InputError if a segment was encoded in another way."""
    expected = bytes(stream.codec_context.extradata or b"")
    for segment in segments:
        if segment.extradata != expected:
            raise InputError(f"{segment.path}: was encoded by another version of the encoder; remove its folder")


def _encoded(segments: Sequence[Segment], times: Sequence[Stamp], stream: Any, base: Fraction) -> Iterator[Any]:
    place = 0
    for segment in segments:
        for encoded in segment.read():
            packet, stamp = av.Packet(encoded.data), times[place]
            packet.stream, packet.time_base = stream, base
            packet.pts, packet.dts, packet.duration = stamp.shown, stamp.decoded, stamp.duration
            packet.is_keyframe = encoded.is_key
            yield packet
            place += 1


def _copied(container: InputContainer, source: Path, indices: Sequence[int]) -> Iterator[Any]:
    if not indices:
        return
    packets = container.demux([container.streams[index] for index in indices])
    while True:
        with reading.naming(source, "a stream that is copied is damaged"):
            packet = next(packets, None)
        if packet is None:
            return
        if packet.size:
            yield packet
