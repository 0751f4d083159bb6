import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import jax
import numpy as np
import pytest

from sr_jax.data import pack
from sr_jax.data.images import Bad, Image
from sr_jax.data.plan import Plan
from sr_jax.errors import InputError, TrainingError
from tests.data.other_run import decoding

pytestmark = pytest.mark.exact

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def images(rng):
    shapes = {"a": (30, 25, 3), "b": (13, 40, 1), "c": (24, 24, 3)}
    return [Image(name, rng.integers(0, 256, shape, dtype=np.uint8)) for name, shape in shapes.items()]


def never():
    raise AssertionError("decoded although there is a pack")
    yield


def stored(packed):
    """All images of a pack, cut row by row."""
    flat = packed.pixels.reshape(-1, 3)
    start = packed.block.astype(int) * pack.BLOCK + packed.within
    return [
        np.stack([flat[s + row * p : s + row * p + w] for row in range(h)]) if h else None
        for s, h, w, p in zip(start, packed.height, packed.width, packed.pitch, strict=True)
    ]


def assert_holds(packed, images):
    for actual, image in zip(stored(packed), images, strict=True):
        np.testing.assert_array_equal(actual, np.broadcast_to(image.pixels, (*image.pixels.shape[:2], 3)))


def test_images_are_decoded_once(images, tmp_path):
    packed, index = pack.build(iter(images), place=tmp_path / "p", fingerprint="1")
    assert_holds(packed, images)
    assert index.names == ("a", "b", "c")
    assert index.sizes == ((30, 25), (13, 40), (24, 24))
    again, same = pack.build(never(), place=tmp_path / "p", fingerprint="1")
    assert_holds(again, images)
    assert same == index
    assert not again.pixels.flags.writeable
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == [".lock", "index.json", "pixels"]


def test_other_images_replace_them(images, tmp_path):
    pack.build(images, place=tmp_path / "p", fingerprint="1")
    packed, index = pack.build(images[::-1], place=tmp_path / "p", fingerprint="2")
    assert_holds(packed, images[::-1])
    assert index.names == ("c", "b", "a")


def test_a_pack_in_use_survives_its_replacement(images, tmp_path):
    old, _ = pack.build(images, place=tmp_path / "p", fingerprint="1")
    pack.build(images[::-1], place=tmp_path / "p", fingerprint="2")
    assert_holds(old, images)


def rewrite_index(place, **entries):
    note = json.loads((place / "index.json").read_text())
    (place / "index.json").write_text(json.dumps(note | entries))


@pytest.mark.parametrize(
    "harm",
    [
        lambda place: os.truncate(place / "pixels", 1000),
        lambda place: os.truncate(place / "pixels", 0),
        lambda place: (place / "pixels").write_bytes(bytes(3 * pack.BLOCK)),
        lambda place: (place / "pixels").unlink(),
        lambda place: (place / "index.json").write_text('{"pack": '),
        lambda place: (place / "index.json").write_text("{}"),
        lambda place: (place / "index.json").write_text("null"),
        lambda place: (place / "index.json").write_text("[3]"),
        lambda place: (place / "index.json").write_bytes(b"\xff\xfe"),
        lambda place: rewrite_index(place, names=3),
        lambda place: rewrite_index(place, sizes=[1, 2, 3]),
        lambda place: (place / "index.json").unlink(),
        lambda place: (place / "pixels.partial").write_bytes(b"from a run that was killed"),
    ],
    ids=[
        "cut short",
        "empty",
        "overwritten",
        "no pixels",
        "half an index",
        "strange index",
        "null",
        "list",
        "no text",
        "strange names",
        "strange sizes",
        "no index",
        "killed run",
    ],
)
def test_an_incomplete_pack_is_made_again(images, tmp_path, harm):
    pack.build(images, place=tmp_path / "p", fingerprint="1")
    harm(tmp_path / "p")
    packed, _ = pack.build(images, place=tmp_path / "p", fingerprint="1")
    assert_holds(packed, images)
    assert_holds(pack.build(never(), place=tmp_path / "p", fingerprint="1")[0], images)


