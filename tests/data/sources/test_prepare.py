import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from tensorflow_datasets.core import shuffle

from sr_jax.data import sources
from sr_jax.data.images import Bad
from sr_jax.data.images import Image as Decoded
from sr_jax.data.sources import prepare
from sr_jax.errors import InputError
from tests.data.sources.reading import read


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path, rng):
    pixels = {name: rng.integers(0, 256, (12, 10, 3), dtype=np.uint8) for name in ("b.png", "a.png", "sub/c.bmp")}
    for name, array in pixels.items():
        write(tmp_path / "images" / name, array)
    (tmp_path / "images" / "readme.txt").write_text("neither an image nor the name of one")
    (tmp_path / "images" / ".hidden.png").write_text("left alone")
    return tmp_path / "images", pixels


def load(directory, cache, bad_images="refuse"):
    images, reasons = sources.split_usable(sources.open_folder([directory], cache=cache))
    sources.handle_bad_images(reasons, bad_images)
    return images


def test_photographs_come_from_scikit_image(cache):
    train, test = (read(sources.open_set("photographs", split=split, root=cache, cache=cache)) for split in ("train", "test"))
    assert [image.name for image in test] == ["astronaut.png", "chelsea.png", "coffee.png"]
    assert not {image.name for image in train} & {image.name for image in test}
    from skimage import data

    np.testing.assert_array_equal(test[0].pixels, data.astronaut())
    camera = next(image for image in train if image.name == "camera.png")
    np.testing.assert_array_equal(camera.pixels[..., 0], data.camera())


def test_folder_is_read_in_the_order_of_names(folder, cache):
    directory, pixels = folder
    images = load(directory, cache)
    assert [image.name for image in images] == ["a.png", "b.png", "sub/c.bmp"]
    for image in images:
        np.testing.assert_array_equal(image.pixels, pixels[image.name])


def test_it_is_prepared_as_array_record_once(folder, tmp_path):
    directory, _ = folder
    load(directory, tmp_path / "cache")
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*array_record*")}
    assert len(records) == 1
    load(directory, tmp_path / "cache")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*array_record*")} == records


def test_a_changed_file_is_seen(folder, cache):
    directory, _ = folder
    load(directory, cache)
    new = np.zeros((5, 5, 3), np.uint8)
    write(directory / "a.png", new)
    np.testing.assert_array_equal(load(directory, cache)[0].pixels, new)


def test_missing_folder(tmp_path, cache):
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        load(tmp_path / "nowhere", cache)


def test_file_instead_of_folder(tmp_path, cache):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is not a folder"):
        load(tmp_path / "file", cache)


def test_empty_folder(tmp_path, cache):
    with pytest.raises(InputError, match=r"holds no images \(looked for \.png"):
        load(tmp_path, cache)


