import dataclasses
import hashlib
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sr_jax.build import network as build
from sr_jax.build import trained
from sr_jax.config import Config, DataConfig, FSRCNNConfig
from sr_jax.errors import InputError
from sr_jax.weights import files as weights

CONFIG = Config(scale=3, model=FSRCNNConfig(d=8, s=4, m=2))
CARD = weights.Card(CONFIG, 7, "abc", [{"set": "Set5", "psnr_y": 30.0}])
KEPT = Path(__file__).parents[2] / "weights"


@pytest.fixture(scope="module")
def params():
    return build.build_network(CONFIG).params


@pytest.fixture
def file(tmp_path, params):
    weights.write(tmp_path / "net.safetensors", params, CARD)
    return tmp_path / "net.safetensors"


def test_what_is_written_is_read(file, params):
    like = jax.tree.map(np.zeros_like, params)
    back = weights.read(file, like=like, card=CARD)
    assert jax.tree.structure(back) == jax.tree.structure(params)
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert weights.read_card(file) == CARD._replace(sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def test_others_can_read_it(file):
    """Names are attributes with dots, as in the papers' code; the card is plain JSON."""
    tensors = load_file(file)
    assert tensors["feature_extraction.kernel"].shape == (5, 5, 1, 8)
    assert "mapping.1.kernel" in tensors
    card = json.loads(file.with_suffix(".json").read_text())
    assert (card["model"], card["scale"], card["step"], card["commit"]) == ("fsrcnn", 3, 7, "abc")


def test_the_card_names_no_folder_of_the_machine_that_trained(tmp_path, params):
    config = dataclasses.replace(CONFIG, data=DataConfig(root="/somewhere"))
    weights.write(tmp_path / "net.safetensors", params, CARD._replace(config=config))
    assert "somewhere" not in (tmp_path / "net.json").read_text()
    assert weights.read_card(tmp_path / "net.safetensors").config == dataclasses.replace(config, data=DataConfig())


def change(file, edit):
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop("shrinking.bias"), r"shrinking\.bias is missing"),
        (lambda t: t.update(extra=np.ones(2, np.float32)), r"extra is not of this network"),
        (
            lambda t: t.update({"shrinking.bias": np.ones(5, np.float32)}),
            r"shrinking\.bias is \(5,\), not \(4,\)",
        ),
        (
            lambda t: t.update({"shrinking.bias": np.ones(4, np.int32)}),
            r"shrinking\.bias is int32, not floating point",
        ),
        (
            lambda t: t.update({"shrinking.bias": np.full(4, np.nan, np.float32)}),
            r"shrinking\.bias holds values that are not finite",
        ),
        (
            lambda t: t.update({"shrinking.bias": np.array([0, 1, -1e300, 2])}),
            r"shrinking\.bias holds values beyond float32, up to 1e\+300",
        ),
    ],
)
def test_weights_that_do_not_fit(file, params, edit, message):
    change(file, edit)
    with pytest.raises(InputError, match=message):
        weights.read(file, like=params, card=CARD)


def test_the_card_of_other_weights(file, params):
    """The shapes of FSRCNN's weights are the same at every scale."""
    other = CARD._replace(config=Config(scale=2, model=CONFIG.model))
    with pytest.raises(InputError, match=r"has another card than net\.json: it is of scale 3, not 2"):
        weights.read(file, like=params, card=other)


def test_half_precision_is_read_as_single(file, params):
    change(file, lambda t: t.update({name: value.astype(np.float16) for name, value in t.items()}))
    assert {leaf.dtype for leaf in jax.tree.leaves(weights.read(file, like=params, card=CARD))} == {np.dtype(np.float32)}


def test_a_card_of_before_conversions(file):
    card = file.with_suffix(".json")
    plain = json.loads(card.read_text())
    del plain["converted"], plain["sha256"]
    card.write_text(json.dumps(plain))
    assert weights.read_card(file) == CARD


def test_the_card_of_other_converted_weights(tmp_path, params):
    """Nothing but where they are from tells them apart."""
    cards = [CARD._replace(step=None, converted=weights.Converted("a.pth", sha256, "x/y")) for sha256 in ("12", "34")]
    weights.write(tmp_path / "a.safetensors", params, cards[0])
    assert weights.read_card(tmp_path / "a.safetensors")._replace(sha256=None) == cards[0]
    weights.read(tmp_path / "a.safetensors", like=params, card=cards[0])
    with pytest.raises(InputError, match=r"has another card than a\.json: it is of converted from 12, not 34"):
        weights.read(tmp_path / "a.safetensors", like=params, card=cards[1])


def test_weights_of_another_network(file, params):
    """All the names are others: it is said what to do with those of another implementation."""
    change(file, lambda t: [t.update({f"theirs.{name}": t.pop(name)}) for name in list(t)])
    with pytest.raises(InputError, match=r"deconvolution\.bias is missing.* more.*python -m sr_jax\.convert"):
        weights.read(file, like=params, card=CARD)


