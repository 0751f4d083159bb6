"""Windows from tiles are compared with those from a pack, and with NumPy's padding."""

import os
import random
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sr_jax.data import pack, records
from sr_jax.data.images import Bad, Image
from sr_jax.data.plan import Plan
from sr_jax.data.records import tiles
from sr_jax.data.records.tiles import OVERLAP, STEP, Span
from sr_jax.errors import TrainingError
from tests.data.records.conftest import Listed


@pytest.fixture
def build(tmp_path):
    def build_these(images):
        return records.build(Listed(images), title="some", place=tmp_path / "r", fingerprint="1").images

    return build_these


def plan_of(image, top, left):
    rows = [np.array(a, np.int32) for a in (image, top, left)]
    return Plan(*rows, np.zeros(len(image), np.int32), np.zeros((len(image), 2), np.uint32))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("margin", [0, 3, 40])
def test_windows_against_numpy_pad(images, build, margin):
    """Windows at many positions are compared. A margin of 40 reflects images of 13 rows several times."""
    stored = build(images)
    for i, image in enumerate(images):
        h, w, _ = image.pixels.shape
        tops, lefts = (a.ravel() for a in np.mgrid[0 : h - 7 : 3 + margin // 5, 0 : w - 7 : 2 + margin // 4])
        windows = records.cut(stored, plan_of([i] * len(tops), tops, lefts), patch=8, margin=margin)
        padded = np.pad(image.pixels, [(margin, margin), (margin, margin), (0, 0)], mode="symmetric")
        expected = [padded[y : y + 8 + 2 * margin, x : x + 8 + 2 * margin] for y, x in zip(tops, lefts, strict=True)]
        np.testing.assert_array_equal(windows, np.broadcast_to(expected, windows.shape))


def test_tiles_of_the_usual_size(build, rng, tmp_path):
    """Windows around the borders of tiles, and windows that are larger than a tile, of images among which one is bad."""
    shapes = [(STEP + OVERLAP + 100, 2 * STEP + 30, 3), (90, STEP + OVERLAP, 1), (STEP + OVERLAP + 1, 100, 3)]
    images = [Image(str(i), rng.integers(0, 256, shape, dtype=np.uint8)) for i, shape in enumerate(shapes)]
    images.insert(1, Bad("x", "x: no image"))
    stored = pack.select(build(images), [0, 2, 3])
    packed = pack.select(pack.build(images, place=tmp_path / "p", fingerprint="1")[0], [0, 2, 3])
    near = [0, STEP - 60, STEP - 1, STEP, STEP + OVERLAP - 60]
    plan = plan_of([0] * 25 + [1] * 5 + [2] * 5, np.repeat(near, 5).tolist() + [30] * 5 + near, near * 6 + [20] * 5)
    for scale, patch, margin, every in ((1, 48, 8, 1), (3, 48, 6, 1), (1, 10, 300, 7)):
        plan = Plan(*(a[::every] for a in plan))
        expected = pack.cut_on_host(pack.crop(packed, scale=scale), plan, patch=patch, margin=margin)
        actual = records.cut(pack.crop(stored, scale=scale), plan, patch=patch, margin=margin)
        np.testing.assert_array_equal(actual, expected)


def test_the_usual_window_reads_one_tile(build, rng, monkeypatch):
    stored = build([Image("a", rng.integers(0, 256, (2 * STEP, 2 * STEP, 3), dtype=np.uint8))])
    reads = []
    decode = tiles.decode
    monkeypatch.setattr(tiles, "decode", lambda data, **options: reads.append(1) or decode(data, **options))
    tops = rng.integers(0, 2 * STEP - OVERLAP, (2, 30))
    records.cut(stored, plan_of([0] * 30, *tops), patch=OVERLAP, margin=0)
    assert len(reads) == 30


@pytest.mark.usefixtures("small_tiles")
def test_threads_read_at_once(images, build):
    stored = build(images * 3)
    stored.store._unpacked = stored.store._read  # nothing is remembered
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for i, pixels in enumerate(pool.map(stored.store.image, range(len(images) * 3))):
                np.testing.assert_array_equal(pixels, images[i % len(images)].pixels)


@pytest.mark.usefixtures("small_tiles")
def test_few_tiles_are_remembered(images, build, monkeypatch):
    monkeypatch.setattr("sr_jax.data.records.read.UNPACKED", 5)
    stored = build(images)
    for i in range(len(images)):
        stored.store.image(i)
    assert stored.store._unpacked.cache_info().currsize == 5


@pytest.fixture
def stored_file(images, build, tmp_path):
    """Images, the file that holds them, and a function that reads them from it afresh."""
    stored = build(images)
    [file] = (tmp_path / "r").glob("*.array_record")

    def read():
        store = records.read.Store([file], [stored.store.sizes])
        return [store.image(i) for i in range(len(images))]

    return images, file, read


def test_no_flipped_bit_changes_a_pixel(stored_file):
    images, file, read = stored_file
    data = file.read_bytes()
    messages = []
    generator = random.Random(0)
    length = len(data.rstrip(b"\0"))
    for place in [*range(70), *(generator.randrange(length) for _ in range(80))]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << generator.randrange(8)
        file.write_bytes(flipped)
        try:
            pictures = read()
        except TrainingError as error:
            messages.append(str(error))
            continue
        for picture, image in zip(pictures, images, strict=True):
            np.testing.assert_array_equal(picture, image.pixels)
    assert len(messages) > 30  # the other bits are padding
    message = rf"{file} is damaged \(.+\); delete it, and the same command makes it again"
    assert all(re.fullmatch(message, line) for line in messages)


@pytest.mark.parametrize("size", [0, 100, 2**16, -1, -100])
def test_a_file_that_was_cut_short(stored_file, size):
    _, file, read = stored_file
    os.truncate(file, size if size >= 0 else file.stat().st_size + size)
    with pytest.raises(TrainingError, match=rf"^{file} is damaged \(.+\); delete it, and the same command makes it again$"):
        read()


def test_a_file_that_is_gone(stored_file):
    _, file, read = stored_file
    file.unlink()
    with pytest.raises(TrainingError, match=rf"^{file} is missing; the same command makes it again$"):
        read()


def test_a_file_of_other_images(stored_file, tmp_path, rng):
    _, file, read = stored_file
    other = [Image(str(i), rng.integers(0, 256, (50, 50, 3), dtype=np.uint8)) for i in range(9)]
    records.build(Listed(other), title="some", place=tmp_path / "other", fingerprint="2")
    [theirs] = (tmp_path / "other").glob("*.array_record")
    theirs.replace(file)
    with pytest.raises(TrainingError, match=rf"^{file} is damaged \(it is of other images\)"):
        read()


def test_parts_of_an_image(build, rng):
    pixels = rng.integers(0, 256, (STEP + OVERLAP + 40, 100, 3), dtype=np.uint8)
    store = build([Image("a", pixels)]).store
    np.testing.assert_array_equal(store.image(0), pixels)
    np.testing.assert_array_equal(store.cut(0, Span(500, 600), Span(7, 99)), pixels[500:600, 7:99])
