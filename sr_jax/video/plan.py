"""Plans the results of videos before any is computed."""

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from sr_jax.errors import InputError
from sr_jax.pictures import names
from sr_jax.pictures.names import Source
from sr_jax.pictures.picture import GRAY, RGB, Header
from sr_jax.pictures.plan import Wishes, ending, result_size
from sr_jax.video import encoding, joining, reading
from sr_jax.video.colour import COEFFICIENTS
from sr_jax.video.containers import CODECS, CONTAINERS, choose_codec, crf
from sr_jax.video.encoding import Settings
from sr_jax.video.joining import Target
from sr_jax.video.reading import Video

BYTES_PER_PIXEL = 0.02
"""Typical size of an encoded pixel."""
FLOATS = 40
"""Bytes of a pixel while it is computed: the network's result, and what is converted or waits at the same time."""
DECODED = 60
"""Bytes of a pixel of the source: frames that the decoder holds, and floats."""
DEEP = 1.6
"""How much more an encoder takes for 10 bits."""


class VideoJob(NamedTuple):
    """A video that is to be enlarged."""

    source: Source
    video: Video
    settings: Settings
    muxer: str
    reads_y: bool
    """Whether the network gets Y, rather than RGB."""
    output: PurePath
    """Name of the result in the folder of the results."""
    warnings: tuple[str, ...]
    """What cannot be kept."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result [pixels]."""
        return self.settings.height, self.settings.width

    @property
    def header(self) -> Header:
        """A frame as a picture that is enlarged."""
        space, channels = (GRAY, 1) if self.reads_y else (RGB, 3)
        return Header("video", self.video.height, self.video.width, channels, "float32", space, False)

    @property
    def file_bytes(self) -> int:
        """Typical size of the result and of the segments that it is made of."""
        assert self.source.path
        return round(2 * self.video.frames * math.prod(self.size) * BYTES_PER_PIXEL) + self.source.path.stat().st_size

    @property
    def encoded_as(self) -> dict[str, int | str]:
        """The part of the settings that the user may choose, for records."""
        return {"codec": self.settings.codec, "crf": self.settings.crf, "bits": self.settings.coding.bits}

    @property
    def memory(self) -> int:
        """Returns about how many bytes of memory its frames take while it is enlarged."""
        encoder = CODECS[self.settings.codec].bytes_per_pixel * (1 if self.settings.coding.bits == 8 else DEEP)
        return round(math.prod(self.size) * (FLOATS + encoder) + self.video.height * self.video.width * DECODED)


class VideoJobs(NamedTuple):
    """What can be done, and the reasons why the rest cannot."""

    jobs: list[VideoJob]
    bad: dict[str, str]
    """By the label of the video; the reason contains it."""


def make_jobs(
    sources: Sequence[Source],
    wishes: Wishes,
    *,
    codec: str | None,
    quality: int | None,
    label: str,
    scale: int,
    channels: int,
    most: int,
) -> VideoJobs:
    """Reads what all videos say, decodes their first frames, and plans their results.

    Args:
      wishes: `bits` of 16 means nothing here.
      label: the name of the model in names of files.
      channels: those of the network.
      most: bytes of memory that frames may take.

    Raises:
      InputError: if two results would have one name.
    """
    drafts: list[VideoJob] = []
    bad: dict[str, str] = {}
    for source in sources:
        try:
            job = _draft(source, wishes, codec=codec, quality=quality, scale=scale, channels=channels)
            if job.memory > most:  # before the encoder takes it
                raise InputError(
                    f"frames of {job.video.width:,}x{job.video.height:,} pixels and their results take about "
                    f"{job.memory / 2**30:,.1f} GiB of memory, and {most / 2**30:,.1f} GiB may be used; free some memory, "
                    "raise --memory, or give a smaller --outscale"
                )
            drafts.append(job._replace(warnings=_warnings(job)))
        except (InputError, OSError) as error:
            strerror = getattr(error, "strerror", None)
            reason = f"cannot be read ({strerror})" if strerror else str(error)
            bad[source.label] = reason if source.label in reason else f"{source.label}: {reason}"
    suffixes = [CONTAINERS[job.source.name.suffix.lower()].suffix or job.source.name.suffix.lower() for job in drafts]
    endings = [ending(_shown(job.size, job.video), wishes, label=label, scale=scale) for job in drafts]
    outputs = names.settle([job.source for job in drafts], endings, suffixes)
    return VideoJobs([job._replace(output=output) for job, output in zip(drafts, outputs, strict=True)], bad)


def _draft(source: Source, wishes: Wishes, *, codec: str | None, quality: int | None, scale: int, channels: int) -> VideoJob:
    if source.path is None:
        raise InputError("videos are read from files only")
    suffix = source.name.suffix
    video = reading.probe(source.path)
    bits = wishes.bits if wishes.bits in (8, 10) else 8 if video.coding.bits == 8 else 10
    codec = choose_codec(suffix, codec, bits=bits)
    shape = _shown((video.height, video.width), video)
    height, width = (2 * max(1, math.floor(side / 2 + 0.5)) for side in result_size(shape, wishes, scale=scale))
    size = _shown((height, width), video)
    if max(size) > CODECS[codec].most_side or min(size) < CODECS[codec].least_side:
        raise InputError(
            f"{codec} is written with {CODECS[codec].least_side} to {CODECS[codec].most_side:,} pixels a side, not "
            f"{width:,}x{height:,}; give another --outscale"
        )
    reads_y = channels == 1 or video.coding.kind == "gray"
    if not reads_y and video.coding.matrix not in COEFFICIENTS:
        raise InputError(f"its colours (matrix {video.coding.matrix}) cannot be converted to RGB; take a network that reads Y")
    chosen = encoding.settings(video, codec=codec, crf=crf(codec, quality), size=size, bits=bits)
    return VideoJob(source, video, chosen, CONTAINERS[suffix.lower()].muxer, reads_y, source.name, ())


def _warnings(job: VideoJob) -> tuple[str, ...]:
    assert job.source.path
    warnings, codec = [*job.video.warnings], job.settings.codec
    if missing := joining.left_out(job.source.path, job.video, Target(job.muxer, job.settings, "")):
        warnings.append(f"{job.muxer} cannot hold {', '.join(missing)}, which is left out")
    if job.video.aspect != 1 and codec in ("vp9", "av1"):
        warnings.append(f"its pixels are not square ({job.video.aspect}), which is not written with {codec}")
    return tuple(warnings)


def _shown(size: tuple[int, int], video: Video) -> tuple[int, int]:
    """Height and width as they are watched, from those as they are stored, and the other way round."""
    return (size[1], size[0]) if video.turned else size
