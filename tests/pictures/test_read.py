import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.pictures import read
from tests.pictures import corpus


@pytest.mark.parametrize("file", corpus.good(), ids=lambda file: file.name)
def test_pictures_of_every_kind_are_decoded(file):
    header = read.read_header(file.data, file.name)
    picture = read.decode(file.data, file.name)
    assert picture.pixels.shape == file.pixels.shape
    difference = np.abs(picture.pixels.astype(float) - file.pixels).mean()
    assert difference <= file.tolerance
    assert (picture.alpha is None) == (file.alpha is None)
    if file.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, file.alpha)
    assert picture.space == (file.space or {1: "gray", 3: "rgb"}[file.pixels.shape[-1]])
    expected = (picture.format, *picture.pixels.shape, str(picture.pixels.dtype), picture.space, picture.alpha is not None)
    assert tuple(header) == expected


@pytest.mark.parametrize("file", corpus.bad(), ids=lambda file: file.name)
def test_what_cannot_be_enlarged_is_named_with_the_reason(file):
    with pytest.raises(InputError, match=file.reason) as caught:
        read.decode(file.data, file.name)
    assert str(caught.value).startswith(f"{file.name}: ")
    assert "\n" not in str(caught.value)


def test_a_header_of_a_hostile_file_costs_nothing():
    header = read.read_header(corpus.png_header(2**31 - 1, 2**31 - 1), "huge.png")
    assert header.shape == (2**31 - 1, 2**31 - 1)