def test_bad_images_are_refused_by_name(folder, cache):
    directory, _ = folder
    (directory / "text.png").write_text("text")
    write(directory / "see-through.png", np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(InputError, match=r"(?s)2 image\(s\) cannot be used.*see-through\.png: has tr.*text\.png: not an"):
        load(directory, cache)


def test_bad_images_are_skipped_by_name(folder, cache, capsys):
    directory, _ = folder
    (directory / "text.png").write_text("text")
    (directory / "gone.png").symlink_to("nowhere")
    images = load(directory, cache, "skip")
    err = capsys.readouterr().err
    assert "text.png: not an image" in err
    assert "gone.png: cannot be read (No such file or directory)" in err
    assert [image.name for image in images] == ["a.png", "b.png", "sub/c.bmp"]


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems do not allow such a name")
def test_a_name_that_is_not_utf8(folder, cache):
    directory, _ = folder
    (directory / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    with pytest.raises(InputError, match=r"caf\\udce9\.png: its name is not UTF-8"):
        load(directory, cache)


def test_nothing_left(tmp_path, cache):
    (tmp_path / "text.png").write_text("text")
    assert load(tmp_path, cache, "skip") == []


def test_a_damaged_prepared_set_is_made_again(folder, tmp_path):
    directory, pixels = folder
    load(directory, tmp_path / "cache")
    (record,) = (tmp_path / "cache").rglob("*array_record*")
    record.write_bytes(record.read_bytes()[:100])
    np.testing.assert_array_equal(load(directory, tmp_path / "cache")[0].pixels, pixels["a.png"])


def prepared_file(cache):
    (record,) = cache.rglob("*array_record*")
    return record


def test_a_preparation_that_was_killed_is_made_again(folder, tmp_path):
    """The note is written last. Without it, the files are not trusted."""
    directory, pixels = folder
    load(directory, tmp_path / "cache")
    record = prepared_file(tmp_path / "cache")
    whole = record.read_bytes()
    (note,) = (tmp_path / "cache").rglob("note.json")
    note.unlink()
    record.write_bytes(whole[: len(whole) // 2])
    assert len(load(directory, tmp_path / "cache")) == len(pixels)
    assert record.stat().st_size == len(whole)
    assert note.exists()


def test_without_its_note_a_prepared_set_is_not_trusted(folder, tmp_path):
    directory, _ = folder
    load(directory, tmp_path / "cache")
    (note,) = (tmp_path / "cache").rglob("note.json")
    note.unlink()
    new = np.zeros((5, 5, 3), np.uint8)
    write(directory / "a.png", new)
    np.testing.assert_array_equal(load(directory, tmp_path / "cache")[0].pixels, new)


def test_killed_for_real(tmp_path, save):
    """After a process died while preparing a set, a later one does not take the set for complete."""
    save(tmp_path / "images", *(f"{i:03}.png" for i in range(40)))
    script = """
import os, sys
from pathlib import Path
from sr_jax.data import sources
from sr_jax.data.sources import prepare
from sr_jax.data.sources.prepare import ImageFiles
generate = ImageFiles._generate_examples
def dying(self, files):
    for index, example in generate(self, files):
        if index == 20:
            os._exit(9)
        yield index, example
ImageFiles._generate_examples = dying
sources.open_folder([sys.argv[1]], cache=Path(sys.argv[2]))
"""
    arguments = [sys.executable, "-c", script, str(tmp_path / "images"), str(tmp_path / "cache")]
    assert subprocess.run(arguments, check=False, capture_output=True).returncode == 9
    assert list((tmp_path / "cache").glob("sr_jax_folder-*/*"))
    assert len(load(tmp_path / "images", tmp_path / "cache")) == 40


def test_damage_inside_a_record_is_found_while_reading(tmp_path, save):
    """Size and note are the same. Images that were already read are not repeated."""
    pixels = save(tmp_path / "images", *(f"{i:02}.png" for i in range(30)), shape=(40, 40, 3))
    (tmp_path / "images/00-gone.png").symlink_to("nowhere")
    image_set = sources.open_folder([tmp_path / "images"], cache=tmp_path / "cache")
    record = prepared_file(tmp_path / "cache")
    damaged = bytearray(record.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 5000] = bytes(5000)
    record.write_bytes(damaged)
    first, *images = list(image_set)
    assert first == Bad("00-gone.png", "00-gone.png: cannot be read (No such file or directory)")
    assert [image.name for image in images] == list(pixels)
    for image in images:
        assert isinstance(image, Decoded)
        np.testing.assert_array_equal(image.pixels, pixels[image.name])


def test_a_set_is_not_held_in_memory(tmp_path, save):
    """When the first image is read, only as many others are decoded as the threads run ahead."""
    save(tmp_path / "images", *(f"{i:03}.png" for i in range(200)))
    image_set = sources.open_folder([tmp_path / "images"], cache=tmp_path / "cache")
    decoded = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "decode_image", lambda data, name: decoded.append(name) or np.zeros((1, 1, 3), np.uint8))
        images = iter(image_set)
        next(images)
        time.sleep(0.2)
        assert 1 <= len(decoded) <= 4 * (os.cpu_count() or 1) + 1


def test_large_sets_are_written_in_parts(tmp_path, save, monkeypatch):
    """TFDS sorts data that exceed its buffer on disk, and needs TensorFlow for that."""
    pixels = save(tmp_path / "images", *(f"{i:02}.png" for i in range(30)))
    size = max(path.stat().st_size for path in (tmp_path / "images").iterdir())
    monkeypatch.setattr(prepare, "PART", 4 * size)
    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 6 * size)
    images = load(tmp_path / "images", tmp_path / "cache")
    assert 8 <= len(list((tmp_path / "cache").rglob("*array_record*"))) <= 15
    assert [image.name for image in images] == list(pixels)
    for image in images:
        np.testing.assert_array_equal(image.pixels, pixels[image.name])


def test_a_file_too_large_to_be_an_image(folder, cache):
    with (folder[0] / "sparse.bmp").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(InputError, match=r"sparse\.bmp: has 1,073,741,824 bytes; at most 943,718,400 are read"):
        load(folder[0], cache)


def test_another_decoder_reads_nothing_from_caches(folder, tmp_path, monkeypatch):
    first = sources.open_folder([folder[0]], cache=tmp_path / "cache").fingerprint
    monkeypatch.setattr(prepare.images, "VERSION", prepare.images.VERSION + 1)
    assert sources.open_folder([folder[0]], cache=tmp_path / "cache").fingerprint != first


def test_different_sets_have_different_fingerprints(folder, tmp_path):
    directory, _ = folder

    def fingerprint(**options):
        return sources.open_folder([directory], **options, cache=tmp_path / "cache").fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert fingerprint(exclude=("a.png",)) != first
    os.utime(directory / "a.png", (0, 0))
    assert fingerprint() != first


def test_an_unreadable_file_that_goes_is_seen(folder, cache):
    directory, _ = folder

    def fingerprint():
        return sources.open_folder([directory], cache=cache).fingerprint

    first = fingerprint()
    (directory / "gone.png").symlink_to("nowhere")
    dangling = fingerprint()
    (directory / "gone.png").unlink()
    os.mkfifo(directory / "gone.png")
    pipe = fingerprint()
    (directory / "gone.png").unlink()
    assert fingerprint() == first
    assert len({first, dangling, pipe}) == 3


def test_a_damaged_description_is_made_again(folder, tmp_path):
    """The description has the right length, so that the note fits."""
    directory, pixels = folder
    load(directory, tmp_path / "cache")
    (info,) = (tmp_path / "cache").rglob("dataset_info.json")
    info.write_text("x" * info.stat().st_size)
    np.testing.assert_array_equal(load(directory, tmp_path / "cache")[0].pixels, pixels["a.png"])


def test_citation_and_licence_are_in_the_prepared_set(research_images, tmp_path):
    sources.open_set("Set5", root=research_images, cache=tmp_path, split="test")
    (info,) = tmp_path.rglob("dataset_info.json")
    description = json.loads(info.read_text())
    assert "Bevilacqua" in description["citation"]
    assert description["redistributionInfo"]["license"] == "none stated"
    assert description["fileFormat"] == "array_record"


def test_without_tensorflow():
    assert "tensorflow" not in sys.modules


def test_a_changed_folder_replaces_its_prepared_set(folder, tmp_path):
    directory, _ = folder
    load(directory, tmp_path / "cache")
    (directory / "b.png").unlink()
    assert [image.name for image in load(directory, tmp_path / "cache")] == ["a.png", "sub/c.bmp"]
    assert len(list((tmp_path / "cache").rglob("*array_record*"))) == 1


def test_hidden_folders_are_left_out_and_links_followed(folder, tmp_path, cache):
    directory, _ = folder
    write(directory / ".thumbnails/small.png", np.zeros((4, 4, 3), np.uint8))
    write(tmp_path / "elsewhere/d.png", np.zeros((4, 4, 3), np.uint8))
    (directory / "linked").symlink_to(tmp_path / "elsewhere")
    (directory / "sub/loop").symlink_to(directory)
    assert [image.name for image in load(directory, cache)] == ["a.png", "b.png", "linked/d.png", "sub/c.bmp"]


def test_cache_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"the cache folder .*file/sr_jax_folder.* cannot be written"):
        load(folder[0], tmp_path / "file")
