import io
import sys

import numpy as np
import pytest
from PIL import Image

from sr_jax.errors import InputError
from sr_jax.pictures import exif, formats, heif, metadata, read, write
from sr_jax.pictures.picture import Header, Metadata
from tests.pictures import corpus
from tests.pictures.test_write import picture

pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
RGB = corpus.of_type(corpus.smooth(3), "uint8")


def lossless(pixels, mode, **options):
    file = io.BytesIO()
    made = pillow_heif.from_bytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    made.save(file, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return file.getvalue()


def test_8_bits_are_read_as_another_program_wrote_them():
    np.testing.assert_array_equal(read.decode(lossless(RGB, "RGB"), "x").pixels, RGB)


@pytest.mark.parametrize("bits", [10, 12])
def test_10_and_12_bits_are_read_exactly(bits, rng):
    values = rng.integers(0, 2**bits, (36, 40, 3)).astype(np.uint16)
    data = lossless(values << (16 - bits), "RGB;16", bit_depth=bits)
    assert read.read_header(data, "x").dtype == "uint16"
    np.testing.assert_array_equal(read.decode(data, "x").pixels, np.round(values * (65535 / (2**bits - 1))))


@pytest.mark.parametrize(
    ("space", "dtype", "alpha"),
    [(s, d, a) for s in ("gray", "rgb") for d in ("uint8", "uint16") for a in (False, True)],
)
def test_what_is_written_comes_back(space, dtype, alpha):
    given = picture(space, dtype, alpha=alpha)
    result = read.decode(write.encode(given, "heif", quality=98), "x")
    assert (result.format, str(result.pixels.dtype), result.alpha is not None) == ("heif", dtype, alpha)
    assert result.space == ("rgb" if alpha else space)
    full = np.iinfo(dtype).max
    assert np.abs(result.pixels / full - given.pixels / full).mean() < 5 / 255


def test_the_metadata_are_kept():
    about = metadata.of_result(Metadata(corpus.profile(), corpus.exif_of(6), b""), size=(36, 40), made_by={"a": 1}, strip=False)
    result = read.decode(write.encode(picture("rgb")._replace(metadata=about), "heif", quality=None), "x").metadata
    assert (result.icc, result.exif) == (corpus.profile(), about.exif)
    assert metadata.read_stamp(result.xmp) == {"a": 1}


def test_a_photo_of_a_phone_stands_upright():
    """libheif turns the pixels; EXIF only repeats the orientation."""
    image = Image.fromarray(RGB)
    file = io.BytesIO()
    made = pillow_heif.from_pillow(image)
    made.save(file, quality=98, exif=exif.PREFIX + corpus.exif_of(6))
    result = read.decode(file.getvalue(), "x")
    assert result.pixels.shape == (40, 36, 3)
    assert np.abs(result.pixels.astype(int) - np.rot90(RGB, -1)).mean() < 5
    after = exif.enlarged(result.metadata.exif, size=(80, 72))
    parsed = Image.Exif()
    parsed.load(exif.PREFIX + after)
    assert parsed[exif.ORIENTATION] == 1


def test_other_colours_than_srgb_stay_named():
    """BT.2020 with PQ, as HDR pictures have them."""
    data = lossless(RGB, "RGB")
    assert read.decode(data, "x").metadata.rest == ()
    file = io.BytesIO()
    made = pillow_heif.from_bytes("RGB", (40, 36), RGB.tobytes())
    made.save(file, quality=90, color_primaries=9, transfer_characteristics=16, matrix_coefficients=9, full_range_flag=1)
    given = read.decode(file.getvalue(), "x")
    again = read.decode(write.encode(given, "heif", quality=None), "x")
    png = read.decode(write.encode(given, "png", quality=None), "x")
    assert dict(png.metadata.rest)[heif.PNG_COLOURS] == bytes([9, 16, 0, 1])
    assert read.decode(write.encode(png, "heif", quality=None), "x").metadata.rest == given.metadata.rest
    assert given.metadata.rest == again.metadata.rest == ((heif.COLOURS, bytes([9, 16])),)


def test_damaged_files_are_refused():
    data = lossless(RGB, "RGB")
    for cut in (20, len(data) // 2, len(data) - 40):
        with pytest.raises(InputError, match="x: is damaged"):
            read.decode(data[:cut], "x")


def test_avif_is_not_heif():
    assert not heif.is_heif(corpus.pillow(RGB, "AVIF")[:64])
    assert not heif.is_heif(b"")


def test_without_the_package_a_line_names_it(monkeypatch):
    data = lossless(RGB, "RGB")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InputError, match=r"x: HEIF needs the package pillow-heif; install it with pip install -e '.\[heif\]'"):
        read.read_header(data, "x")
    monkeypatch.setattr(heif, "is_there", lambda: False)
    header = Header("png", 36, 40, 3, "uint8", "rgb", has_alpha=False)
    assert "pip install" in formats.problem(header, "heif", size=(72, 80), dtype="uint8")
