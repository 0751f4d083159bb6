"""EXIF and GPS data of TIFF, compared with what Pillow and tifffile read and write."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from sr_jax.pictures import directories, exif, metadata, read, write
from tests.pictures import corpus

RGB = corpus.of_type(corpus.smooth(3), "uint8")
PHOTO = {36867: "2024:01:02 03:04:05", 33434: IFDRational(1, 250), 40962: 40, 40963: 36, 37500: b"maker's note"}
GPS = {1: "N", 2: (52.0, 30.0, IFDRational(123, 10)), 3: "E", 4: (13.0, 24.0, 5.5)}
MAIN = {271: "Camera", 306: "2024:01:02 03:04:05", 33432: "me", 40091: b"T\0i\0"}


def described(orientation=6):
    """EXIF data as a camera writes them, made by Pillow."""
    made = Image.Exif()
    for tag, value in {**MAIN, exif.ORIENTATION: orientation}.items():
        made[tag] = value
    made.get_ifd(directories.EXIF_IFD).update({**PHOTO, directories.INTEROPERABILITY_IFD: {1: "R98"}})
    made.get_ifd(directories.GPS_IFD).update(GPS)
    return made.tobytes().removeprefix(exif.PREFIX)


def parsed(blob):
    made = Image.Exif()
    made.load(exif.PREFIX + blob)
    return made


def contents(made):
    """What EXIF data say of the picture."""
    own = (made[tag] for tag in MAIN)
    photo, gps = (dict(made.get_ifd(name)) for name in (directories.EXIF_IFD, directories.GPS_IFD))
    photo.pop(directories.INTEROPERABILITY_IFD, None)  # where this directory lies
    return [*own, photo, gps]


def result_of(picture, name):
    size = picture.pixels.shape[:2]
    about = metadata.of_result(picture.metadata, size=size, made_by={}, strip=False)
    data = write.encode(picture._replace(metadata=about), name, quality=None)
    return data, read.decode(data, name)


def test_jpeg_to_tiff_to_png_keeps_camera_date_and_place():
    given = read.decode(corpus.pillow(RGB, "JPEG", exif=exif.PREFIX + described()), "photo")
    data, tiff = result_of(given, "tiff")
    _, again = result_of(tiff, "tiff")
    _, png = result_of(again, "png")
    expected = contents(parsed(described()))
    expected[-2] |= {40962: 36, 40963: 40}  # the picture was turned
    for picture in (tiff, again, png):
        made = parsed(picture.metadata.exif)
        assert made.get(exif.ORIENTATION, 1) == 1
        assert contents(made) == expected
        assert dict(made.get_ifd(directories.INTEROPERABILITY_IFD)) == {1: "R98"}
    with Image.open(io.BytesIO(data)) as image:
        assert dict(image.getexif().get_ifd(directories.GPS_IFD)) == expected[-1]
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        codes = [tag.code for tag in file.pages[0].tags]
        assert codes == sorted(codes)
        assert file.pages[0].tags["ExifTag"].value["ExposureTime"] == (1, 250)
        np.testing.assert_array_equal(file.pages[0].asarray(), given.pixels)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_every_kind_of_tiff_takes_and_gives_them(order, big):
    kept = directories.of_blob(described())
    file = io.BytesIO()
    texts = [(tag.number, tag.kind, tag.length, tag.data, True) for tag in kept[directories.MAIN] if tag.kind in (1, 2)]
    options = {"photometric": "rgb", "byteorder": order, "bigtiff": big, "metadata": None}
    tifffile.imwrite(file, RGB, extratags=[*texts, *directories.placeholders(kept)], software=False, **options)
    directories.append(file, [kept])
    picture = read.decode(file.getvalue(), "x")
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert contents(parsed(picture.metadata.exif)) == contents(parsed(described()))


def test_they_may_lie_behind_4_gib(tmp_path):
    kept = directories.of_blob(described())
    with (tmp_path / "large.tif").open("w+b") as file:
        tifffile.imwrite(file, RGB, bigtiff=True, metadata=None, extratags=directories.placeholders(kept))
        file.truncate(5 * 2**30)  # the file has a hole
        directories.append(file, [kept])
    made = parsed(read.decode(tmp_path / "large.tif", "x").metadata.exif)
    assert dict(made.get_ifd(directories.GPS_IFD)) == contents(parsed(described()))[-1]
    assert dict(made.get_ifd(directories.INTEROPERABILITY_IFD)) == {1: "R98"}


def test_pillow_writes_what_is_read():
    data = corpus.pillow(RGB, "TIFF", exif=exif.PREFIX + described(1))
    assert contents(parsed(read.decode(data, "x").metadata.exif)) == contents(parsed(described()))


def test_a_tiff_without_texts_has_no_exif():
    assert read.decode(corpus.tiff(RGB, photometric="rgb", software=False), "x").metadata.exif is None
    assert directories.of_blob(b"") == {}


def test_damaged_data_are_dropped_or_changed_but_never_an_error(rng):
    blob = described()
    for _ in range(300):
        noisy = bytearray(blob)
        for place in rng.integers(4, len(blob), 4):
            noisy[place] = rng.integers(256)
        again = directories.to_blob(directories.of_blob(bytes(noisy)))
        assert again is None or directories.of_blob(again) is not None
