"""How a store is prepared, resumed, and made again. The parts have two images each in most tests."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter as Writer

from sr_jax.data import pack, records
from sr_jax.data.images import Bad, Image
from sr_jax.data.records import parts, store
from sr_jax.data.sources.checksums import pixel_sum
from sr_jax.errors import InputError, TrainingError
from tests.data.other_run import decoding
from tests.data.records.conftest import Listed

ROOT = Path(__file__).parents[3]
SHAPES = [(40, 30, 3), (30, 40, 1), (50, 20, 3), (20, 50, 3), (33, 33, 1), (16, 70, 3), (41, 25, 3)]


@pytest.fixture
def images(rng):
    """Seven images, one after another bad one."""
    items = [Image(str(i), rng.integers(0, 256, shape, dtype=np.uint8)) for i, shape in enumerate(SHAPES)]
    items.insert(3, Bad("x", "x: no image"))
    return items


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(store, "LEAST_PART", 4000)


def build(images, place, fingerprint="12345678"):
    """The store, and the images that were decoded for it."""
    listed = Listed(images)
    made = records.build(listed, title="some", place=place, fingerprint=fingerprint)
    return made, sorted(listed.decoded)


def assert_holds(made, images):
    for i, image in enumerate(images):
        if not isinstance(image, Bad):
            np.testing.assert_array_equal(made.images.store.image(i), image.pixels)


def files(place):
    return sorted(path.name for path in place.iterdir())


def test_it_is_like_a_pack(images, tmp_path):
    """The index is the same: names, sizes, bad images, and the digest by which a run recognises its images."""
    made, decoded = build(images, tmp_path / "r")
    assert decoded == list(range(8))
    packed, index = pack.build(images, place=tmp_path / "p", fingerprint="1")
    assert made.contents == index
    for name in ("height", "width"):
        np.testing.assert_array_equal(getattr(made.images, name), getattr(packed, name))
        assert getattr(made.images, name).dtype == getattr(packed, name).dtype
    assert made.sums == {image.name: pixel_sum(image) for image in images if isinstance(image, Image)}
    assert_holds(made, images)


def test_images_are_decoded_once(images, tmp_path, capsys):
    made, _ = build(images, tmp_path / "r")
    announced = rf"preparing some \(8 images\) in {tmp_path}/r: about 0\.0 MiB are needed, and [\d.]+ [GM]iB are free\n"
    assert re.fullmatch(announced, capsys.readouterr().err)
    again, decoded = build(images, tmp_path / "r")
    assert decoded == []
    assert capsys.readouterr().err == ""
    assert again[1:] == made[1:]
    assert_holds(again, images)
    names = [f"part-0000{i}-12345678.{suffix}" for i in range(4) for suffix in ("array_record", "json")]
    assert files(tmp_path / "r") == [".lock", "index.json", *names]


def test_other_images_replace_them(images, tmp_path):
    build(images, tmp_path / "r")
    made, _ = build(images[::-1], tmp_path / "r", "other")
    assert_holds(made, images[::-1])
    assert not list((tmp_path / "r").glob("*12345678*"))


def test_a_run_never_reads_other_images(images, tmp_path):
    old, _ = build(images, tmp_path / "r")
    build(images[::-1], tmp_path / "r", "other")
    with pytest.raises(TrainingError, match=r"part-00000-12345678\.array_record is missing"):
        old.images.store.image(0)


@pytest.mark.parametrize("last", range(8))
def test_an_interrupted_preparation_goes_on(images, tmp_path, last):
    """It is interrupted at each image. Those of finished parts are not decoded again, and the result is the same."""

    class Interrupting(Listed):
        def __getitem__(self, index):
            if index == last:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        records.build(Interrupting(images), title="some", place=tmp_path / "r", fingerprint="12345678")
    finished = [parts.read_note(file, "12345678") for file in sorted((tmp_path / "r").glob("*.array_record"))]
    assert not list((tmp_path / "r").glob("*.partial"))
    made, decoded = build(images, tmp_path / "r")
    assert decoded == list(range(finished[-1].last if finished else 0, 8))
    assert len(finished) == (0, 0, 1, 1, 1, 2, 2, 3)[last]
    assert made[1:] == build(images, tmp_path / "straight")[0][1:]
    assert_holds(made, images)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["decoding", "os.fsync", "parts.replace_text", "store.replace_text", "Path.replace"])
def test_a_killed_preparation_goes_on(images, tmp_path, moment):
    """It is killed without a chance to clean up; each moment comes when some parts are finished."""
    code = f"""
