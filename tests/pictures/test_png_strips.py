"""PNG in strips, compared with Pillow and libpng on whole files."""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sr_jax.errors import InputError
from sr_jax.pictures import png_strips, read, segments, strips, write
from sr_jax.pictures.picture import Metadata, Picture
from tests.pictures import corpus

GOOD = {file.name: file for file in corpus.good() if file.name.endswith(".png")}
READ = [name for name in GOOD if name != "turned.png"]
NOISE = np.random.default_rng(0).integers(0, 256, (36, 40, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    """Strips have a few rows, and blocks a few bytes, so that their edges lie anywhere."""
    monkeypatch.setattr(png_strips, "STRIP", 700)
    monkeypatch.setattr(png_strips, "BLOCK", 61)


def whole(parts):
    parts = list(parts)
    alpha = None if parts[0].alpha is None else np.concatenate([part.alpha for part in parts])
    return parts[0]._replace(pixels=np.concatenate([part.pixels for part in parts]), alpha=alpha)


def decoded(data, name="a.png"):
    with strips.opened(data, name) as picture:
        return whole(picture)


def reason(data, name):
    """Why a file is refused; "none" if it is read. Nothing but an InputError is raised."""
    try:
        decoded(data, name)
    except InputError as error:
        return str(error)
    return "none"


def same(ours, theirs):
    assert ours.pixels.dtype == theirs.pixels.dtype
    np.testing.assert_array_equal(ours.pixels, theirs.pixels)
    assert (ours.alpha is None) == (theirs.alpha is None)
    if theirs.alpha is not None:
        np.testing.assert_array_equal(ours.alpha, theirs.alpha)
    assert (ours.space, ours.metadata, ours.format) == (theirs.space, theirs.metadata, theirs.format)


@pytest.mark.parametrize("name", READ)
def test_every_kind_is_read_as_a_whole_file_is(name):
    same(decoded(GOOD[name].data), read.decode(GOOD[name].data, name))


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("kind", ["gray", "palette"])
def test_few_bits(bits, kind, rng):
    index = rng.integers(0, 2**bits, (19, 37), dtype=np.uint8)
    image = Image.fromarray(index, "P" if kind == "palette" else "L")
    file = io.BytesIO()
    if kind == "palette":
        image.putpalette(rng.integers(0, 256, 3 * 2**bits, dtype=np.uint8).tobytes())
        image.save(file, "PNG", bits=bits)
        same(decoded(file.getvalue()), read.decode(file.getvalue(), "a"))
        return
    packed = np.packbits(np.unpackbits(index[..., None], axis=-1)[..., 8 - bits :].reshape(19, -1), axis=-1)
    rows = np.pad(packed, ((0, 0), (1, 0))).tobytes()
    for chunks in ([], [("tRNS", b"\0\1")]):
        data = png_strips._file(png_strips.Ihdr(37, 19, bits, 0, 0), rows, chunks)
        same(decoded(data), read.decode(data, "a"))
        np.testing.assert_array_equal(decoded(data).pixels[..., 0], index * (255 // (2**bits - 1)))


def test_all_filters_are_undone(rng):
    """Pillow chooses filters row by row; those of noise are of all kinds."""
    for shape in ((40, 23, 3), (41, 24, 4), (40, 9, 1), (12, 1, 2)):
        ramp = np.cumsum(rng.integers(0, 4, shape), 0).astype(np.uint8)
        pixels = np.where(rng.random(shape) < 0.5, ramp, np.roll(ramp, 1, 1))
        data = corpus.pillow(pixels, "PNG")
        same(decoded(data), read.decode(data, "a"))


@pytest.mark.parametrize(
    "name", ["gray.png", "rgb.png", "rgba.png", "gray_alpha.png", "gray16.png", "rgba16.png", "size1x1.png"]
)
def test_what_is_written_is_read_by_others(name, rng):
    given = read.decode(GOOD[name].data, name)
    icc = corpus.profile() if "rgb" in name else None
    about = Metadata(icc=icc, exif=corpus.exif_of(1), xmp=b"<x/>", dpi=(300, 150), rest=(("tEXt", b"Title\0a"),))
    cuts = [0, *np.sort(rng.integers(1, max(2, len(given.pixels)), 3)).tolist(), len(given.pixels)]
    parts = [given.rows(start, stop) for start, stop in itertools.pairwise(cuts) if stop > start]
    file = io.BytesIO()
    strips.write(file, iter(parts), "png", size=given.pixels.shape[:2], metadata=about)
    result = read.decode(file.getvalue(), "ours")
    same(result, read.decode(write.encode(given._replace(metadata=about), "png", quality=None), "theirs"))
    np.testing.assert_array_equal(result.pixels, given.pixels)
    same(decoded(file.getvalue()), result)


def test_files_are_about_as_small_as_those_of_libpng(monkeypatch):
    monkeypatch.undo()
    given = Picture(corpus.of_type(corpus.smooth(3, height=600, width=500), "uint8"), None, "rgb", Metadata(), "png")
    file = io.BytesIO()
    strips.write(file, (given.rows(i, i + 100) for i in range(0, 600, 100)), "png", size=(600, 500), metadata=Metadata())
    assert len(file.getvalue()) < 1.03 * len(write.encode(given, "png", quality=None))


def with_header(data, **values):
    names = ("width", "height", "bits", "kind", "compression", "filter", "interlace")
    fields = dict(zip(names, struct.unpack(">LLBBBBB", data[16:29]), strict=True)) | values
    chunk = segments.chunk(b"IHDR", struct.pack(">LLBBBBB", *fields.values()))
    return data[:8] + chunk + data[33:]


NOISY = corpus.pillow(NOISE, "PNG")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (with_header(NOISY, height=37), "damaged"),
        (with_header(NOISY, height=35), "holds more rows than its header says"),
        (with_header(NOISY, height=1), "holds more rows than its header says"),
        (with_header(NOISY, width=41), "damaged"),
        (with_header(NOISY, height=2**31 - 1), "cut short"),
        (with_header(NOISY, interlace=1), "interlaced"),
        (with_header(NOISY, width=1_000_001, height=1), "more than 1,000,000 pixels"),
        (corpus.png_header(40, 36), "cut short"),
        (GOOD["turned.png"].data, "turns it"),
        (b"", "is empty"),
        (corpus.pillow(NOISE, "JPEG"), "only PNG and TIFF"),
    ],
)
def test_what_lies_is_named(data, message):
    with pytest.raises(InputError, match=rf"^a\.png: .*{message}"):
        decoded(data)


def test_a_bomb_is_not_inflated(monkeypatch):
    """A file of ten rows whose pixels inflate to 64 MiB."""
    monkeypatch.undo()
    deflater = zlib.compressobj(9)
    bomb = b"".join(deflater.compress(bytes(2**20)) for _ in range(64)) + deflater.flush()
    pixels = segments.chunk(b"IDAT", bomb) + segments.chunk(b"IEND", b"")
    head = png_strips.PNG_MAGIC + png_strips._ihdr_chunk(png_strips.Ihdr(100, 10, 8, 0, 0))
    with pytest.raises(InputError, match="holds more rows than its header says"):
        decoded(head + pixels)


def test_damaged_files_end_in_a_line(rng):
    """A file that is cut or changed is refused with its name, or is read as a whole."""
    for name in ("rgb.png", "palette_alpha.png", "gray_alpha16.png"):
        data = GOOD[name].data
        for stop in rng.integers(8, len(data) - 12, 15):
            with pytest.raises(InputError, match=r"^a\.png: "):
                decoded(data[:stop])
        for _ in range(25):
            noisy = bytearray(data)
            for place in rng.integers(8, len(data), 2):
                noisy[place] = rng.integers(256)
            assert reason(bytes(noisy), "a.png").startswith(("a.png: ", "none"))
