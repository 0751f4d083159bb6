import io

import numpy as np
import PIL.Image
import pytest

from sr_jax.data import sources
from sr_jax.data.images import Bad, Image, decode_image
from sr_jax.data.sources import catalog, checksums
from sr_jax.data.sources.checksums import Sum, pixel_sum


@pytest.fixture
def image(rng):
    return Image("a", rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_equal_for_every_lossless_format(image, kind):
    stream = io.BytesIO()
    PIL.Image.fromarray(image.pixels).save(stream, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert pixel_sum(Image("b", decode_image(stream.getvalue(), "b"))) == pixel_sum(image)


def test_gray_is_gray_however_it_is_stored(image):
    gray = image.pixels[..., :1]
    assert pixel_sum(Image("a", gray)) == pixel_sum(Image("a", np.repeat(gray, 3, 2)))
    assert pixel_sum(Image("a", gray)) != pixel_sum(image)


def test_one_bit_or_another_shape_is_another_sum(image):
    changed = image.pixels.copy()
    changed[3, 4, 1] ^= 1
    assert pixel_sum(Image("a", changed)).sha256 != pixel_sum(image).sha256
    assert pixel_sum(Image("a", image.pixels.reshape(7, 9, 3))).sha256 != pixel_sum(image).sha256


def test_sums_are_computed_once(image, tmp_path):
    first = checksums.sums_of([image, Bad("b", "b: damaged")], fingerprint="f", cache=tmp_path)
    assert first == {"a": pixel_sum(image)}
    assert checksums.sums_of([], fingerprint="f", cache=tmp_path) == first
    assert checksums.sums_of([], fingerprint="g", cache=tmp_path) == {}


@pytest.mark.parametrize(
    "kept",
    [b"{", b"[]", b'{"a": [9, 7, "0"]}', b'{"a": 3}', b"null", b"\xff", b"[" * 100_000],
    ids=["cut off", "list", "older", "number", "null", "no text", "deep"],
)
def test_sums_that_cannot_be_used_are_computed_again(image, tmp_path, kept):
    first = checksums.sums_of([image], fingerprint="f", cache=tmp_path)
    (note,) = tmp_path.rglob("*.json")
    note.write_bytes(kept)
    assert checksums.sums_of([image], fingerprint="f", cache=tmp_path) == first
    assert checksums.sums_of([], fingerprint="f", cache=tmp_path) == first


def test_the_corner_survives_cropping_from_the_top_left(rng):
    pixels = rng.integers(0, 256, (90, 80, 3), dtype=np.uint8)
    corner = checksums.corner_sum(pixels)
    assert corner
    assert checksums.corner_sum(pixels[:64, :72]) == corner
    assert checksums.corner_sum(pixels[1:]) != corner
    assert checksums.corner_sum(pixels[:63]) is None
    gray = pixels[..., :1]
    assert checksums.corner_sum(gray) == checksums.corner_sum(np.repeat(gray, 3, 2))


def test_a_corner_with_few_colours_has_no_sum(rng):
    assert checksums.corner_sum(rng.integers(0, 15, (64, 64, 1), dtype=np.uint8)) is None
    assert checksums.corner_sum(np.zeros((64, 64, 3), np.uint8)) is None
    assert checksums.corner_sum(rng.integers(0, 16, (64, 64, 1), dtype=np.uint8))


def test_the_table_has_every_image_of_the_small_sets():
    for title in checksums.MEASURED:
        assert len(checksums.published(title)) == catalog.SETS[title].images, title
    assert checksums.published("Urban100") == {}


@pytest.mark.parametrize("title", checksums.MEASURED)
def test_the_research_images_are_the_published_ones(research_images, cache, capsys, title):
    assert len(sources.open_set(title, root=research_images, cache=cache, split="test")) == catalog.SETS[title].images
    assert "warning" not in capsys.readouterr().err


def test_differences_are_named(image, monkeypatch):
    monkeypatch.setattr(
        checksums, "published", lambda title: {"a": pixel_sum(image), "lost": Sum(9, 9, "0", None)} if title == "Set5" else {}
    )
    other = pixel_sum(Image("b", image.pixels[:-1]))
    assert checksums.differences({"a": pixel_sum(image)}, ["Urban100"]) is None
    text = checksums.differences({"a": pixel_sum(image), "b.png": other}, ["Set5"])
    assert text == "1 (b.png) of 2 have other pixels; of the published images 1 (lost) are not among them"
