import dataclasses
import errno
import functools
import hashlib
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sr_jax.data import sources
from sr_jax.data.images import Bad, Image
from sr_jax.data.sources import catalog
from sr_jax.data.sources import open as module
from sr_jax.errors import InputError, option
from tests.data.sources.reading import read
from tests.data.sources.server import serving

SET5 = ("baby", "bird", "butterfly", "head", "woman")


@pytest.fixture(autouse=True)
def _print_everything_again():
    module._print_once.cache_clear()


def open_set(name, root, cache, **options):
    return sources.open_set(name, root=root, cache=cache, **({"split": "train"} | options))


def test_a_named_set(tmp_path, save, capsys):
    pixels = save(tmp_path / "set5/HR", *(f"{name}.png" for name in SET5))
    image_set = open_set("Set5", tmp_path, tmp_path / "cache")
    assert (image_set.title, image_set.licence, len(image_set)) == ("Set5", "none stated", 5)
    assert "Bevilacqua" in image_set.citation
    assert image_set.names == tuple(pixels)
    for _ in range(2):
        for name, image in zip(SET5, image_set, strict=True):
            assert isinstance(image, Image)
            np.testing.assert_array_equal(image.pixels, pixels[f"{name}.png"])
    warning = (
        "warning: Set5 is not as published: 5 (baby.png, bird.png, butterfly.png, head.png, woman.png) of 5 have other pixels"
    )
    assert warning in capsys.readouterr().err


def test_another_number_than_published_is_reported_once(tmp_path, save, capsys):
    save(tmp_path / "Urban100", "img_001.png", "img_002.png")
    for _ in range(2):
        open_set("Urban100", tmp_path, tmp_path / "cache")
    assert capsys.readouterr().err.count("warning: Urban100 is not as published: it has 2 images, not 100") == 1


def test_names_in_a_union_begin_with_the_part(tmp_path, save):
    save(tmp_path / "T91", "t1.png", "t2.png")
    save(tmp_path / "BSDS200", "t1.png")
    image_set = open_set("291", tmp_path, tmp_path / "cache")
    assert image_set.names == ("T91/t1.png", "T91/t2.png", "BSDS200/t1.png")
    kept = open_set("291", tmp_path, tmp_path / "cache", exclude=("T91/*",))
    assert kept.names == ("BSDS200/t1.png",)
    assert kept.fingerprint != image_set.fingerprint


@pytest.mark.slow
def test_the_research_images_in_a_union(research_images, cache, capsys):
    image_set = open_set("291", research_images, cache)
    assert len(image_set) == 91 + 199
    assert "warning" not in capsys.readouterr().err


def test_an_unknown_set(tmp_path):
    with pytest.raises(InputError, match="unknown set 'Set6'; did you mean Set5"):
        open_set("Set6", tmp_path, tmp_path)


def test_the_error_for_a_missing_set_says_where_it_would_be_found(tmp_path):
    expected = (
        rf"B100 is not in the data root {tmp_path} \(data\.root, --data_root\); "
        r".* B100 or BSD100 or BSDS100/\*\.png, .* HR, GT, original, GTmod12"
    )
    with pytest.raises(InputError, match=expected):
        open_set("B100", tmp_path, tmp_path)


def test_one_image_twice(tmp_path, save):
    save(tmp_path / "Set5", "baby.png", "baby.bmp")
    with pytest.raises(InputError, match=r"baby\.bmp and .*baby\.png are both image baby"):
        open_set("Set5", tmp_path, tmp_path)


def test_folders_together(tmp_path, save):
    pixels = save(tmp_path, "x/1.png", "x/2.png", "y/1.png")
    image_set = sources.open_folder([tmp_path / "x", tmp_path / "y"], exclude=("*/2.png",), cache=tmp_path / "cache")
    assert image_set.names == ("x/1.png", "y/1.png")
    images = read(image_set)
    np.testing.assert_array_equal(images[1].pixels, pixels["y/1.png"])


# Downloads.


@pytest.fixture
def div2k(monkeypatch):
    """DIV2K with training images 1 to 3 and test images 4 and 5 only."""

    def use(**archives):
        few = dataclasses.replace(
            catalog.SETS["DIV2K"], images=5, ids={"train": range(1, 4), "test": range(4, 6)}, archives=archives
        )
        monkeypatch.setitem(catalog.SETS, "DIV2K", few)

    use()
    return use


@pytest.mark.parametrize("layout", [("DIV2K_train_HR", "DIV2K_valid_HR"), ("div2k_train_hr", "div2k_train_hr")])
@pytest.mark.usefixtures("div2k")
def test_a_folder_that_is_there_is_used(tmp_path, save, layout):
    """The folders of the archives, or one folder with all 900 images."""
    train, valid = layout
    save(tmp_path / "DIV2K" / train, "0001.png", "0002.png", "0003.png")
    save(tmp_path / "DIV2K" / valid, "0004.png", "0005.png")
    assert open_set("DIV2K", tmp_path, tmp_path).names == ("0001.png", "0002.png", "0003.png")
    assert open_set("DIV2K", tmp_path, tmp_path, split="test").names == ("0004.png", "0005.png")


