"""Models as the Hugging Face Hub has them, from a folder. `weights/test_hub.py` downloads."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest
from huggingface_hub import HfApi, ModelCard

import sr_jax
from sr_jax.hub import HubModel
from sr_jax.weights import zoo
from tests.conftest import ROOT
from tests.hub import COMMIT, serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("hub") / "fsrcnn"
    HubModel.load("fsrcnn-x2").save_pretrained(place)
    return place


def test_what_is_saved(folder):
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    assert (folder / "model.safetensors").read_bytes() == zoo.files()["fsrcnn-x2"].read_bytes()
    assert json.loads((folder / "config.json").read_text())["model"] == "fsrcnn"


def test_the_page_has_a_header_that_the_hub_reads(folder):
    data = ModelCard.load(folder / "README.md").data
    assert (data.library_name, data.license, data.pipeline_tag) == ("sr_jax", "apache-2.0", "image-to-image")
    assert {"super-resolution", "jax", "fsrcnn"} <= set(data.tags)
    results = {(result.dataset_name, result.metric_type): result.metric_value for result in data.eval_results}
    assert round(results["Set5 x2", "psnr"], 2) == 37.09  # docs/results.md
    assert round(results["Set14 x2", "ssim"], 4) == 0.9088


def test_a_folder_is_loaded(folder):
    expected = sr_jax.load("fsrcnn-x2")
    for model in (HubModel.from_pretrained(folder), sr_jax.load(folder)):
        jax.tree.map(np.testing.assert_array_equal, model.params, expected.params)
        assert model.card == expected.card
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    np.testing.assert_array_equal(HubModel.from_pretrained(folder)(pixels), expected(pixels))


def test_a_repository_is_downloaded(folder, tmp_path, monkeypatch):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with serving({"user/net": files}, tmp_path, monkeypatch):
        model = HubModel.from_pretrained("user/net", revision="v1")
    assert f"hf://user/net@{COMMIT}" in repr(model)
    assert model.card == sr_jax.load("fsrcnn-x2").card


def test_what_is_pushed(folder, monkeypatch):
    """The library uploads the folder that `save_pretrained` writes."""
    pushed = {}

    def upload(_, *, folder_path, repo_id, **__):
        pushed[repo_id] = {path.name: path.read_bytes() for path in folder_path.iterdir()}

    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **_: type("Url", (), {"repo_id": repo_id}))
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    HubModel.load("fsrcnn-x2").push_to_hub("user/net")
    assert pushed == {"user/net": {path.name: path.read_bytes() for path in folder.iterdir()}}


def test_without_the_library():
    code = """
import sys
sys.modules["huggingface_hub"] = None
try:
    import sr_jax.hub
except ImportError as error:
    assert str(error) == "sr_jax.hub needs huggingface_hub; install it with pip install -e '.[hub]'", error
else:
    sys.exit("it was imported")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