def test_a_killed_run_leaves_no_pack(images, tmp_path):
    """The run is killed in the middle, without a chance to clean up. Its lock ends with it."""
    code = (
        "import os, signal, sys, pathlib, numpy as np; from sr_jax.data import pack, images\n"
        "def some():\n"
        "    yield images.Image('a', np.zeros((1000, 1000, 3), np.uint8))\n"
        "    os.kill(os.getpid(), signal.SIGKILL); yield\n"
        "pack.build(some(), place=pathlib.Path(sys.argv[1]), fingerprint='1')"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "p")], cwd=ROOT, timeout=60, check=False)
    assert killed.returncode < 0
    assert (tmp_path / "p/pixels.partial").exists()
    assert_holds(pack.build(images, place=tmp_path / "p", fingerprint="1")[0], images)


def test_two_runs_at_once_decode_once(tmp_path):
    """The second run waits for the first, and then opens its pack."""
    code = (
        "import sys, pathlib, numpy as np; from sr_jax.data import pack, images\n"
        "def some():\n"
        "    print('decoding', flush=True); input()\n"
        "    yield images.Image('a', np.ones((4, 4, 3), np.uint8))\n"
        "pack.build(some(), place=pathlib.Path(sys.argv[1]), fingerprint='1')"
    )
    with decoding(code, tmp_path / "p"):
        packed, _ = pack.build(never(), place=tmp_path / "p", fingerprint="1")
    np.testing.assert_array_equal(stored(packed)[0], 1)


def test_bad_images_have_no_pixels(images, tmp_path):
    items = [images[0], Bad("x", "x: no image"), *images[1:]]
    packed, index = pack.build(items, place=tmp_path / "p", fingerprint="1")
    assert index.bad == {"x": "x: no image"}
    assert index.sizes[1] == (0, 0)
    assert index == pack.build(never(), place=tmp_path / "p", fingerprint="1")[1]
    assert_holds(pack.select(packed, [0, 2, 3]), images)
    without = pack.build(images, place=tmp_path / "q", fingerprint="1")[1]
    assert index.digest == without.digest


def test_the_digest_is_of_names_shapes_and_pixels(images, tmp_path):
    """Runs that began with an earlier version recognise their images by it."""
    expected = hashlib.sha256()
    for name, pixels in images:
        expected.update(f"{name}\0{pixels.shape}\n".encode() + pixels.tobytes())
    assert pack.build(images, place=tmp_path / "p", fingerprint="1")[1].digest == expected.hexdigest()
    assert json.loads((tmp_path / "p/index.json").read_text())["digest"] == expected.hexdigest()


def test_folder_that_cannot_be_written(images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"the cache folder .*file/p cannot be written \(Not a directory\)"):
        pack.build(images, place=tmp_path / "file" / "p", fingerprint="1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p/pixels.partial").symlink_to("/dev/full")
    images = [Image(name, np.zeros((5000, 3000, 3), np.uint8)) for name in "abcd"]
    with pytest.raises(
        TrainingError,
        match=rf"no space left in the cache folder \(--cache_dir\) {re.escape(str(tmp_path))}/p: .* about 0\.2 GiB; give",
    ):
        pack.build(images, place=tmp_path / "p", fingerprint="1")
    assert not (tmp_path / "p/pixels.partial").is_symlink()


