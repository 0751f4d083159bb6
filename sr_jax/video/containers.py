"""The containers and codecs of videos: their names and limits, and what they hold."""

import importlib.util
from pathlib import PurePath
from typing import NamedTuple

from sr_jax.errors import InputError


class Container(NamedTuple):
    """A container in which results are written."""

    suffix: str | None
    """The end of a result's name; None for that of its input."""
    muxer: str
    """Its name in FFmpeg."""
    codecs: tuple[str, ...]
    """The codecs that it holds. The first one is the default for 8 bits."""
    deep: str
    """The default codec for 10 bits."""


MP4 = Container(None, "mp4", ("h264", "h265", "av1", "vp9"), "h265")
MATROSKA = Container(None, "matroska", ("h264", "h265", "av1", "vp9"), "h265")
CONTAINERS = {
    ".mp4": MP4,
    ".m4v": MP4,
    ".mov": Container(None, "mov", ("h264", "h265"), "h265"),
    ".mkv": MATROSKA,
    ".webm": Container(None, "webm", ("vp9", "av1"), "av1"),
    ".ts": Container(None, "mpegts", ("h264", "h265"), "h265"),
    ".mts": Container(None, "mpegts", ("h264", "h265"), "h265"),
    ".m2ts": Container(None, "mpegts", ("h264", "h265"), "h265"),
    **dict.fromkeys((".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".3gp", ".ogv", ".vob"), MATROSKA._replace(suffix=".mkv")),
}
"""The containers of results, by the ends of the inputs' names. Old ones cannot hold the codecs, or times of single frames."""

SUFFIXES = tuple(CONTAINERS)


class Codec(NamedTuple):
    """A codec, and how it is used."""

    encoder: str
    """Its encoder in FFmpeg."""
    usual_crf: int
    """The constant rate factor that the encoder takes by itself, which `--quality 80` stands for."""
    crf_per_quality: float
    """How much the factor rises when the quality falls by one."""
    most_crf: int
    least_side: int
    most_side: int
    """Least and greatest width and height [pixels]."""
    bytes_per_pixel: int
    """Memory that the encoder takes for each pixel of a frame, as measured with 8 bits; 10 bits take 1.6 times as much."""
    options: dict[str, str]
    keeps_siting: bool = True
    """Whether its stream says where chroma lies. Otherwise this is at the left."""


CODECS = {
    "h264": Codec("libx264", 23, 0.5, 51, 16, 16_384, 160, {"preset": "medium", "x264-params": "rc-lookahead=20"}),
    "h265": Codec("libx265", 28, 0.5, 51, 16, 16_384, 280, {"preset": "medium", "x265-params": "log-level=error:info=0"}),
    "vp9": Codec("libvpx-vp9", 31, 0.7, 63, 16, 16_384, 180, {"b": "0", "cpu-used": "2", "row-mt": "1"}, keeps_siting=False),
    "av1": Codec("libsvtav1", 35, 0.7, 63, 64, 8_704, 360, {"preset": "6"}, keeps_siting=False),
}
QUALITY = 90
"""The default of --quality."""


def is_video(name: PurePath) -> bool:
    """Returns whether a name ends as those of videos do."""
    return name.suffix.lower() in CONTAINERS


def missing() -> str:
    """Returns what to do before videos can be read; empty if nothing."""
    return "" if importlib.util.find_spec("av") else "videos need PyAV; install it with pip install -e '.[video]'"


def choose_codec(suffix: str, wanted: str | None, *, bits: int) -> str:
    """Returns the codec of a result.

    Args:
      suffix: the end of the input's name.
      wanted: a name in `CODECS`, or None for the default.
      bits: bits of a sample of the result.

    Raises:
      InputError: if the container or the codec cannot hold it.
    """
    one = CONTAINERS[suffix.lower()]
    codec = wanted or (one.codecs[0] if bits == 8 else one.deep)
    if codec not in one.codecs:
        raise InputError(f"{suffix} cannot hold {codec}; give --codec {' or '.join(one.codecs)}")
    if bits > 8 and codec == "vp9":
        raise InputError("vp9 is written with 8 bits only; give --codec av1, or --bits 8")
    return codec


def crf(codec: str, quality: int | None) -> int:
    """Returns the constant rate factor that stands for a quality of 1 to 100: 80 is the encoder's own default."""
    one = CODECS[codec]
    value = one.usual_crf + one.crf_per_quality * (80 - (QUALITY if quality is None else quality))
    return min(one.most_crf, max(1, round(value)))
