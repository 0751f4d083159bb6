import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from sr_jax.assembly import trained
from sr_jax.config import Config, DataConfig
from sr_jax.errors import InputError
from sr_jax.weights import files as weights
from sr_jax.weights.card import Converted, read_card
from tests.weights.conftest import peak_memory

KEPT = Path(__file__).parents[2] / "weights"


def edit_card(file, edit):
    path = file.with_suffix(".json")
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_what_is_written_is_read(file, card):
    assert read_card(file) == card._replace(sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def test_the_card_is_plain_json(file):
    content = json.loads(file.with_suffix(".json").read_text())
    assert (content["model"], content["scale"], content["step"], content["commit"]) == ("fsrcnn", 3, 7, "abc")


def test_the_card_names_no_folder_of_the_machine_that_trained(tmp_path, params, card):
    config = dataclasses.replace(card.config, data=DataConfig(root="/somewhere"))
    weights.write(tmp_path / "net.safetensors", params, card._replace(config=config))
    assert "somewhere" not in (tmp_path / "net.json").read_text()
    assert read_card(tmp_path / "net.safetensors").config == dataclasses.replace(config, data=DataConfig())


def test_the_card_of_converted_weights_claims_no_training(file, params, card):
    converted = card._replace(
        step=None, converted=Converted("a.pth", "12", "x/y"), config=Config(scale=3, model=card.config.model)
    )
    assert not trained.load(str(file), which="latest", parameters="ema").is_converted
    weights.write(file, params, converted)
    assert json.loads(file.with_suffix(".json").read_text())["config"].keys() == {"scale", "model"}
    assert read_card(file).config == converted.config
    assert trained.load(str(file), which="latest", parameters="ema").is_converted


def test_a_missing_card(file):
    file.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"its card, net\.json, is not beside it; .* python -m sr_jax\.convert"):
        read_card(file)


@pytest.mark.parametrize("key", ["config", "sha256"])
def test_a_card_without_a_key(file, key):
    edit_card(file, lambda content: content.pop(key))
    with pytest.raises(InputError, match=rf"net\.json is not the card of a weights file: it has no '{key}'"):
        read_card(file)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"net\.json is not JSON"),
        (b"[1]", r"net\.json holds a list"),
        (b"null", r"net\.json holds null"),
        (b"3", r"net\.json holds a number"),
        (b'"card"', r"net\.json holds a string"),
        (b"\xff\xfe", r"net\.json is not JSON"),
        (b"[" * 100_000, r"net\.json is not JSON"),
        (b'{"config": ' + 5000 * b'{"model": ' + b"3" + 5001 * b"}", r"net\.json is not"),
    ],
    ids=lambda value: str(value[:10]),
)
def test_what_is_not_a_card(file, data, message):
    file.with_suffix(".json").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_card(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("config", value) for value in (None, 3, [])),
        *(("model", value) for value in (None, 3, ["fsrcnn"])),
        *(("scale", value) for value in (None, "3", [3])),
        *(("step", value) for value in ("7", 7.5, {})),
        *(("commit", value) for value in (None, 3)),
        *(("sha256", value) for value in (3, ["12"])),
        *(("table", value) for value in (None, 3, {})),
        *(("converted", value) for value in (3, "a", ["a", "12", "x/y"], {"file": "a"}, {"file": 1, "sha256": 2, "layout": 3})),
    ],
)
def test_a_card_with_a_field_of_a_wrong_type(file, key, value):
    edit_card(file, lambda content: content.update({key: value}))
    with pytest.raises(InputError, match=rf"net\.json is not the card of a weights file: its {key} is .*"):
        read_card(file)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda config: config.update(model=3), "model"),
        (lambda config: config.update(model={"name": "fsrcnn", "d": "many"}), r"model\.d"),
        (lambda config: config.update(scale=None), "scale"),
        (lambda config: config.update(colour="red"), "colour"),
    ],
)
def test_a_card_with_a_wrong_config(file, edit, message):
    edit_card(file, lambda content: edit(content["config"]))
    with pytest.raises(InputError, match=rf"net\.json is not the card of a weights file: its config is wrong \(.*{message}"):
        read_card(file)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content.update(scale=2), "its scale is 2, but its config says 3"),
        (lambda content: content.update(model="edsr"), "its model is edsr, but its config says fsrcnn"),
        (lambda content: content["config"].update(scale=4), "its scale is 3, but its config says 4"),
    ],
)
def test_a_card_that_contradicts_itself(file, edit, message):
    edit_card(file, edit)
    with pytest.raises(InputError, match=rf"net\.json contradicts itself: {message}"):
        read_card(file)


def test_a_card_that_claims_too_large_a_network(file):
    """It claims tens of gigabytes. They must not be allocated before the file is seen to be smaller."""
    edit_card(file, lambda content: content["config"]["model"].update(d=16_384, s=16_384))
    before = peak_memory()
    with pytest.raises(InputError, match=r"deconvolution\.kernel is \(9, 9, 8, 1\), not \(9, 9, 16384, 1\)"):
        trained.load(str(file), which="latest", parameters="ema")
    assert peak_memory() - before < 2**30


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.safetensors")), ids=lambda path: path.name)
def test_the_cards_of_kept_weights(path):
    assert read_card(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
