"""TIFF in strips, compared with tifffile on whole files."""

import io
import struct

import numpy as np
import pytest
import tifffile

from sr_jax.errors import InputError
from sr_jax.pictures import read, strips, tiff_strips, write
from sr_jax.pictures.picture import Metadata
from tests.pictures import corpus
from tests.pictures.test_png_strips import decoded, reason, same

GOOD = {file.name: file for file in corpus.good() if file.name.endswith(".tif")}
REFUSED = {"planes.tif": "one after another", "turned.tif": "turns it"}
RGB = corpus.of_type(corpus.smooth(3, height=300, width=270), "uint8")


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    monkeypatch.setattr(tiff_strips, "STRIP", 700)
    monkeypatch.setattr(tiff_strips, "BUFFER", 3000)


@pytest.mark.parametrize("name", [name for name in GOOD if name not in REFUSED])
def test_every_kind_is_read_as_a_whole_file_is(name):
    same(decoded(GOOD[name].data, name), read.decode(GOOD[name].data, name))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7},
        {"rowsperstrip": 7, "byteorder": ">"},
        {"tile": (16, 32)},
        {"tile": (272, 272)},
        {"tile": (64, 48), "compression": "zlib", "predictor": True},
        {"rowsperstrip": 11, "compression": "lzw"},
        {"tile": (32, 32), "compression": "jpeg"},
        {"rowsperstrip": 7, "extratags": [(274, 3, 1, 2, True)]},
    ],
)
def test_strips_and_tiles(options):
    data = corpus.tiff(RGB, photometric="rgb", **options)
    same(decoded(data), read.decode(data, "a"))


def with_tag(number):
    """A file that tifffile does not write: the value 2 of another tag gets a new number."""
    data = corpus.tiff(RGB, photometric="rgb", extratags=[(65000, 3, 1, 2, True)])
    entry = struct.pack("<HHLH", 65000, 3, 1, 2)
    assert data.count(entry) == 1
    return data.replace(entry, struct.pack("<HHLH", number, 3, 1, 2))


def with_tile_width(width):
    data = corpus.tiff(RGB, photometric="rgb", tile=(272, 272), compression="zlib")
    entry = struct.pack("<HHLL", 322, 4, 1, 272)
    assert data.count(entry) == 1
    return data.replace(entry, struct.pack("<HHLL", 322, 4, 1, width))


def test_bits_in_the_other_order():
    data = with_tag(266)
    assert (read.decode(data, "a").pixels != RGB).any()
    same(decoded(data), read.decode(data, "a"))


@pytest.mark.parametrize("is_big", [False, True])
@pytest.mark.parametrize("name", ["gray_uint8.tif", "gray_float32.tif", "rgb_uint16.tif", "rgba.tif", "five.tif", "cmyk.tif"])
def test_what_is_written_is_read_by_others(name, is_big, monkeypatch):
    monkeypatch.setattr(tiff_strips, "TILE", 16)
    monkeypatch.setattr(tiff_strips, "BIG", 0 if is_big else 2**30)
    given = read.decode(GOOD[name].data, name)
    about = Metadata(icc=corpus.profile(), xmp=b"<x/>", dpi=(300, 150), rest=(("270", b"a description"),))
    file = io.BytesIO()
    parts = (given.rows(start, start + 5) for start in range(0, len(given.pixels), 5))
    strips.write(file, parts, "tiff", size=given.pixels.shape[:2], metadata=about)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as tiff:
        assert tiff.is_bigtiff == is_big
        np.testing.assert_array_equal(tiff.asarray().reshape(given.to_array().shape), given.to_array())
    same(
        read.decode(file.getvalue(), "ours"),
        read.decode(write.encode(given._replace(metadata=about), "tiff", quality=None), "theirs"),
    )
    same(decoded(file.getvalue()), read.decode(file.getvalue(), "a"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        *((GOOD[name].data, message) for name, message in REFUSED.items()),
        (corpus.tiff(RGB, photometric="rgb")[:-50], "cut short"),
        (corpus.tiff(RGB, photometric="rgb", compression="zlib", rowsperstrip=7)[:-50], "damaged|cut short"),
        (corpus.tiff(RGB, photometric="rgb", compression="lzma"), "its compression is"),
        (with_tag(317), "a predictor without compression"),
        (with_tile_width(2**28), "tiles of 268,435,456x272 pixels are too large"),
    ],
)
def test_what_cannot_be_read_in_strips_is_named(data, message):
    with pytest.raises(InputError, match=rf"^a\.tif: .*({message})"):
        decoded(data, "a.tif")


def test_damaged_files_end_in_a_line(rng):
    kinds = [{"rowsperstrip": 7}, {"tile": (64, 48), "compression": "zlib"}, {"rowsperstrip": 9, "compression": "lzw"}]
    for options in kinds:
        data = corpus.tiff(RGB, photometric="rgb", **options)
        for _ in range(25):
            noisy = bytearray(data)
            for place in [*rng.integers(4, 400, 2), *rng.integers(4, len(data), 2)]:
                noisy[place] = rng.integers(256)
            assert reason(bytes(noisy), "a.tif").startswith(("a.tif: ", "none"))
