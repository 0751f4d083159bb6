"""Encodes frames, and says how: the settings are all that an encoder and the file of a result need."""

import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from sr_jax.errors import InputError
from sr_jax.video.colour import Coding, Samples
from sr_jax.video.containers import CODECS
from sr_jax.video.reading import FULL, MATRICES, UNSPECIFIED, Video

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints what it does otherwise

NUMBERS = {name: number for number, name in MATRICES.items()} | {"bt601": 6}
LIMITED = 1


class Settings(NamedTuple):
    """How a result is encoded."""

    codec: str
    """A name in `CODECS`."""
    crf: int
    height: int
    width: int
    coding: Coding
    matrix: int
    primaries: int
    transfer: int
    range: int
    """Numbers of ITU-T H.273."""
    aspect: Fraction
    rate: Fraction

    @property
    def pixel_format(self) -> str:
        """The name in FFmpeg."""
        return _pixel_format(self.coding)


class Packet(NamedTuple):
    """An encoded frame."""

    number: int
    """That of the frame."""
    is_key: bool
    data: bytes


def settings(video: Video, *, codec: str, crf: int, size: tuple[int, int], bits: int) -> Settings:
    """Chooses how the result of a video is encoded.

    The matrix is always written. If the video does not name it, players guess it from the size, and that of the result is
    another one. Primaries and transfer stay as they are, also unspecified.

    Args:
      crf: the constant rate factor.
      size: height and width of the result.
      bits: 8 or 10.
    """
    given, tags = video.coding, video.tags
    is_rgb = given.kind == "rgb"
    step = given.step if given.kind == "yuv" else (2, 2)
    coding = Coding(
        kind="yuv",
        bits=bits,
        is_full=given.is_full and not is_rgb,
        matrix=given.matrix,
        step=step,
        siting=given.siting if CODECS[codec].keeps_siting else "left",
    )
    names = av.Codec(CODECS[codec].encoder, "w").video_formats or ()
    if _pixel_format(coding) not in [one.name for one in names]:
        coding = coding._replace(step=(2, 2))
    matrix = NUMBERS[given.matrix] if is_rgb or tags.matrix == UNSPECIFIED else tags.matrix
    range_of_yuv = FULL if given.is_full else tags.range
    return Settings(
        codec=codec,
        crf=crf,
        height=size[0],
        width=size[1],
        coding=coding,
        matrix=matrix,
        primaries=tags.primaries,
        transfer=tags.transfer,
        range=LIMITED if is_rgb else range_of_yuv,
        aspect=video.aspect,
        rate=video.rate.limit_denominator(2**16),
    )


def configure(context: VideoCodecContext, one: Settings) -> None:
    """Gives the settings to an encoder. Its time is counted in frames."""
    codec = CODECS[one.codec]
    context.width, context.height, context.pix_fmt = one.width, one.height, one.pixel_format
    context.framerate, context.time_base = one.rate, 1 / one.rate
    context.sample_aspect_ratio = one.aspect
    context.colorspace, context.color_range = one.matrix, one.range
    context.color_primaries, context.color_trc = one.primaries, one.transfer
    context.options = {"crf": str(one.crf), **codec.options}
    if codec.keeps_siting and one.coding.step == (2, 2):
        context.options["chroma_sample_location"] = one.coding.siting
    context.flags |= Flags.global_header
    if one.codec == "h265":
        context.codec_tag = "hvc1"  # Apple's players want this one


class Encoder:
    """Encodes frames one after another. The first packet can be decoded without those of other encoders.

    Args:
      one: the settings.
      first: the number of the first frame.

    Raises:
      InputError: if the encoder refuses the settings.
    """

    def __init__(self, one: Settings, *, first: int):
        self._settings, self._first, self._count = one, first, 0
        self._context: Any = av.CodecContext.create(CODECS[one.codec].encoder, "w")
        configure(self._context, one)
        try:
            self._context.open()
        except FFmpegError as error:
            raise InputError(
                f"{one.codec} cannot hold frames of {one.width}x{one.height} pixels as {one.pixel_format} ({error.strerror})"
            ) from None

    @property
    def extradata(self) -> bytes:
        """What a file says once for all packets."""
        return bytes(self._context.extradata or b"")

    def encode(self, planes: Sequence[Samples]) -> list[Packet]:
        """Takes a frame, and returns the packets that are complete."""
        frame = VideoFrame(self._settings.width, self._settings.height, self._settings.pixel_format)
        plane: Any
        for plane, samples in zip(frame.planes, planes, strict=True):
            rows = np.frombuffer(plane, samples.dtype).reshape(plane.height, plane.line_size // samples.itemsize)
            rows[:, : plane.width] = samples
        frame.pts, frame.time_base = self._count, self._context.time_base
        frame.colorspace, frame.color_range = self._settings.matrix, self._settings.range
        frame.color_primaries, frame.color_trc = self._settings.primaries, self._settings.transfer
        self._count += 1
        return self._packets(frame)

    def finish(self) -> list[Packet]:
        """Returns the packets that are left."""
        return self._packets(None)

    def _packets(self, frame: VideoFrame | None) -> list[Packet]:
        return [Packet(self._first + packet.pts, packet.is_keyframe, bytes(packet)) for packet in self._context.encode(frame)]


def _pixel_format(coding: Coding) -> str:
    subsampling = {(2, 2): "420", (1, 2): "422", (1, 1): "444"}.get(coding.step, "other")
    return f"yuv{subsampling}p" + ("" if coding.bits == 8 else f"{coding.bits}le")
