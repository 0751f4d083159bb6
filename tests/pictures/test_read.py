import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.pictures import read
from tests.pictures import corpus, further, moving
from tests.pictures.mutations import mutated


@pytest.mark.parametrize("file", [*corpus.good(), *further.good()], ids=lambda file: file.name)
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
    assert tuple(header) == (*expected, 1, None, ())


@pytest.mark.parametrize("file", [*corpus.bad(), *further.bad()], ids=lambda file: file.name)
def test_what_cannot_be_enlarged_is_named_with_the_reason(file):
    with pytest.raises(InputError, match=file.reason) as caught:
        list(read.decode_all(file.data, file.name))
    assert str(caught.value).startswith(f"{file.name}: ")
    assert "\n" not in str(caught.value)


def test_a_header_of_a_hostile_file_costs_nothing():
    header = read.read_header(corpus.png_header(2**31 - 1, 2**31 - 1), "huge.png")
    assert header.shape == (2**31 - 1, 2**31 - 1)


@pytest.mark.slow
def test_mutated_files_are_decoded_as_their_headers_say_or_refused(rng):
    """2,000 of them, with bytes changed or cut off. Whatever happens, there are pictures or one line."""
    files, refusals = [*corpus.good(), *further.good(), *moving.all_kinds()], []
    for _ in range(2000):
        file = files[rng.integers(len(files))]
        data = mutated(file.data, rng)
        try:
            header = read.read_header(data, file.name)
            if header.height * header.width * header.channels * header.frames > 10**8:
                continue  # a run compares this with the memory
            headers = header.pages or [header] * header.frames
            for picture, one in zip(read.decode_all(data, file.name), headers, strict=True):
                pixels, has_alpha = picture.pixels, picture.alpha is not None
                expected = (picture.format, *pixels.shape, str(pixels.dtype), picture.space, has_alpha)
                assert tuple(one)[:7] == expected
        except InputError as error:
            refusals.append((file.name, str(error)))
    assert 200 < len(refusals) < 1900
    assert all(text.startswith(f"{name}: ") and "\n" not in text for name, text in refusals)


def test_a_changed_16_bit_png_is_damaged(rng):
    data = bytearray(next(file.data for file in corpus.good() if file.name == "rgb16.png"))
    for place in rng.integers(40, len(data) - 20, 20):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(InputError, match="damaged"):
            read.decode(bytes(changed), "rgb16.png")
