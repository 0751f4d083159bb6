"""`--check` makes a result again, and says what differs."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import sr_jax
from sr_jax import upscale
from sr_jax.assembly import trained
from sr_jax.config import Config
from sr_jax.pictures import metadata, read, write
from sr_jax.system.files import sha256_of
from sr_jax.weights import zoo
from sr_jax.weights.card import Card
from tests.pictures import corpus

RGB = corpus.of_type(corpus.smooth(3), "uint8")


@pytest.fixture
def check(model, cache, capsys):
    def run(result, source, *words, by=model):
        model_words = ["--model", str(by)] if by else []
        status = upscale.main(["--check", *map(str, (result, source, *words)), *model_words, "--cache_dir", str(cache)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def made(tmp_path, enlarge):
    """Makes a result with options, and returns it and its input."""

    def make(*words, kind="PNG", **options):
        source = tmp_path / f"a.{kind.lower()}"
        source.write_bytes(corpus.pillow(RGB, kind, **options))
        status, _, err = enlarge(source, *words)
        assert status == 0, err
        (result,) = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
        return result, source

    return make


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--outscale", "3.5", "--bits", "16", "--format", "tiff", "--self_ensemble"),
        ("--format", "jpeg", "--quality", "50"),
        ("--format", "bmp"),
        ("--strip_metadata", "--width", "55"),
    ],
)
def test_the_same_pixels_are_made_again(words, made, check):
    """The options come from the note. BMP, and results without metadata, have their record."""
    result, source = made(*words)
    before = result.read_bytes()
    status, out, err = check(result, source)
    assert (status, err) == (0, "")
    assert out == f"{result}: the same pixels are made again of {source}\n"
    assert result.read_bytes() == before
    assert json.loads(check(result, source, "--json")[1]) == {
        "input": str(source), "result": str(result), "status": "same", "differs": {}, "greatest": 0, "share": 0,
    }  # fmt: skip


def test_changed_pixels_are_measured(tmp_path, made, check):
    result, source = made()
    picture = read.decode(result, "result")
    changed = picture.pixels.copy()
    changed[0, :9] = np.where(changed[0, :9] >= 7, changed[0, :9] - 7, changed[0, :9] + 7)
    other = tmp_path / "other.png"
    other.write_bytes(write.encode(picture._replace(pixels=changed), "png", quality=None))
    status, out, _ = check(other, source)
    assert status == 1
    assert out == f"{other}: other pixels: the greatest difference is 7 levels of 255, and 0.156% of the pixels differ\n"
    values = json.loads(check(other, source, "--json")[1])
    assert (values["status"], values["greatest"], values["share"]) == ("different", 7, 9 / (72 * 80))
    smaller = tmp_path / "smaller.png"
    smaller.write_bytes(write.encode(picture._replace(pixels=changed[:-1]), "png", quality=None))
    assert "other size: it has 80x71 pixels, 3 channels, uint8; made again, it has 80x72" in check(smaller, source)[1]


def test_an_animation_is_made_again(tmp_path, made, check):
    result, source = made(kind="WEBP", save_all=True, append_images=[Image.fromarray(255 - RGB)], lossless=True)
    assert check(result, source)[0] == 0
    first = tmp_path / "first.webp"
    first.write_bytes(result.read_bytes())
    source.write_bytes(corpus.pillow(RGB, "WEBP", lossless=True))
    status, out, _ = check(first, source)
    assert status == 1
    assert "other size: it has 2 frames or pages; made again, it has 1" in out


@pytest.mark.parametrize(("name", "options"), [("b.png", {}), ("b.jpg", {"quality": 60})])
@pytest.mark.usefixtures("bicubic_network")
def test_what_python_saves_is_made_again_by_the_command(name, options, tmp_path, check):
    source, result = tmp_path / "a.png", tmp_path / name
    source.write_bytes(corpus.pillow(RGB, "PNG"))
    sr_jax.load("any")(str(source)).save(result, **options)
    status, out, err = check(result, source)
    assert (status, err) == (0, "")
    assert out == f"{result}: the same pixels are made again of {source}\n"


def with_card(monkeypatch, sha256):
    """Whatever is loaded has a card with this hash."""
    load = trained.load
    card = Card(Config(scale=2), None, "unknown", [], sha256=sha256)
    monkeypatch.setattr(trained, "load", lambda *words, **options: load(*words, **options)._replace(card=card))


def test_another_input_and_another_model_are_named(tmp_path, made, check, monkeypatch):
    result, source = made()
    other = tmp_path / "other.png"
    other.write_bytes(corpus.pillow(255 - RGB, "PNG"))
    status, out, _ = check(result, other)
    assert status == 1
    assert re.search(r"other input: it was made of a file with sha256 \w{12}, and .*other.png has \w{12}\n", out)
    assert "other pixels: the greatest difference is " in out
    with monkeypatch.context() as patch:
        with_card(patch, "f" * 64)
        status, out, _ = check(result, source, by="new_x2.safetensors")
    assert status == 1
    assert re.search(r"other model: it was made by bicubic-net_x2.safetensors with sha256 \w{12}, and new_x2.safe", out)
    assert "the same pixels are made again" in out
    monkeypatch.setattr("sr_jax.__version__", "99.0")
    status, out, _ = check(result, source)
    assert status == 0, "another version that makes the same pixels is only named"
    assert re.search(r"other version: it was made by sr_jax \S+, and this is sr_jax 99.0\n", out)


def test_the_model_is_found_by_its_hash(made, check, model, monkeypatch):
    with_card(monkeypatch, sha256_of(model))
    result, source = made()
    status, _, err = check(result, source, by=None)
    assert status == 2
    assert re.search(r"it was made by bicubic-net_x2.safetensors \(sha256 \w{12}\); give this model with --model", err)
    with monkeypatch.context() as patch:
        patch.chdir(model.parent)
        assert check(result, source, by=None)[0] == 0
    monkeypatch.setattr(zoo, "files", lambda: {"other": source, "bicubic-net-x2": model})
    assert check(result, source, by=None)[0] == 0


def stamped(path, note):
    picture = read.decode(path, "result")
    about = metadata.of_result(picture.metadata, size=(72, 80), made_by=note, strip=False)
    path.write_bytes(write.encode(picture._replace(metadata=about), "png", quality=None))


GOOD = {"software": "s", "model": "m", "model_sha256": "0", "input_sha256": "0", "options": {}}


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ({}, "its note of what made it is not complete"),
        ({**GOOD, "options": []}, "its note of what made it is damaged"),
        ({**GOOD, "model": 3}, "its note of what made it is damaged"),
        ({**GOOD, "options": {"colour": "red"}}, "its note has colour='red', which this version does not know"),
        ({**GOOD, "options": {"width": "wide"}}, "its note has width='wide'"),
        ({**GOOD, "options": {"width": True}}, "its note has width=True"),
        ({**GOOD, "options": {"to_srgb": 1}}, "its note has to_srgb=1"),
        ({**GOOD, "options": {"format": "psd"}}, "its note has format='psd'"),
        ({**GOOD, "options": {"bits": 12}}, "its note has bits=12"),
        ({**GOOD, "options": {"quality": 1000}}, "--quality 1000: give a number from 1 to 100"),
        ({**GOOD, "options": {"kernel": "0" * 64}}, "it was made with a kernel file (sha256 000000000000); give it"),
    ],
)
def test_strange_notes_are_refused(note, message, made, check):
    result, source = made()
    stamped(result, note)
    status, _, err = check(result, source)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err


def test_what_cannot_be_checked_is_refused(tmp_path, made, check, capsys):
    result, source = made("--strip_metadata")
    moved = tmp_path / "moved.png"
    moved.write_bytes(result.read_bytes())
    assert "neither the file nor a record beside it says what made it; results that were made with" in check(moved, source)[2]
    moved.write_bytes(b"")
    for words, message in (
        ((moved, source), "neither the file nor a record"),
        ((tmp_path / "clip.mp4", source), "clip.mp4: only pictures are made again, not videos"),
        ((tmp_path / "nowhere.png", source), "nowhere.png: cannot be read (No such file or directory)"),
        ((result, tmp_path / "nowhere.png"), "there is no such file or folder"),
        ((result, tmp_path), "give the result and its one input"),
        ((result, source, source), "give the result and its one input"),
        ((result, source, "--quality", "20"), "--quality: --check takes this option from the note"),
        ((result, source, "--out", "x"), "--out: cannot be used with --check"),
        ((result, source, "--overwrite"), "--overwrite: cannot be used with --check"),
    ):
        status, _, err = check(*words)
        assert (status, err.count("\n")) == (2, 1)
        assert message in err
    source.write_bytes(b"broken")
    status, _, err = check(result, source)
    assert status == 2
    assert "is not a picture of a known kind" in err
    assert upscale.main([str(source), "--out", "x"]) == 2
    assert "--model: give a trained network" in capsys.readouterr().err
    assert upscale.main([str(source), "--model", "x"]) == 2
    assert "--out: give a folder" in capsys.readouterr().err
