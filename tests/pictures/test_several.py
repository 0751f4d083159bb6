"""Files of several frames or pages: read, written in every format that holds them, and read again, also by Pillow."""

import io
from fractions import Fraction
from pathlib import PurePath

import numpy as np
import pytest
import tifffile
from PIL import Image

from sr_jax.errors import InputError
from sr_jax.pictures import metadata, read, segments, several, write
from sr_jax.pictures.names import Source
from sr_jax.pictures.picture import Metadata, Picture
from sr_jax.pictures.plan import Wishes, make_jobs
from tests.pictures import corpus, moving

KINDS = {file.name: file for file in moving.all_kinds()}
TIMES = [Fraction(1, 30), Fraction(0), Fraction(1, 100), Fraction(1, 2), Fraction(1, 24)]
ROUNDED = {"png": TIMES, "gif": [Fraction(n, 100) for n in (3, 0, 1, 50, 4)]}
"""What becomes of these durations; in the other formats they are milliseconds."""
NONE, AS_IT_IS = Metadata(), Wishes()
MILLISECONDS = [33, 0, 10, 500, 42]


def visible_difference(ours, theirs):
    """The greatest difference of opacity, and the mean one of colours where they can be seen."""
    full = np.full_like(theirs[..., :1], 255 if theirs.dtype == np.uint8 else 65535)
    ours, theirs = (np.concatenate([one, full], -1) if one.shape[-1] == 3 else one for one in (ours, theirs))
    opacity = np.abs(ours[..., 3:].astype(float) - theirs[..., 3:]).max()
    colours = np.where(theirs[..., 3:] > 0, np.abs(ours[..., :3].astype(float) - theirs[..., :3]), 0)
    return opacity, colours.mean()


@pytest.mark.parametrize("file", KINDS.values(), ids=KINDS.keys())
def test_frames_and_pages_are_read_as_they_are_seen(file):
    header, pictures = read.read_header(file.data, file.name), list(read.decode_all(file.data, file.name))
    assert [picture.duration for picture in pictures] == file.durations
    assert header.plays == file.plays
    headers = header.pages or (header,) * header.frames
    assert len(headers) == len(pictures) == len(file.frames)
    for picture, seen, one in zip(pictures, file.frames, headers, strict=True):
        pixels = picture.to_array()
        assert (one.shape, one.dtype, one.space) == (pixels.shape[:2], pixels.dtype.name, picture.space)
        assert one.has_alpha == (picture.alpha is not None)
        if file.plays is None:
            np.testing.assert_array_equal(pixels, seen)
        else:
            assert visible_difference(pixels, seen) == (0, 0)


def animation(*, alpha, dtype="uint8", about=NONE):
    """Five frames, the second and the third of which are equal."""
    frames = [moving.scene(i, clear=alpha, dtype=dtype) for i in (0, 1, 1, 2, 3)]
    return [
        Picture(frame[..., :3], frame[..., 3:] if alpha else None, "rgb", about, "png", time)
        for frame, time in zip(frames, TIMES, strict=True)
    ]


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(("name", "tolerance"), [("png", 0), ("webp", 4), ("gif", 5), ("avif", 4)])
def test_animations_come_back_with_their_durations_and_repetitions(name, tolerance, alpha):
    about = Metadata(xmp=metadata.of_result(Metadata(), size=(1, 1), made_by={"a": 1}, strip=False).xmp)
    given = animation(alpha=alpha, about=about)
    data = write.encode_all(given, name, quality=95, plays=3)
    header, result = read.read_header(data, name), list(read.decode_all(data, name))
    assert (header.frames, header.plays) == (5, 0 if name == "avif" else 3)
    milliseconds = [max(1, time) if name == "avif" else time for time in MILLISECONDS]  # AVIF shows each frame
    expected = ROUNDED.get(name, [Fraction(time, 1000) for time in milliseconds])
    assert [picture.duration for picture in result] == expected
    for ours, theirs in zip(result, given, strict=True):
        opacity, colours = visible_difference(ours.to_array(), theirs.to_array())
        assert opacity <= (3 if name == "avif" else 0)
        assert colours <= tolerance
    assert metadata.read_stamp(result[0].metadata.xmp) == {"a": 1}
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 5
        assert image.info.get("loop", 3) == (2 if name == "gif" else 3)  # GIF counts the repetitions
    for ours, theirs in zip(result, moving.seen_by_pillow(data), strict=True):
        assert visible_difference(ours.to_array(), theirs) == (0, 0)


def test_16_bits_and_gray_move_too():
    given = animation(alpha=True, dtype="uint16")
    result = list(read.decode_all(write.encode_all(given, "png", quality=None, plays=0), "x"))
    for ours, theirs in zip(result, given, strict=True):
        np.testing.assert_array_equal(ours.to_array(), theirs.to_array())
    gray = [
        picture._replace(pixels=np.ascontiguousarray(picture.pixels[..., :1]), space="gray", alpha=None)
        for picture in animation(alpha=False)
    ]
    for name in ("png", "webp", "gif", "avif"):
        (*_, last) = read.decode_all(write.encode_all(gray, name, quality=95, plays=0), "x")
        assert last.space == ("gray" if name in ("png", "avif") else "rgb")
        assert np.abs(last.pixels.astype(int) - gray[-1].pixels).mean() < 4


