"""The weights that come with the package."""

import re
import shutil

import pytest

from sr_jax.assembly import trained
from sr_jax.errors import InputError
from sr_jax.weights import zoo
from tests.conftest import ROOT


def test_names_and_files_are_one_to_one():
    files = zoo.files()
    assert {path.name for path in files.values()} == {path.name for path in (ROOT / "weights").glob("*.safetensors")}
    assert all(re.fullmatch(r"[a-z0-9-]+-x[2348]", name) for name in files)
    assert all((ROOT / "weights" / path.with_suffix(".json").name).is_file() for path in files.values())


def test_weights_that_are_not_those_of_the_card_are_refused_with_both_hashes(tmp_path, monkeypatch):
    for path in (zoo.FOLDER / "fsrcnn_x2.safetensors", zoo.FOLDER / "fsrcnn_x2.json"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    assert trained.load("fsrcnn-x2", which="latest", parameters="ema").card
    data = bytearray((tmp_path / "fsrcnn_x2.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "fsrcnn_x2.safetensors").write_bytes(data)
    with pytest.raises(InputError, match=r"it has sha256 [0-9a-f]{64}, not 1441fe620a0fe25c[0-9a-f]{48};"):
        trained.load("fsrcnn-x2", which="latest", parameters="ema")


def test_the_package_carries_them():
    """Every file of the zoo is package data, so that wheels have it."""
    import fnmatch
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["sr_jax.zoo"]
    for path in zoo.FOLDER.iterdir():
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns), path