def archive_of(folder, holds, server):
    content = folder.with_suffix(".zip")
    with zipfile.ZipFile(content, "w") as file:
        for path in sorted(folder.rglob("*.png")):
            file.write(path, path.relative_to(folder))
    server.content = content.read_bytes()
    checksum = f"sha256:{hashlib.sha256(server.content).hexdigest()}"
    return catalog.Archive(server.url, checksum, len(server.content), {holds: holds})


def test_what_is_missing_is_downloaded_once(tmp_path, save, div2k, capsys):
    pixels = save(tmp_path / "source/DIV2K_train_HR", "0001.png", "0002.png", "0003.png")
    root = tmp_path / "root"
    with serving(b"") as server:
        div2k(train=archive_of(tmp_path / "source", "DIV2K_train_HR", server))
        image_set = open_set("DIV2K", root, tmp_path / "cache")
        assert f"DIV2K is not there; downloading {server.url} (0.0 GB) to {root}/DIV2K" in capsys.readouterr().err
        open_set("DIV2K", root, tmp_path / "cache")
    assert server.asked == [None]
    for image in image_set:
        assert isinstance(image, Image)
        np.testing.assert_array_equal(image.pixels, pixels[image.name])
    assert sorted(path.name for path in (root / "DIV2K").iterdir() if path.suffix != ".lock") == ["DIV2K_train_HR"]


def test_lr_images_are_downloaded_too(tmp_path, save, div2k):
    save(tmp_path / "root/DIV2K/DIV2K_valid_HR", "0004.png", "0005.png")
    pixels = save(tmp_path / "source/DIV2K_valid_LR_bicubic/X2", "0004x2.png", "0005x2.png", shape=(6, 5, 3))
    with serving(b"") as server:
        div2k(test_x2=archive_of(tmp_path / "source", "DIV2K_valid_LR_bicubic/X2", server))
        lr = sources.open_lr("DIV2K", scale=2, root=tmp_path / "root", cache=tmp_path / "cache")
    assert lr.names == ("0004.png", "0005.png")  # the names of HR
    np.testing.assert_array_equal(read(lr)[1].pixels, pixels["0005x2.png"])


def test_a_failed_download_says_what_to_do_instead(tmp_path, div2k):
    with serving(b"", status=404) as server:
        div2k(train=catalog.Archive(server.url, "sha256:0", None, {"DIV2K_train_HR": "DIV2K_train_HR"}))
        instead = f"404 Not Found. Or put the images of DIV2K into {tmp_path}/DIV2K/DIV2K_train_HR yourself"
        with pytest.raises(InputError, match=re.escape(instead)):
            open_set("DIV2K", tmp_path, tmp_path / "cache")


# HR and LR images for evaluation.


def open_pair(name, root, cache):
    return (
        sources.open_hr(name, scale=2, root=root, cache=cache),
        sources.open_lr(name, scale=2, root=root, cache=cache),
    )


@pytest.mark.parametrize("inner", ["", "HR"])
def test_a_folder_in_a_usual_layout_is_its_hr(tmp_path, save, capsys, inner):
    save(tmp_path / "mine/HR", "a.png", "b.png")
    save(tmp_path / "mine/LRbicx2", "b.png", "a.png", shape=(6, 5, 3))
    hr, lr = open_pair(tmp_path / "mine" / inner, tmp_path, tmp_path / "cache")
    assert hr.names == lr.names == ("a.png", "b.png")
    message = f"{tmp_path}/mine: its HR images are those of {tmp_path}/mine/HR\n"
    assert capsys.readouterr().err == ("" if inner else message)
    pairs, reasons = sources.split_usable_pairs(hr, lr, scale=2)
    assert len(pairs) == 2
    assert not reasons


def test_lr_images_below_hr_images_are_not_taken_for_hr(tmp_path, save):
    save(tmp_path / "mine", "a.png", "LRbicx3/a.png")
    hr = sources.open_hr(tmp_path / "mine", scale=2, root=tmp_path, cache=tmp_path / "cache")
    assert hr.names == ("a.png",)


def test_all_images_of_any_other_tree_are_taken(tmp_path, save):
    save(tmp_path / "mine", "a.png", "HR/deeper/b.png")
    hr = sources.open_hr(tmp_path / "mine", scale=2, root=tmp_path, cache=tmp_path / "cache")
    assert hr.names == ("HR/deeper/b.png", "a.png")


