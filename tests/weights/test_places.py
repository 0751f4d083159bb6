"""What a user may give as a model."""

import shutil

import pytest

from sr_jax.errors import InputError
from sr_jax.weights import places, zoo


def test_a_name_of_the_zoo():
    found = places.find("fsrcnn-x2")
    assert found == (zoo.FOLDER / "fsrcnn_x2.safetensors", "fsrcnn-x2")
    assert places.path_of("fsrcnn-x2") == found.path


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_path_counts_before_a_name_and_this_is_said(is_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fsrcnn-x2"
    path.mkdir() if is_folder else path.touch()
    assert (tmp_path / places.find("fsrcnn-x2").path).samefile(path)
    assert (tmp_path / places.path_of("fsrcnn-x2")).samefile(path)
    line = f"note: fsrcnn-x2 is taken to be {path}; the network of the zoo is {zoo.FOLDER / 'fsrcnn_x2.safetensors'}\n"
    assert capsys.readouterr().err == 2 * line


def test_a_folder_in_the_layout_of_the_hub(tmp_path):
    for place in (places.find, places.path_of):
        assert getattr(place(str(tmp_path)), "path", tmp_path) == tmp_path
    shutil.copy(zoo.files()["fsrcnn-x2"], tmp_path / "model.safetensors")
    assert places.find(str(tmp_path)).path == places.path_of(str(tmp_path)) == tmp_path / "model.safetensors"
    (tmp_path / "checkpoints").mkdir()  # a work directory in which someone has saved weights
    assert places.find(str(tmp_path)).path == places.path_of(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        ("fsrcnn-x22", "; did you mean 'fsrcnn-x2'? The zoo has fsrcnn-x2"),
        ("fsrcnn_x2", "; did you mean 'fsrcnn-x2'? The zoo has fsrcnn-x2"),
        ("bicubik", "; did you mean 'bicubic'? The zoo has fsrcnn-x2"),
        ("qqq", "; the zoo has fsrcnn-x2"),
        ("bicubic", "; bicubic interpolation has no weights"),
        ("runs/fsrcnn-x2", ""),
    ],
)
def test_what_is_not_there_is_answered_with_what_exists(model, advice, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        places.find(model, others=["bicubic"])
    start = f"{model}: no such work directory or weights file{advice}"
    assert str(raised.value).startswith(start)
    assert str(raised.value) == start or advice.endswith("fsrcnn-x2")
    assert str(places.path_of(model)) == model


def test_a_package_without_its_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
    with pytest.raises(InputError, match=r"fsrcnn-x2: no such .*; the zoo is missing, because .*zoo holds no weights; install"):
        places.find("fsrcnn-x2")
