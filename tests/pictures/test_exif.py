import numpy as np
import pytest
from PIL import ExifTags, Image

from sr_jax.pictures import exif
from tests.pictures.corpus import exif_of

WHERE = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
"""The sides at which the first row and the first column of the stored picture are seen (EXIF 2.32, tag 274)."""


def read(blob):
    parsed = Image.Exif()
    parsed.load(exif.PREFIX + blob)
    return parsed


@pytest.mark.parametrize("order", "<>")
def test_orientation_and_sizes_are_put_right_and_the_thumbnail_goes(order):
    blob = exif_of(6, order=order)
    before, after = read(blob), read(exif.enlarged(blob, size=(72, 80)))
    assert before[exif.ORIENTATION] == 6
    assert before.get_ifd(ExifTags.IFD.IFD1)
    assert after[exif.ORIENTATION] == 1
    assert dict(after.get_ifd(ExifTags.IFD.Exif)) == {exif.PIXEL_WIDTH: 80, exif.PIXEL_HEIGHT: 72}
    assert not after.get_ifd(ExifTags.IFD.IFD1)
    assert after[0x0213] == before[0x0213]


@pytest.mark.parametrize("kind", [4, 6, 9])
def test_an_orientation_of_an_odd_type_is_reset_too(kind):
    blob = bytearray(exif_of(6))
    place = blob.index((exif.ORIENTATION).to_bytes(2, "little"))
    blob[place + 2] = kind
    assert read(bytes(blob))[exif.ORIENTATION] == 6
    assert read(exif.enlarged(bytes(blob), size=(5, 6)))[exif.ORIENTATION] == 1


def test_a_size_beyond_16_bits_fits():
    after = read(exif.enlarged(exif_of(1), size=(70_000, 80_000)))
    assert dict(after.get_ifd(ExifTags.IFD.Exif)) == {exif.PIXEL_WIDTH: 80_000, exif.PIXEL_HEIGHT: 70_000}


def test_damaged_data_are_dropped_or_changed_but_never_an_error(rng):
    blob = exif_of(3)
    for cut in range(len(blob)):
        result = exif.enlarged(blob[:cut], size=(5, 6))
        assert result is None or len(result) == cut
    for _ in range(300):
        noisy = bytearray(blob)
        for place in rng.integers(4, len(blob), 3):
            noisy[place] = rng.integers(256)
        exif.enlarged(bytes(noisy), size=(5, 6))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_that_of_the_standard(orientation):
    first_row, first_column = WHERE[orientation]
    stored = np.arange(12).reshape(3, 4, 1)
    seen = exif.turn(stored, orientation)[..., 0]
    sides = {"top": seen[0], "bottom": seen[-1], "left": seen[:, 0], "right": seen[:, -1]}
    assert sorted(sides[first_row]) == sorted(stored[0, :, 0])
    assert sorted(sides[first_column]) == sorted(stored[:, 0, 0])