import os, pathlib, signal, sys, numpy as np
from sr_jax.data import images, records
from sr_jax.data.records import parts, store
from tests.data.records.conftest import Listed
store.LEAST_PART = 4000
moment, calls = "{moment}", []
def kill(*args, **options):
    calls.append(1)
    if len(calls) == (1 if moment == "store.replace_text" else 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **options)
class Killing(Listed):
    def __getitem__(self, index):
        if moment == "decoding" and index == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)
Path = pathlib.Path
if moment != "decoding":
    owner, _, name = moment.rpartition(".")
    original = getattr(eval(owner), name)
    setattr(eval(owner), name, kill)
data = np.load(sys.argv[2])
items = [images.Bad("x", "x: no image") if k == "x" else images.Image(k, data[k]) for k in data.files]
records.build(Killing(items), title="some", place=Path(sys.argv[1]), fingerprint="12345678")
"""
    pixels = {image.name: np.zeros(1) if isinstance(image, Bad) else image.pixels for image in images}
    np.savez(tmp_path / "images.npz", **pixels)
    argv = [sys.executable, "-c", code, tmp_path / "r", tmp_path / "images.npz"]
    killed = subprocess.run(argv, cwd=ROOT, timeout=60, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = files(tmp_path / "r")
    assert "index.json" not in left
    if moment != "parts.replace_text":  # a file gets its name when it is complete
        assert {Path(name).stem for name in left if name.endswith(".array_record")} == {
            Path(name).stem for name in left if name.endswith(".json")
        }
    made, decoded = build(images, tmp_path / "r")
    assert decoded[0] > 0 if decoded else moment == "store.replace_text"
    assert made[1:] == build(images, tmp_path / "straight")[0][1:]
    assert_holds(made, images)
    assert not [name for name in files(tmp_path / "r") if "partial" in name]


def part(place, number):
    return place / f"part-0000{number}-12345678.array_record"


def flip(file):
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("delete", ["file", "file and index", "file and others damaged"])
def test_only_a_missing_part_is_made_again(images, tmp_path, capsys, delete):
    made, _ = build(images, tmp_path / "r")
    part(tmp_path / "r", 1).unlink()
    if delete == "file and index":
        (tmp_path / "r/index.json").unlink()
    if delete == "file and others damaged":
        flip(part(tmp_path / "r", 3))
    capsys.readouterr()
    again, decoded = build(images, tmp_path / "r")
    assert decoded == [2, 3, 4] + [7] * (delete == "file and others damaged")
    err = capsys.readouterr().err
    assert "are free; 5 of its images are finished\n" in err
    assert f"{part(tmp_path / 'r', 1)} is missing or damaged; it is made again\n" in err
    assert again[1:] == made[1:]
    assert_holds(again, images)


def test_a_part_of_another_size_is_named(images, tmp_path):
    build(images, tmp_path / "r")
    file = part(tmp_path / "r", 2)
    os.truncate(file, 1000)
    with pytest.raises(TrainingError, match=rf"^{file} is damaged \(it has 1,000 bytes, not [\d,]+\); delete it, and the same"):
        build(images, tmp_path / "r")
    file.unlink()
    assert_holds(build(images, tmp_path / "r")[0], images)


@pytest.mark.parametrize("text", ["", "{}", "null", '{"version": 1, "of": "12345678"}', '{"version": 0, "of": "12345678"}'])
@pytest.mark.parametrize("name", ["index.json", "part-00002-12345678.json"])
def test_a_strange_note_is_made_again(images, tmp_path, name, text):
    made, _ = build(images, tmp_path / "r")
    (tmp_path / "r" / name).write_text(text)
    again, decoded = build(images, tmp_path / "r")
    assert decoded == ([] if name == "index.json" else [5, 6, 7])
    assert again[1:] == made[1:]


def test_a_copied_store_is_a_store(images, tmp_path):
    """On a file system that many machines share, it may be copied there. Times of files do not count."""
    build(images, tmp_path / "r")
    shutil.copytree(tmp_path / "r", tmp_path / "copy", copy_function=shutil.copyfile)
    made, decoded = build(images, tmp_path / "copy")
    assert decoded == []
    assert_holds(made, images)


@pytest.mark.slow
def test_two_runs_at_once_decode_once(images, tmp_path, capsys):
    code = (
        "import sys, pathlib, numpy as np; from sr_jax.data import images, records\n"
        "from tests.data.records.conftest import Listed\n"
        "class Waiting(Listed):\n"
        "    def __getitem__(self, index): print('decoding', flush=True); input(); return super().__getitem__(index)\n"
        "items = Waiting([images.Image('a', np.ones((4, 4, 3), np.uint8))])\n"
        "records.build(items, title='some', place=pathlib.Path(sys.argv[1]), fingerprint='1')"
    )
    with decoding(code, tmp_path / "r"):
        made, decoded = build([images[0]], tmp_path / "r", "1")
    assert capsys.readouterr().err == "waiting for another process, which prepares some\n"
    assert decoded == []
    np.testing.assert_array_equal(made.images.store.image(0), 1)


def test_no_usable_image(tmp_path):
    made, _ = build([Bad("x", "x: no image"), Bad("y", "y: no image")], tmp_path / "r")
    assert made.contents.sizes == ((0, 0), (0, 0))
    assert made.contents.bad == {"x": "x: no image", "y": "y: no image"}
    assert made[1:] == build([], tmp_path / "r")[0][1:]


def test_too_little_room(images, tmp_path, monkeypatch):
    monkeypatch.setattr(Listed, "size", lambda self, index: 4 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Mock(free=3 * 10**9))
    with pytest.raises(InputError, match=r"the cache folder \(--cache_dir\) .*/r needs 19\.2 GB, and .* has 3\.0 GB free"):
        build(images, tmp_path / "r")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(images, tmp_path):
    """The third part cannot be written. Once there is room, the first two are not decoded again."""
    with pytest.MonkeyPatch.context() as context:
        context.setattr(parts, "ArrayRecordWriter", lambda path, *a: Writer("/dev/full" if "00002" in path else path, *a))
        with pytest.raises(
            TrainingError,
            match=rf"no space left in the cache folder \(--cache_dir\) {re.escape(str(tmp_path))}/r: .* Finished parts stay",
        ):
            build(images, tmp_path / "r")
    assert not list((tmp_path / "r").glob("*.partial"))
    made, decoded = build(images, tmp_path / "r")
    assert decoded == [5, 6, 7]
    assert_holds(made, images)


def test_no_room_for_the_index(images, tmp_path, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(store, "replace_text", Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
        with pytest.raises(TrainingError, match="no space left in the cache folder"):
            build(images, tmp_path / "r")
    assert build(images, tmp_path / "r")[1] == []


def test_folder_that_cannot_be_written(images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"the cache folder .*file/r cannot be written \(Not a directory\)"):
        build(images, tmp_path / "file" / "r")


def test_large_sets_have_few_files(images, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "LEAST_PART", 1)
    monkeypatch.setattr(store, "MOST_PARTS", 3)
    build(images, tmp_path / "r")
    assert 2 <= len(list((tmp_path / "r").glob("*.array_record"))) <= 4