def test_weights_of_another_width(file):
    card = CARD._replace(config=Config(scale=3, model=FSRCNNConfig(d=8, s=5, m=2)))
    like = build.build_network(card.config).params
    with pytest.raises(InputError, match=r"mapping\.0\.bias is \(4,\), not \(5,\)"):
        weights.read(file, like=like, card=card)


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_what_is_no_weights_file(file, params, content):
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"net\.safetensors cannot be read as safetensors \(.+\)"):
        weights.read(file, like=params, card=CARD)


def test_a_truncated_file(file, params):
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"net\.safetensors cannot be read as safetensors"):
        weights.read(file, like=params, card=CARD)


def test_a_missing_or_broken_card(file):
    card = file.with_suffix(".json")
    card.write_text('{"step": 3}')
    with pytest.raises(InputError, match=r"net\.json is not the card .*'config'"):
        weights.read_card(file)
    card.unlink()
    with pytest.raises(InputError, match=r"its card, net\.json, .* is not beside it; .* python -m sr_jax\.convert"):
        weights.read_card(file)


def test_the_same_weights_are_the_same_bytes(file, params, tmp_path):
    for _ in range(8):
        weights.write(tmp_path / "again.safetensors", params, CARD)
        assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_an_older_file_says_of_its_card_in_parts(file, params):
    save_file(load_file(file), file, metadata={"model": "fsrcnn", "scale": "3", "step": "7"})
    weights.read(file, like=params, card=CARD)
    with pytest.raises(InputError, match="it is of step 7, not 8"):
        weights.read(file, like=params, card=CARD._replace(step=8))


def test_the_card_of_another_run(tmp_path, params):
    """Of the same network, scale and steps: nothing but the bytes tells the files apart."""
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    weights.write(a, params, CARD)
    weights.write(b, jax.tree.map(lambda values: values + 1, params), CARD)
    weights.read(a, like=params, card=weights.read_card(a))
    with pytest.raises(InputError, match=r"a\.safetensors has another card than a\.json: its sha256 is \w{64}, not \w{64}"):
        weights.read(a, like=params, card=weights.read_card(b))


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.safetensors")), ids=lambda path: path.name)
def test_the_cards_of_kept_weights(path):
    assert weights.read_card(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("noted", ["hello", "[1]", "3", "null", "[" * 100_000])
def test_what_a_file_says_of_its_card_is_no_json_object(file, params, noted):
    save_file(load_file(file), file, metadata={"sr_jax": noted})
    with pytest.raises(InputError, match=r"net\.safetensors: what its metadata say of its card, .* is no JSON object"):
        weights.read(file, like=params, card=CARD)


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_types_that_numpy_lacks(file, params, kind):
    header = json.dumps({"a": {"dtype": kind, "shape": [4], "data_offsets": [0, 4]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(InputError, match=rf"net\.safetensors: a is of the type {kind}, which NumPy lacks; save it as F32"):
        weights.read(file, like=params, card=CARD)


def edit_card(file, edit):
    card = file.with_suffix(".json")
    plain = json.loads(card.read_text())
    edit(plain)
    card.write_text(json.dumps(plain))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda card: card.update(scale=2), "its scale is 2, but that of its config 3"),
        (lambda card: card.update(model="edsr"), "its model is edsr, but that of its config fsrcnn"),
        (lambda card: card["config"].update(scale=4), "its scale is 3, but that of its config 4"),
    ],
)
def test_a_card_that_contradicts_itself(file, edit, message):
    edit_card(file, edit)
    with pytest.raises(InputError, match=rf"net\.json contradicts itself: {message}"):
        weights.read_card(file)


def test_a_card_nested_too_deep(file):
    file.with_suffix(".json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"net\.json is not the card of a weights file"):
        weights.read_card(file)


def test_a_card_that_claims_too_large_a_network(file, monkeypatch):
    """Five gigabytes: they must not be asked for before the file is seen to be smaller."""
    edit_card(file, lambda card: card["config"]["model"].update(d=10_000_000))
    monkeypatch.setattr(build, "build_network", lambda config: pytest.fail("initialised"))
    with pytest.raises(InputError, match=r"deconvolution\.kernel is \(9, 9, 8, 1\), not \(9, 9, 10000000, 1\)"):
        trained.load(str(file), which="latest", parameters="ema")


def test_the_card_of_converted_weights_claims_no_training(file, params):
    card = CARD._replace(
        step=None, converted=weights.Converted("a.pth", "12", "x/y"), config=Config(scale=3, model=CONFIG.model)
    )
    assert not trained.load(str(file), which="latest", parameters="ema").is_converted
    weights.write(file, params, card)
    assert json.loads(file.with_suffix(".json").read_text())["config"].keys() == {"scale", "model"}
    assert weights.read_card(file).config == card.config
    assert trained.load(str(file), which="latest", parameters="ema").is_converted
