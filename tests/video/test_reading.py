import re
from fractions import Fraction

import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.video import reading
from tests.video import clips


def test_a_video_says_what_it_is(tmp_path):
    clips.write(tmp_path / "a.mp4", options={"chroma_sample_location": "topleft"}, aspect=Fraction(4, 3), rotation=90)
    video = reading.probe(tmp_path / "a.mp4")
    assert (video.height, video.width, video.frames, video.aspect, video.turned) == (48, 64, 20, Fraction(4, 3), True)
    assert video.coding == reading.Coding("yuv", 8, False, "bt709", (2, 2), "topleft")
    assert video.warnings == ()
    frames = list(reading.frames(tmp_path / "a.mp4", video, first=15))
    assert [frame.number for frame in frames] == [15, 16, 17, 18, 19]
    given = clips.read(tmp_path / "a.mp4")
    assert [frame.time * given.stream["base"] for frame in frames] == given.times[15:]
    for frame, planes in zip(frames, given.frames[15:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(frame.planes, planes, strict=True))


@pytest.mark.parametrize(("size", "name"), {(48, 64): "bt601", (720, 1280): "bt709", (720, 576): "bt709"}.items())
def test_a_matrix_that_is_not_named_follows_from_the_size(tmp_path, size, name):
    def gray(index):
        return [np.full((size[0] // part, size[1] // part), 90 + index, np.uint8) for part in (1, 2, 2)]

    clips.write(tmp_path / "a.mkv", tags=(2, 2, 2, 0), size=size, planes=gray, times=(0, 40))
    video = reading.probe(tmp_path / "a.mkv")
    assert (video.tags.matrix, video.coding.matrix, video.coding.is_full) == (2, name, False)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "kind"), [("ffv1", "bgr0", "rgb"), ("ffv1", "gray", "gray"), ("libx264", "nv12", "yuv")]
)
def test_other_formats_of_pixels_are_read(tmp_path, codec, pixel_format, kind):
    colour = {"bgr0": (30, 200, 120, 0), "gray": (120,), "nv12": (120,)}[pixel_format]

    def planes(_):
        first = np.broadcast_to(np.array(colour, np.uint8), (48, 64, len(colour))).reshape(48, -1)
        return [first, np.broadcast_to(np.array([100, 140], np.uint8), (24, 32, 2)).reshape(24, 64)][
            : 2 if kind == "yuv" else 1
        ]

    clips.write(tmp_path / "a.mkv", codec=codec, pixel_format=pixel_format, planes=planes, times=(0, 40))
    video = reading.probe(tmp_path / "a.mkv")
    assert (video.coding.kind, video.coding.bits) == (kind, 8)
    frame = next(reading.frames(tmp_path / "a.mkv", video, first=0))
    expected = {"rgb": [200, 30, 120], "gray": [120], "yuv": [120, 100, 140]}[kind]
    assert [int(plane[5, 5]) for plane in frame.planes] == expected
    assert all(np.ptp(plane) == 0 for plane in frame.planes)


def test_what_will_look_wrong_is_said(tmp_path):
    clips.write(tmp_path / "a.mkv", options={"x264-params": "tff=1"})
    assert "interlaced" in reading.probe(tmp_path / "a.mkv").warnings[0]
    clips.write(
        tmp_path / "b.mkv", codec="ffv1", pixel_format="yuva420p", planes=lambda i: [*clips.moving(i), clips.moving(i)[0]]
    )
    assert reading.probe(tmp_path / "b.mkv").warnings == ("its transparency is left out",)


def test_bad_files_are_named(tmp_path):
    clips.write(tmp_path / "a.mp4", audio="aac")
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "huge.mp4").write_bytes(b"YUV4MPEG2 W60000 H60000 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(100))
    (tmp_path / "large.mp4").write_bytes(b"YUV4MPEG2 W9000 H9000 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(9000 * 9000 * 3 // 2))
    for name in ("text", "cut", "empty", "huge", "large"):
        with pytest.raises(InputError, match=re.escape(f"{tmp_path / name}.mp4: ")):
            reading.probe(tmp_path / f"{name}.mp4")
    with pytest.raises(InputError, match="have more than 67,108,864 pixels"):
        reading.probe(tmp_path / "large.mp4")
    with pytest.raises(FileNotFoundError):
        reading.probe(tmp_path / "none.mp4")


def test_a_video_that_changes_or_breaks_is_named_with_the_frame(tmp_path):
    clips.write(tmp_path / "a.ts", times=range(0, 36_000, 3600), base=Fraction(1, 90_000))
    small = lambda i: clips.moving(i, height=32, width=32)
    clips.write(tmp_path / "b.ts", times=range(36_000, 72_000, 3600), base=Fraction(1, 90_000), size=(32, 32), planes=small)
    (tmp_path / "both.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    video = reading.probe(tmp_path / "both.ts")
    with pytest.raises(InputError, match="frame 11 has 32x32 pixels, and the frames before 64x48"):
        list(reading.frames(tmp_path / "both.ts", video, first=0))

    clips.write(tmp_path / "c.mov", codec="png", pixel_format="gray", planes=lambda i: clips.moving(i)[:1])
    data = bytearray((tmp_path / "c.mov").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "c.mov").write_bytes(data)
    video = reading.probe(tmp_path / "c.mov")
    with pytest.raises(InputError, match=r"c\.mov: frame \d+ (cannot be decoded|has)"):
        list(reading.frames(tmp_path / "c.mov", video, first=0))