def test_research_pairs(research_images, cache):
    for scale in (2, 3, 4):
        hr = read(sources.open_hr("Set5", scale=scale, root=research_images, cache=cache))
        lr = read(sources.open_lr("Set5", scale=scale, root=research_images, cache=cache))
        pairs, reasons = sources.split_usable_pairs(hr, lr, scale=scale)
        assert len(pairs) == 5
        assert not reasons
        by_path = sources.open_lr(research_images / "Set5", scale=scale, root=research_images, cache=cache)
        for a, b in zip(lr, read(by_path), strict=True):
            np.testing.assert_array_equal(a.pixels, b.pixels)


def test_missing_lr_of_a_named_set(tmp_path, save):
    save(tmp_path / "Set5/HR", *(f"{name}.png" for name in SET5))
    pixels = save(tmp_path / "Set5/LR_bicubic/X2", *(f"{name}x2.png" for name in SET5 if name != "bird"))
    lr = sources.open_lr("Set5", scale=2, root=tmp_path, cache=tmp_path / "cache")
    baby, bird, *others = lr
    assert bird == Bad("bird.png", f"bird.png: {tmp_path}/Set5/LR_bicubic/X2 lacks its LR image at x2")
    for name, image in zip(pixels, (baby, *others), strict=True):
        assert isinstance(image, Image)
        np.testing.assert_array_equal(image.pixels, pixels[name])


def test_the_folder_of_pairs_itself(tmp_path, save):
    folder = tmp_path / "Set5/image_SRF_2"
    save(folder, *(f"img_001_SRF_2_{kind}.png" for kind in ("HR", "LR", "SRCNN")))
    hr, lr = open_pair(folder, tmp_path, tmp_path / "cache")
    assert hr.names == lr.names == ("img_001_SRF_2_HR.png",)


def test_some_images_of_a_folder_with_lr_beside(tmp_path, save):
    save(tmp_path / "mine/HR", "a.png", "b.png")
    hr = sources.open_hr(tmp_path / "mine/HR", scale=2, root=tmp_path, cache=tmp_path / "cache", exclude=("a.png",))
    assert hr.names == ("b.png",)


def test_messages_name_the_option_that_the_caller_knows(tmp_path):
    where = {"scale": 2, "root": tmp_path, "cache": tmp_path / "cache"}
    for opener in (sources.open_hr, sources.open_lr):
        with pytest.raises(InputError, match=r"^--sets: there is no folder nowhere$"), option("--sets"):
            opener("./nowhere", **where)
        with (
            pytest.raises(InputError, match=rf"^--sets: Set5 is not in the data root {tmp_path} \(data\.root, --data_root\); "),
            option("--sets"),
        ):
            opener("Set5", **where)


@pytest.mark.parametrize(
    ("text", "is_name"), [("Set5", True), ("set14", True), ("./Set5", False), ("~/x", False), ("Set6", True), ("", True)]
)
def test_names_and_folders(text, is_name):
    """Set6 is neither. The error that the set is unknown is of more help than one about a missing folder."""
    assert module.is_name(text) == is_name


# Bad images.


def test_a_bad_image_in_the_middle_stands_in_its_place(tmp_path, save):
    save(tmp_path / "mine", "a.png", "c.png", "e.png")
    whole = (tmp_path / "mine/a.png").read_bytes()
    (tmp_path / "mine/b.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "mine/d.png").symlink_to("nowhere")
    image_set = sources.open_folder([tmp_path / "mine"], cache=tmp_path / "cache")
    items = list(image_set)
    assert [item.name for item in items] == list(image_set.names) == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert [type(item) for item in items] == [Image, Bad, Image, Bad, Image]
    assert [item.reason.partition(" (")[0] for item in items if isinstance(item, Bad)] == [
        "b.png: damaged image",
        "d.png: cannot be read",
    ]


@pytest.mark.parametrize("kind", ["locked", "unsearchable"])
@pytest.mark.parametrize("opens", [sources.open_folder, sources.open_hr, sources.open_lr])
def test_a_folder_without_permission_is_named(tmp_path, save, monkeypatch, kind, opens):
    """Tests may run as root, who may read everything, so the answers of the system are imitated."""
    save(tmp_path / "mine", "a.png")
    real_stat, real_scandir, folder = Path.stat, os.scandir, tmp_path / "mine"

    def stat(path, **options):
        if folder in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_stat(path, **options)

    def scandir(path="."):
        if kind == "locked" and Path(path) == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_scandir(path)

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(os, "scandir", scandir)
    call = functools.partial(opens, folder, root=tmp_path, scale=2, cache=tmp_path / "cache")
    if opens is sources.open_folder:
        call = functools.partial(opens, [folder], cache=tmp_path / "cache")
        if kind == "unsearchable":
            assert [image.reason for image in call()] == ["a.png: cannot be read (Permission denied)"]
            return
    with pytest.raises(InputError, match=rf"{folder}\S* cannot be read \(Permission denied\)"):
        call()
