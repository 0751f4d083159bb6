import os
import re
from pathlib import Path

import pytest

from sr_jax.data.sources import folders
from sr_jax.errors import InputError


def listed(*places):
    return list(folders.list_folders(places))


def test_one_folder_has_plain_names(tmp_path, save):
    save(tmp_path / "a", "2.png", "1.png", "sub/3.BMP")
    assert listed(tmp_path / "a") == ["1.png", "2.png", "sub/3.BMP"]


def test_several_folders_are_told_apart_by_their_names(tmp_path, save):
    save(tmp_path / "b", "1.png")
    save(tmp_path / "a", "1.png", "2.png")
    assert listed(tmp_path / "b", str(tmp_path / "a")) == ["b/1.png", "a/1.png", "a/2.png"]


def test_two_files_of_one_name_are_named(tmp_path, save):
    save(tmp_path / "x/images", "1.png")
    save(tmp_path / "y/images", "1.png", "2.png")
    both = f"{tmp_path}/x/images/1.png and {tmp_path}/y/images/1.png would both be called images/1.png"
    with pytest.raises(InputError, match=re.escape(both)):
        listed(tmp_path / "x/images", tmp_path / "y/images")


FILES = {name: Path(name) for name in ("a.png", "b.jpg", "holiday/c.png", "holiday/sub/d.png", "x[1].png")}


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ((), (), "a.png b.jpg holiday/c.png holiday/sub/d.png x[1].png"),
        (("*.png",), (), "a.png holiday/c.png holiday/sub/d.png x[1].png"),
        (("holiday/*",), (), "holiday/c.png holiday/sub/d.png"),
        ((), ("holiday/*", "?.jpg"), "a.png x[1].png"),
        (("holiday/*", "a*"), ("*/sub/*",), "a.png holiday/c.png"),
        (("x[[]1].png",), (), "x[1].png"),
    ],
)
def test_include_and_exclude(include, exclude, kept):
    assert " ".join(folders.select(FILES, include=include, exclude=exclude)) == kept


@pytest.mark.parametrize("kind", ["include", "exclude"])
def test_a_pattern_that_matches_nothing_is_named(kind):
    patterns = {"include": (), "exclude": ()} | {kind: ("*.png", "*.PNG")}
    with pytest.raises(InputError, match=rf"the {kind} pattern \*\.PNG matches none of the 5 names, such as a\.png"):
        folders.select(FILES, **patterns)


def test_patterns_that_leave_nothing_are_named():
    with pytest.raises(InputError, match=r"include=a\* and exclude=\*\.png leave no image"):
        folders.select(FILES, include=("a*",), exclude=("*.png",))


def test_one_image_twice_in_a_published_set():
    with pytest.raises(InputError, match=r"HR/a\.bmp and HR/a\.png are both image a of one set"):
        folders.refuse_doubles({"a.bmp": Path("HR/a.bmp"), "a.png": Path("HR/a.png"), "b.png": Path("HR/b.png")})


def test_what_is_not_a_file_is_not_opened(tmp_path):
    """Opening a pipe would block until somebody writes into it."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        assert folders.unreadable(name, tmp_path / name) == f"{name}: is not a regular file"