@pytest.mark.parametrize("name", ["png", "webp"])
def test_the_profile_and_exif_of_an_animation_are_kept(name):
    given = animation(alpha=False, about=Metadata(corpus.profile(), corpus.exif_of(1)))
    first, *_ = read.decode_all(write.encode_all(given, name, quality=None, plays=0), "x")
    assert (first.metadata.icc, first.metadata.exif) == (corpus.profile(), corpus.exif_of(1))


def test_pages_keep_their_order_and_tags():
    given = list(read.decode_all(KINDS["pages.tif"].data, "x"))
    data = write.encode_all(given, "tiff", quality=None, plays=None)
    result = list(read.decode_all(data, "x"))
    for ours, theirs in zip(result, given, strict=True):
        np.testing.assert_array_equal(ours.to_array(), theirs.to_array())
        assert (ours.space, ours.metadata.dpi, ours.metadata.rest) == (theirs.space, theirs.metadata.dpi, theirs.metadata.rest)
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        assert [page.description for page in tiff.pages] == ["first", "second", "", ""]
        assert [int(page.subfiletype) for page in tiff.pages] == [0, 2, 0, 0]
        np.testing.assert_array_equal(tiff.pages[2].asarray(), KINDS["pages.tif"].frames[2])


def test_pages_are_written_when_they_come(tmp_path):
    given, sizes = list(read.decode_all(KINDS["pages.tif"].data, "x")), []
    with (tmp_path / "pages.tif").open("w+b") as file:

        def pages():
            for picture in given:
                sizes.append(file.seek(0, io.SEEK_END))
                yield picture

        write.write_pages(file, pages(), raw_bytes=2**33)
    assert sizes == sorted({*sizes})
    assert (tmp_path / "pages.tif").read_bytes().startswith(b"II+\0")  # its addresses have 64 bits
    for ours, theirs in zip(read.decode_all(tmp_path / "pages.tif", "x"), given, strict=True):
        np.testing.assert_array_equal(ours.to_array(), theirs.to_array())


def jobs(name, wishes=AS_IT_IS, data=None):
    source = Source(None, PurePath(name))
    return make_jobs([source], wishes, label="net", scale=2, data={source: data or KINDS[name].data})


def test_jobs_have_a_part_for_each_frame_or_page():
    (job,) = jobs("disposal2.gif").jobs
    assert (job.format, len(job.parts), job.raw_bytes) == ("gif", 4, 4 * 72 * 80 * 4)
    assert str(job.output) == "disposal2_net_x2.gif"
    still = job._replace(header=job.header._replace(frames=1, plays=None))
    held = job.memory(scale=2, self_ensemble=False) - still.memory(scale=2, self_ensemble=False)
    assert held >= job.raw_bytes
    (job,) = jobs("pages.tif", Wishes(outscale=3.0)).jobs
    assert [part.size for part in job.parts] == [(108, 120), (60, 93), (51, 54), (108, 120)]
    assert [part.dtype for part in job.parts] == ["uint8", "uint16", "float32", "uint8"]
    largest = max(page.memory(scale=3, self_ensemble=False) for page in job.pages)
    assert job.memory(scale=3, self_ensemble=False) == largest + job.pages[0].raw_bytes


@pytest.mark.parametrize(
    ("name", "wishes", "reason"),
    [
        ("keep.gif", Wishes("jpeg"), "jpeg cannot hold an animation; give --format png or webp or gif or avif"),
        ("moving.webp", Wishes("tiff"), "tiff cannot hold an animation"),
        ("pages.tif", Wishes("png"), "png cannot hold 4 pages; give --format tiff, or save the pages as single pictures"),
        ("pages.tif", Wishes("gif"), "gif cannot hold 4 pages"),
        ("moving.png", Wishes("webp", width=20_000), "webp holds at most 16,383 pixels a side"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_before(name, wishes, reason):
    (found,) = jobs(name, wishes).bad.values()
    assert reason in found


def test_a_file_that_changes_meanwhile_is_refused():
    (job,) = jobs("disposal2.gif").jobs
    assert len(list(several.decoded(job, KINDS["disposal2.gif"].data))) == 4
    with pytest.raises(InputError, match="changed while it was enlarged"):
        list(several.decoded(job, KINDS["once.gif"].data))
    assert next(several.decoded(*_still())).pixels.shape == (36, 40, 3)


def _still():
    data = corpus.pillow(moving.scene(0), "PNG")
    return jobs("a.png", data=data).jobs[0], data


def test_colours_of_a_gif_are_those_of_its_input():
    """GIF holds no profile, so colours are converted with it."""
    given = animation(alpha=False, about=Metadata(corpus.profile()))
    data = write.encode_all(given, "webp", quality=None, plays=0)
    (job,) = jobs("a.webp", Wishes("gif"), data).jobs
    first, *_ = several.decoded(job, data)
    assert first.metadata.icc is None
    (job,) = jobs("a.webp", data=data).jobs
    first, *_ = several.decoded(job, data)
    assert first.metadata.icc == corpus.profile()


def test_a_still_png_with_the_chunk_of_animations_stays_still():
    rgb = moving.scene(0)
    png = segments.with_chunks(corpus.pillow(rgb, "PNG"), [("acTL", (1).to_bytes(4, "big") + bytes(4))])
    assert not read.read_header(png, "x").is_animation
    np.testing.assert_array_equal(read.decode(png, "x").pixels, rgb)