def test_no_room_for_the_index(images, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pack, "replace_text", Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
        with pytest.raises(TrainingError, match="no space left in the cache folder"):
            pack.build(images, place=tmp_path / "p", fingerprint="1")
    assert_holds(pack.build(images, place=tmp_path / "p", fingerprint="1")[0], images)


def test_no_usable_image(tmp_path):
    packed, index = pack.build([Bad("x", "x: no image")], place=tmp_path / "p", fingerprint="1")
    assert packed.pixels.shape == (1, pack.BLOCK, 3)
    assert index.sizes == ((0, 0),)


def test_cropping_moves_no_pixel(images, tmp_path):
    whole, _ = pack.build(images, place=tmp_path / "p", fingerprint="1")
    packed = pack.crop(whole, scale=4)
    assert np.shares_memory(packed.pixels, whole.pixels)
    for actual, image in zip(stored(packed), images, strict=True):
        expected = pack.crop_to_multiple(image.pixels, 4)
        np.testing.assert_array_equal(actual, np.broadcast_to(expected, (*expected.shape[:2], 3)))


def plan_of(image, top, left):
    rows = [np.array(a, np.int32) for a in (image, top, left)]
    return Plan(*rows, np.zeros(len(image), np.int32), np.zeros((len(image), 2), np.uint32))


def both(packed, plan, **cut):
    """The windows that the host cuts, after checking that a device cuts the same ones."""
    host = pack.cut_on_host(packed, plan, **cut)
    device = jax.jit(lambda images, plan: pack.cut_on_device(images, plan, **cut))(packed, plan)
    np.testing.assert_array_equal(host, device)
    return host


@pytest.mark.parametrize("margin", [0, 3, 40])
def test_windows_against_numpy_pad(images, tmp_path, margin):
    """Windows at every position are compared. A margin of 40 reflects images of 13 rows several times."""
    packed, _ = pack.build(images, place=tmp_path / "p", fingerprint="1")
    for i, image in enumerate(images):
        h, w, _ = image.pixels.shape
        tops, lefts = (a.ravel() for a in np.mgrid[0 : h - 7, 0 : w - 7 : 3])
        windows = both(packed, plan_of([i] * len(tops), tops, lefts), patch=8, margin=margin)
        padded = np.pad(image.pixels, [(margin, margin), (margin, margin), (0, 0)], mode="symmetric")
        expected = [padded[y : y + 8 + 2 * margin, x : x + 8 + 2 * margin] for y, x in zip(tops, lefts, strict=True)]
        np.testing.assert_array_equal(windows, np.broadcast_to(expected, windows.shape))


def test_images_beyond_a_block(tmp_path, rng):
    """Some rows cross from one block into the next, and one image begins in the third block."""
    images = [Image(name, rng.integers(0, 256, (1200, 1100, 3), dtype=np.uint8)) for name in "abc"]
    packed, _ = pack.build(images, place=tmp_path / "p", fingerprint="1")
    assert packed.block.tolist() == [0, 1, 2]
    top, left = pack.BLOCK // 1100 - 2, pack.BLOCK % 1100 - 3
    windows = both(packed, plan_of([0, 1, 2], [top, 1190, 5], [left, 1090, 7]), patch=6, margin=2)
    np.testing.assert_array_equal(windows[0], images[0].pixels[top - 2 : top + 8, left - 2 : left + 8])
    np.testing.assert_array_equal(windows[1, 2:8, 2:8], images[1].pixels[1190:1196, 1090:1096])
    np.testing.assert_array_equal(windows[2], images[2].pixels[3:13, 5:15])


def test_no_index_exceeds_32_bits(tmp_path, rng):
    """A sparse file has six billion pixels, more than 32 bits can count."""
    with (tmp_path / "pixels").open("wb") as file:
        file.truncate(6000 * pack.BLOCK * 3)
    patch = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
    pixels = np.memmap(tmp_path / "pixels", np.uint8, "r+").reshape(-1, pack.BLOCK, 3)
    pixels[5999, :120] = patch.reshape(-1, 3)
    packed = pack.Pack(pixels, *(np.array([a], np.int32) for a in (5999, 0, 10, 12, 12)))
    plan = plan_of([0], [2], [4])
    np.testing.assert_array_equal(pack.cut_on_host(packed, plan, patch=4, margin=1)[0], patch[1:7, 3:9])


def test_packs_that_exceed_the_device_are_refused(images, tmp_path):
    packed, _ = pack.build(images, place=tmp_path / "p", fingerprint="1")
    size = packed.pixels.nbytes
    pack.check_device_memory([packed], memory=size)
    with pytest.raises(InputError, match=r"images take 0\.0 GiB, and a device has 0\.0 GiB .*use the host pipeline"):
        pack.check_device_memory([packed, packed], memory=2 * size - 1)


def test_pairs_that_do_not_match():
    def index(names, sizes, bad):
        return pack.Index(tuple(names), tuple(sizes), bad, "")

    hr = index(["a", "b", "c", "d"], [(21, 30), (20, 20), (20, 20), (0, 0)], {"d": "d: damaged"})
    lr = index(["ax2", "bx2", "cx2", "dx2"], [(10, 15), (10, 11), (0, 0), (7, 7)], {"cx2": "cx2: no image"})
    assert pack.mismatches(hr, lr, scale=2) == {
        "b": "b: its LR image has 10x11 pixels, but HR has 20x20, which at x2 makes 10x10",
        "c": "cx2: no image",
    }
    with pytest.raises(InputError, match="there are 3 LR images for 4 HR images"):
        pack.mismatches(hr, index(["a", "b", "c"], [(1, 1)] * 3, {}), scale=2)
