from pathlib import Path, PurePath

import pytest

from sr_jax.errors import InputError
from sr_jax.pictures.names import Source, find, model_label, result_suffix, settle


@pytest.fixture
def folder(tmp_path):
    for name in (
        "in/a.png",
        "in/b.JPG",
        "in/sub/deep/c.tif",
        "in/notes.txt",
        "in/.hidden.png",
        "in/.dir/d.png",
        "in/out/e.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_folders_keep_their_subfolders_and_name_what_is_left_out(folder):
    found = find([str(folder / "in")], leave_out=folder / "in/out")
    assert [str(source.name) for source in found.sources] == ["a.png", "b.JPG", "sub/deep/c.tif"]
    assert [path.name for path in found.others] == ["notes.txt"]


def test_each_picture_comes_once(folder):
    words = [str(folder / "in/a.png"), str(folder / "in"), str(folder / "in/sub/../a.png"), "-", "-"]
    found = find(words, leave_out=None)
    assert [str(source.name) for source in found.sources] == ["a.png", "b.JPG", "out/e.png", "sub/deep/c.tif", "stdin"]


def test_several_folders_keep_their_names(folder):
    found = find([str(folder / "in/sub"), str(folder / "in/out")], leave_out=None)
    assert [str(source.name) for source in found.sources] == ["sub/deep/c.tif", "out/e.png"]


@pytest.mark.parametrize(
    ("word", "message"), [("nothing", "there is no such file or folder"), ("empty", "there are no pictures in this folder")]
)
def test_an_input_that_is_missing_is_named(word, message, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{word}: {message}"):
        find([str(tmp_path / word)], leave_out=None)


@pytest.mark.parametrize(
    ("place", "label"),
    [
        ("weights/fsrcnn_x2.safetensors", "fsrcnn"),
        ("fsrcnn-x2", "fsrcnn"),
        ("hf://user/fsrcnn-x2@main", "fsrcnn"),
        ("hf://user/nets@main/vdsr_x2.safetensors", "vdsr"),
        ("runs/x2", "net"),
        ("runs/my run-x2/", "my_run"),
        ("gs://bucket/run_x3", "run_x3"),
    ],
)
def test_a_model_is_called_by_its_place_without_the_scale(place, label):
    assert model_label(place, network="net", scale=2) == label


def sources(*paths):
    return [Source(Path("/in") / path, PurePath(path)) for path in paths]


def settled(*paths, suffix=".png"):
    return [str(name) for name in settle(sources(*paths), ["_net_x2"] * len(paths), [suffix] * len(paths))]


def test_names_of_results():
    assert settled("a.png", "sub/a.png", "b.c.jpg") == ["a_net_x2.png", "sub/a_net_x2.png", "b.c_net_x2.png"]
    assert settled("a.png", "a.jpg", "b.jpg") == ["a_png_net_x2.png", "a_jpg_net_x2.png", "b_net_x2.png"]
    assert settled("é.png", "e\u0301.jpg") == ["é_png_net_x2.png", "e\u0301_jpg_net_x2.png"]
    (jpeg, upper, other) = sources("a.jpeg", "a.JPG", "a.png")
    assert [result_suffix(one, "jpeg") for one in (jpeg, upper, other)] == [".jpeg", ".jpg", ".jpg"]


def test_results_that_would_have_one_name_are_refused():
    with pytest.raises(
        InputError, match=r"(?s)under one name; give the folder that holds them.*a_png_net_x2.png: /in/a.png, /in/A.png"
    ):
        settled("a.png", "A.png")
