"""What a result holds beside its enlarged frames, compared with its source by PyAV itself."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from sr_jax.errors import InputError
from sr_jax.video import joining, reading, segments
from tests.video import clips
from tests.video.doubling import double, encode, target

FONT = b"a font, or not"
CONTAINERS = {
    "mkv": {
        "audio": "libopus",
        "subtitles": True,
        "attachment": FONT,
        "chapters": True,
        "rotation": 90,
        "aspect": Fraction(4, 3),
    },
    "mp4": {"audio": "aac", "subtitles": True, "chapters": True, "rotation": 180, "aspect": Fraction(4, 3)},
    "mov": {"audio": "pcm_s16le", "base": Fraction(1, 600)},
    "webm": {"audio": "libopus", "codec": "libvpx-vp9"},
    "ts": {"audio": "aac", "base": Fraction(1, 90_000)},
}


@pytest.mark.parametrize("end", CONTAINERS)
def test_all_but_the_pixels_is_kept(tmp_path, monkeypatch, end):
    """The times of frames at a variable rate with a late start, other streams byte by byte, and what is said of them."""
    source, out = tmp_path / f"a.{end}", tmp_path / f"b.{end}"
    clips.write(source, **CONTAINERS[end])
    assert double(source, out, monkeypatch)
    given, result = clips.read(source), clips.read(out)
    assert result.times == given.times
    assert len(given.times) == len(clips.VARIABLE)
    assert given.times[0] > 0
    if end == "mov":  # PCM has no packets of its own; they are cut by whoever reads
        assert b"".join(result.copied[1]) == b"".join(given.copied[1])
        assert result.copied_times[1][0] == given.copied_times[1][0]
    else:
        assert (result.copied, result.copied_times) == (given.copied, given.copied_times)
    assert len(given.copied) == ("audio" in CONTAINERS[end]) + ("subtitles" in CONTAINERS[end])
    assert result.chapters == given.chapters
    for name in ("tags", "rotation", "aspect", "attachments"):
        assert result.stream[name] == given.stream[name], name
    assert result.stream["size"] == (96, 128)
    if end != "ts":  # it has no texts
        texts = {name.lower(): text for name, text in result.texts.items()}
        assert (texts["title"], texts["comment"]) == ("A clip", "made here")
    for ours, theirs in zip(result.frames, given.frames, strict=True):
        assert np.abs(ours[0] - np.kron(theirs[0].astype(int), np.ones((2, 2)))).mean() < 2.5


@pytest.mark.parametrize(("end", "rate"), [("mp4", 25), ("mkv", 25), ("mp4", Fraction(30_000, 1001))])
def test_the_duration_is_equal(tmp_path, monkeypatch, end, rate):
    base = Fraction(1, 1000) if end == "mkv" else Fraction(1, 30_000)
    length = int(1 / rate / base)
    clips.write(tmp_path / f"a.{end}", times=[length * i for i in range(20)], base=base, length=length)
    assert double(tmp_path / f"a.{end}", tmp_path / f"b.{end}", monkeypatch)
    given, result = clips.read(tmp_path / f"a.{end}"), clips.read(tmp_path / f"b.{end}")
    assert result.duration == given.duration
    assert result.duration == pytest.approx(20 * length * base * 1_000_000, abs=1)


def test_old_containers_become_matroska_with_rounded_times(tmp_path, monkeypatch):
    clips.write(tmp_path / "a.avi", codec="mpeg4", times=range(9), base=Fraction(1001, 30_000), length=1)
    assert not double(tmp_path / "a.avi", tmp_path / "b.mkv", monkeypatch)
    given, result = clips.read(tmp_path / "a.avi"), clips.read(tmp_path / "b.mkv")
    assert max(abs(a - b) for a, b in zip(given.times, result.times, strict=True)) <= Fraction(1, 2000)


def test_what_a_container_cannot_hold_is_named(tmp_path):
    clips.write(tmp_path / "a.mkv", audio="libopus", subtitles=True, attachment=FONT)
    video = reading.probe(tmp_path / "a.mkv")
    what = target(tmp_path / "a.webm", video)
    assert joining.left_out(tmp_path / "a.mkv", video, what) == ["subtitle stream 2 (srt)", "attachment stream 3 (font.ttf)"]


def test_the_cover_stays_a_cover(tmp_path, monkeypatch):
    picture = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(picture, "JPEG")
    clips.write(tmp_path / "a.mkv", cover=picture.getvalue())
    double(tmp_path / "a.mkv", tmp_path / "b.mkv", monkeypatch)
    with av.open(str(tmp_path / "b.mkv")) as container:
        video, cover = container.streams
        assert (video.type, reading.is_cover(video), cover.type, reading.is_cover(cover)) == ("video", False, "video", True)
        assert [bytes(packet) for packet in container.demux(cover) if packet.size] == [picture.getvalue()]


def test_texts_are_left_out_on_request(tmp_path, monkeypatch):
    clips.write(tmp_path / "a.mp4", subtitles=True)
    double(tmp_path / "a.mp4", tmp_path / "b.mp4", monkeypatch, comment=None)
    assert not {"title", "comment"} & {*clips.read(tmp_path / "b.mp4").texts}


def test_segments_of_another_encoder_are_refused(tmp_path, monkeypatch):
    clips.write(tmp_path / "a.mp4")
    video = reading.probe(tmp_path / "a.mp4")
    what = target(tmp_path / "a.mp4", video)
    monkeypatch.setattr(segments, "FRAMES", 10)
    encode(tmp_path / "a.mp4", video, what.settings, tmp_path / "s", length=10)
    found = [one._replace(extradata=b"other") for one in segments.find(tmp_path / "s")]
    with pytest.raises(InputError, match="another version of the encoder"):
        joining.join(tmp_path / "a.mp4", video, what, found, tmp_path / "b.mp4")


@pytest.mark.parametrize(
    ("end", "codec", "pixel_format", "name", "tags"),
    [
        ("mp4", "libx265", "yuv420p10le", "hevc", (9, 9, 16, 1)),
        ("webm", "libsvtav1", "yuv420p10le", "libdav1d", (9, 9, 16, 1)),
        ("mkv", "libx264", "yuv422p10le", "hevc", (1, 1, 1, 1)),
        ("mkv", "libx264", "yuv444p", "h264", (1, 1, 1, 2)),
    ],
)
def test_depth_and_subsampling_stay(tmp_path, monkeypatch, end, codec, pixel_format, name, tags):
    def planes(index):
        y, cb, cr = clips.moving(index)
        cb, cr = (np.repeat(np.repeat(one, *spread[0]), *spread[1]) for one in (cb, cr))
        return [(plane.astype(np.uint16) * 4 + 1) if "10" in pixel_format else plane for plane in (y, cb, cr)]

    down, across = {"420": (1, 1), "422": (2, 1), "444": (2, 2)}[pixel_format[3:6]]
    spread = (down, 0), (across, 1)
    tagged = {"libsvtav1": {"preset": "12", "crf": "4"}}.get(codec)
    clips.write(
        tmp_path / f"a.{end}",
        codec=codec,
        pixel_format=pixel_format,
        planes=planes,
        tags=tags,
        options=tagged,
        times=clips.VARIABLE[:9],
    )
    assert double(tmp_path / f"a.{end}", tmp_path / f"b.{end}", monkeypatch, length=5)
    given, result = clips.read(tmp_path / f"a.{end}"), clips.read(tmp_path / f"b.{end}")
    assert (result.stream["codec"], result.stream["format"]) == (name, given.stream["format"])
    assert (result.stream["tags"], result.times) == (given.stream["tags"], given.times)
    assert given.stream["tags"] == tags
    unit = 4 if "10" in pixel_format else 1
    for ours, theirs in zip(result.frames, given.frames, strict=True):
        assert np.abs(ours[0] - np.kron(theirs[0].astype(int), np.ones((2, 2)))).mean() < 3 * unit
        assert np.abs(ours[1].mean() - theirs[1].mean()) < unit
    if end == "mp4":
        with av.open(str(tmp_path / "b.mp4")) as container:
            assert container.streams.video[0].codec_context.codec_tag == "hvc1"
