"""From config to sets of images; models, steps and pipelines are built by whole runs in test_train."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sr_jax import build
from sr_jax.config import Config, DataConfig, EvalConfig
from sr_jax.errors import InputError


@pytest.fixture
def folders(tmp_path, rng) -> Path:
    """A folder to train on and one to evaluate on, which share the pixels of one image under other names and formats."""
    for path in ("train/1.png", "train/2.png", "held/a.png", "held/b.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)).save(tmp_path / path)
    Image.open(tmp_path / "held/b.png").save(tmp_path / "train/same.bmp")
    return tmp_path


def make_config(folders, **data) -> Config:
    data = {"name": "folder", "dir": str(folders / "train")} | data
    return Config(data=DataConfig(**data), eval=EvalConfig(sets=(str(folders / "held"),)))


def test_training_on_an_evaluation_image_is_refused(folders, cache):
    leak = r"(?s)1 training image\(s\) are evaluation images .*same\.bmp has the pixels of b\.png in held"
    with pytest.raises(InputError, match=leak):
        build.load_training_images(make_config(folders), cache)


def test_unless_it_is_left_out(folders, cache):
    images = build.load_training_images(make_config(folders, exclude=("same.bmp",)), cache)
    assert [image.name for image in images] == ["1.png", "2.png"]


def test_or_an_explicit_word_allows_it(folders, cache, capsys):
    assert len(build.load_training_images(make_config(folders, leaks="allow"), cache)) == 3
    assert "data.leaks=allow: training on 1 evaluation image(s):\n  same.bmp" in capsys.readouterr().err


def test_woman_is_refused_even_if_set5_is_not_evaluated(folders, cache, rng):
    smooth = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(smooth).resize((481, 321)).save(folders / "train/302003.jpg")
    with pytest.raises(InputError, match=r"302003\.jpg is, by its name and size, the photograph of woman in Set5"):
        build.load_training_images(make_config(folders, exclude=("same.bmp",)), cache)


def test_the_default_trains_on_what_is_not_held_out(cache):
    training = build.open_training_set(Config(), cache)
    (held,) = build.open_evaluation_sets(Config(), cache).values()
    assert (len(training), len(held)) == (8, 3)


def test_several_folders(folders, cache):
    config = make_config(folders, dir=(str(folders / "train"), str(folders / "held")), leaks="allow")
    names = [image.name for image in build.load_training_images(config, cache)]
    assert names == ["train/1.png", "train/2.png", "train/same.bmp", "held/a.png", "held/b.png"]


def test_named_sets_lie_below_the_root(folders, cache, monkeypatch, tmp_path):
    (folders / "sets").mkdir()
    shutil.copytree(folders / "train", folders / "sets/T91")
    monkeypatch.delenv("SR_JAX_DATA", raising=False)
    config = Config(data=DataConfig(name="91", root=str(folders / "sets")))
    assert build.open_training_set(config, cache).names == ("1.png", "2.png", "same.bmp")
    default = Config(data=DataConfig(name="91"))
    with pytest.raises(InputError, match=rf"T91 is not below {tmp_path}/cache/datasets"):
        build.open_training_set(default, tmp_path / "cache")
    monkeypatch.setenv("SR_JAX_DATA", str(folders / "sets"))
    assert len(build.open_training_set(default, tmp_path / "cache")) == 3


def test_named_evaluation_sets(research_images, cache):
    config = Config(data=DataConfig(root=str(research_images)), eval=EvalConfig(sets=("set5", "photographs", "Set14")))
    sets = build.load_evaluation_sets(config, cache)
    assert {title: len(images) for title, images in sets.items()} == {"Set5": 5, "photographs": 3, "Set14": 14}


def test_an_unknown_evaluation_set(cache):
    with pytest.raises(InputError, match="unknown set 'Set6'; did you mean Set5"):
        build.load_evaluation_sets(Config(eval=EvalConfig(sets=("Set6",))), cache)


def test_the_papers_training_sets_have_no_leaks(research_images, cache):
    """With Set5 and Set14 to evaluate on."""
    for name in ("91", "291", "91+General-100"):
        config = Config(data=DataConfig(name=name, root=str(research_images)), eval=EvalConfig(sets=("Set5", "Set14")))
        build.open_training_set(config, cache)
