"""Models of the hub, which a server on this machine stands in for."""

import sys

import jax
import numpy as np
import pytest

import sr_jax
from sr_jax.assembly import trained
from sr_jax.errors import InputError
from sr_jax.weights import hub, zoo
from tests.hub import COMMIT, serving


@pytest.fixture(scope="module")
def files():
    weights = zoo.files()["fsrcnn-x2"]
    return weights.read_bytes(), weights.with_suffix(".json").read_bytes()


@pytest.fixture
def served(files, tmp_path, monkeypatch):
    weights, card = files
    repositories = {
        "user/net": {"model.safetensors": weights, "config.json": card},
        "user/other": {"model.safetensors": weights, "model.json": card, "config.json": b"{}"},
        "user/several": {"x2/net.safetensors": weights, "x2/net.json": card},
        "user/bare": {"model.safetensors": weights},
        "user/changed": {"model.safetensors": weights[:-1] + b"\0", "config.json": card},
        "user/gated": {},
    }
    with serving(repositories, tmp_path / "cache", monkeypatch):
        yield


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("hf://user/net", f"hf://user/net@{COMMIT}"),
        ("hf://user/net@v1", f"hf://user/net@{COMMIT}"),
        (f"hf://user/other@{COMMIT}", f"hf://user/other@{COMMIT}"),
        ("hf://user/several/x2/net.safetensors", f"hf://user/several@{COMMIT}/x2/net.safetensors"),
        ("hf://user/several@v1/x2/net.safetensors", f"hf://user/several@{COMMIT}/x2/net.safetensors"),
    ],
)
def test_a_repository_is_loaded(place, name):
    loaded = trained.load(place, which="latest", parameters="ema")
    assert loaded.origin.startswith(f"{name}, step 240000")
    assert loaded.commit == name  # the note in a result names it
    again = trained.load(name, which="latest", parameters="ema")
    assert again.origin == loaded.origin


def test_what_was_downloaded_needs_no_network(files, tmp_path, monkeypatch):
    weights, card = files
    with serving({"user/net": {"model.safetensors": weights, "config.json": card}}, tmp_path, monkeypatch):
        model = sr_jax.load("hf://user/net")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    jax.tree.map(np.testing.assert_array_equal, sr_jax.load("hf://user/net").params, model.params)
    with pytest.raises(InputError, match=r"hf://user/unseen: the hub cannot be reached, and the file is not in the cache"):
        sr_jax.load("hf://user/unseen")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("hf://user/nothing", "hf://user/nothing: there is no such repository, or it is private"),
        ("hf://user/gated", "hf://user/gated: its authors must grant access"),
        ("hf://user/net@v2", "hf://user/net@v2: the repository has no revision v2"),
        ("hf://user/net/x.safetensors", "the repository has no file x.safetensors"),
        ("hf://user/bare", "it has no card; model.json or config.json must be beside model.safetensors"),
        ("hf://user/changed", "it has sha256 .*, not 1441fe62"),
        ("hf://user", "write hf://USER/REPOSITORY, "),
        ("hf://user/net/weights.pth", r"name a file that ends with \.safetensors, or leave out /weights\.pth"),
        ("hf://user/ne t", "cannot be downloaded"),
    ],
)
def test_what_cannot_be_loaded(place, message):
    with pytest.raises(InputError, match=message) as raised:
        trained.load(place, which="latest", parameters="ema")
    assert "\n" not in str(raised.value)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"huggingface_hub is not installed; install it with pip install -e '\.\[hub\]'"):
        hub.download("hf://user/net")
