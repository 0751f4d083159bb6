import os
import sys

import numpy as np
import pytest
from PIL import Image

from sr_jax.data import sources
from sr_jax.errors import InputError


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path, rng):
    pixels = {name: rng.integers(0, 256, (12, 10, 3), dtype=np.uint8) for name in ("b.png", "a.png", "sub/c.bmp")}
    for name, array in pixels.items():
        save(tmp_path / "images" / name, array)
    (tmp_path / "images" / "readme.txt").write_text("no image, and no image's name")
    (tmp_path / "images" / ".hidden.png").write_text("left alone")
    return tmp_path / "images", pixels


def load(directory, cache, bad_images="refuse"):
    return sources.usable(sources.open_folder([directory], cache=cache, config_key="data.dir"), bad_images)


def test_photographs_come_from_scikit_image(cache):
    train, test = (
        sources.usable(sources.open_set("photographs", split=split, root=cache, cache=cache), "refuse")
        for split in ("train", "test")
    )
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
    save(directory / "a.png", new)
    np.testing.assert_array_equal(load(directory, cache)[0].pixels, new)


def test_missing_folder(tmp_path, cache):
    with pytest.raises(InputError, match=r"data\.dir=.*nowhere: no such folder"):
        load(tmp_path / "nowhere", cache)


def test_the_key_that_names_the_folder_is_said(tmp_path, cache):
    with pytest.raises(InputError, match=r"eval\.sets=.*nowhere: no such folder"):
        sources.open_folder([tmp_path / "nowhere"], cache=cache, config_key="eval.sets")


def test_file_instead_of_folder(tmp_path, cache):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not a folder"):
        load(tmp_path / "file", cache)


def test_empty_folder(tmp_path, cache):
    with pytest.raises(InputError, match=r"holds no images \(looked for \.png"):
        load(tmp_path, cache)


def test_bad_images_are_refused_by_name(folder, cache):
    directory, _ = folder
    (directory / "text.png").write_text("text")
    save(directory / "see-through.png", np.zeros((4, 4, 4), np.uint8))
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
    with pytest.raises(InputError, match="no usable image"):
        load(tmp_path, cache, "skip")


def test_a_damaged_prepared_set_is_made_again(folder, tmp_path):
    directory, pixels = folder
    load(directory, tmp_path / "cache")
    (record,) = (tmp_path / "cache").rglob("*array_record*")
    record.write_bytes(record.read_bytes()[:100])
    np.testing.assert_array_equal(load(directory, tmp_path / "cache")[0].pixels, pixels["a.png"])


def test_a_changed_folder_replaces_its_prepared_set(folder, tmp_path):
    directory, _ = folder
    load(directory, tmp_path / "cache")
    (directory / "b.png").unlink()
    assert [image.name for image in load(directory, tmp_path / "cache")] == ["a.png", "sub/c.bmp"]
    assert len(list((tmp_path / "cache").rglob("*array_record*"))) == 1


def test_hidden_folders_are_left_alone_and_links_followed(folder, tmp_path, cache):
    directory, _ = folder
    save(directory / ".thumbnails/small.png", np.zeros((4, 4, 3), np.uint8))
    save(tmp_path / "elsewhere/d.png", np.zeros((4, 4, 3), np.uint8))
    (directory / "linked").symlink_to(tmp_path / "elsewhere")
    (directory / "sub/loop").symlink_to(directory)
    assert [image.name for image in load(directory, cache)] == ["a.png", "b.png", "linked/d.png", "sub/c.bmp"]


def test_cache_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--cache_dir: .*file/sr_jax_folder.* cannot be written"):
        load(folder[0], tmp_path / "file")
