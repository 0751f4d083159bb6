import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sr_jax import build, weights
from sr_jax.config import Config, FSRCNNConfig
from sr_jax.errors import InputError

CONFIG = Config(scale=3, model=FSRCNNConfig(d=8, s=4, m=2))
CARD = weights.Card(CONFIG, 7, "abc", [{"set": "Set5", "psnr_y": 30.0}])


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
    assert weights.read_card(file) == CARD


def test_others_can_read_it(file):
    """Names are attributes with dots, as in the papers' code; the card is plain JSON."""
    tensors = load_file(file)
    assert tensors["feature_extraction.kernel"].shape == (5, 5, 1, 8)
    assert "mapping.1.kernel" in tensors
    card = json.loads(file.with_suffix(".json").read_text())
    assert (card["model"], card["scale"], card["step"], card["commit"]) == ("fsrcnn", 3, 7, "abc")


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
    with pytest.raises(InputError, match=r"its card, net\.json, .* is not beside it"):
        weights.read_card(file)
