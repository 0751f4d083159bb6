"""Enlarges videos with a trained network: frame by frame, in segments, so that an interrupted run goes on."""

import contextlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.errors import Interrupted
from sr_jax.pictures.picture import GRAY, RGB, Metadata, Picture
from sr_jax.pictures.records import PARTIAL, Records
from sr_jax.pictures.report import Report
from sr_jax.system.files import sha256_of
from sr_jax.video import colour, joining, reading, record, segments
from sr_jax.video.colour import Samples, YCbCr
from sr_jax.video.encoding import Encoder, Packet
from sr_jax.video.joining import Target
from sr_jax.video.plan import VideoJob
from sr_jax.video.reading import Frame
from sr_jax.video.segments import Time
from sr_jax.video.stages import overlapped


class Loaded(NamedTuple):
    """A frame in floating point, and when it is shown."""

    frame: YCbCr
    picture: Picture
    """What the network gets of it."""
    origin: Frame


class Computed(NamedTuple):
    """A frame that is enlarged."""

    sr: np.ndarray
    """Y or RGB, in float32."""
    loaded: Loaded


class Outcome(NamedTuple):
    """What became of a video."""

    frames: int
    done: int
    """Frames that an earlier run enlarged."""
    difference: float | None
    """The greatest difference from windows without tiles, if they were computed."""
    warnings: list[str]


def enlarge(
    job: VideoJob,
    upscaler: Upscaler,
    *,
    self_ensemble: bool,
    windows: int,
    records: Records,
    made_by: dict[str, Any],
    comment: str | None,
    report: Report,
) -> Outcome:
    """Enlarges a video and writes its result.

    Args:
      windows: windows of the first frame of each segment that are also computed without tiles.
      made_by: all that makes the result, for its record.
      comment: a text that says what made the result; None to leave out all texts.

    Raises:
      InputError: if the video is damaged.
      Interrupted: by Ctrl-C. The segments that are done are kept.
      OSError: if a file cannot be read or written.
    """
    assert job.source.path
    path = job.source.path
    origin = {"input_sha256": sha256_of(path), "made_by": made_by}
    folder = record.prepare(records.folder, str(job.output), **origin)
    done = segments.find(folder)
    count = sum(len(segment.times) for segment in done)
    way = Way("float32", job.size, self_ensemble=self_ensemble)
    differences: list[float] = []
    damaged: list[int] = []

    def compute(loaded: Loaded) -> Computed:
        if loaded.origin.is_damaged:
            damaged.append(loaded.origin.number)
        if windows and loaded.origin.number % segments.FRAMES == 0:
            differences.extend(upscaler.differences(loaded.picture, seed=loaded.origin.number, count=windows))
        return Computed(upscaler(loaded.picture, way).pixels, loaded)

    is_whole = bool(done) and len(done[-1].times) < segments.FRAMES
    with report.frames(job.video.frames, done=count, name=job.source.label) as advance:
        if not is_whole:
            writer = SegmentWriter(job, folder, first=len(done))
            with contextlib.closing(reading.frames(path, job.video, first=count)) as frames:
                try:
                    for _ in overlapped((_load(frame, job) for frame in frames), compute=compute, save=writer.add):
                        advance()
                    writer.finish()
                except KeyboardInterrupt:
                    kept = sum(len(segment.times) for segment in segments.find(folder))
                    raise Interrupted(
                        f"interrupted: {kept} frames of {job.source.label} are kept, and the same command goes on there"
                    ) from None
    done = segments.find(folder)
    target = Target(job.muxer, job.settings, comment)
    partial = records.folder / f"{os.getpid()}-video{PARTIAL}"
    is_exact = joining.join(path, job.video, target, done, partial)
    records.write(str(job.output), partial, input_name=job.source.label, **origin)
    record.remove(folder)
    warnings = [] if is_exact else [f"time stamps are rounded to what {job.muxer} holds"]
    if damaged:
        warnings.append(f"{len(damaged)} damaged frame(s), the first of which is number {damaged[0] + 1}")
    return Outcome(sum(len(segment.times) for segment in done), count, max(differences, default=None), warnings)


class SegmentWriter:
    """Encodes frames, and writes a segment whenever it is full.

    Args:
      first: how many segments there are before.
    """

    def __init__(self, job: VideoJob, folder: Path, *, first: int):
        self._job, self._folder, self._number = job, folder, first
        self._encoder: Encoder | None = None
        self._times: list[Time] = []
        self._packets: list[Packet] = []

    def add(self, computed: Computed) -> None:
        """Takes the next frame."""
        origin = computed.loaded.origin
        planes = _finished(computed, self._job)
        if self._encoder is None:
            self._encoder = Encoder(self._job.settings, first=origin.number)
        self._packets += self._encoder.encode(planes)
        self._times.append(Time(origin.time, origin.duration))
        if len(self._times) == segments.FRAMES:
            self.finish()

    def finish(self) -> None:
        """Writes the last segment, if there is something left."""
        if self._encoder is None:
            return
        self._packets += self._encoder.finish()
        segments.write(self._folder, self._number, self._times, self._packets, self._encoder.extradata)
        self._number, self._encoder = self._number + 1, None
        self._times, self._packets = [], []


def _load(origin: Frame, job: VideoJob) -> Loaded:
    given = job.video.coding
    frame = colour.decode(origin.planes, given)
    if job.reads_y:
        picture = Picture(frame.y[..., None].clip(0, 1), None, GRAY, Metadata(), "video")
    else:
        picture = Picture(colour.to_rgb(frame, given), None, RGB, Metadata(), "video")
    return Loaded(frame, picture, origin._replace(planes=[]))


def _finished(computed: Computed, job: VideoJob) -> list[Samples]:
    coding = job.settings.coding
    if job.reads_y:
        # An RGB source is Y'CbCr of full resolution here.
        given = job.video.coding if job.video.coding.kind != "rgb" else job.video.coding._replace(step=(1, 1))
        chroma = colour.enlarged_chroma(computed.loaded.frame, given, coding, job.size)
        return colour.encode(computed.sr[..., 0], chroma, coding)
    y, chroma = colour.enlarged_from_rgb(computed.sr.clip(0, 1), coding)
    return colour.encode(y, chroma, coding)
