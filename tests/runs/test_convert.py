"""`python -m sr_jax.convert`, as a user calls it, on files that need no PyTorch."""

import hashlib
import json
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from sr_jax import convert
from sr_jax.assembly import trained
from sr_jax.config import NETWORKS, Config, FSRCNNConfig
from sr_jax.weights import files as weights
from sr_jax.weights.card import Card, Converted, read_card
from tests import golden
from tests.models.cases import CASES, inputs
from tests.runs.conftest import OPTIONS
from tests.weights.conftest import params_of

OTHER_LAYOUT = {
    "first_part.0": "feature_extraction.0",
    "first_part.1": "feature_extraction.1",
    "mid_part.0": "shrink.0",
    "mid_part.1": "shrink.1",
    **{f"mid_part.{2 + i}": f"map.{i}" for i in range(4)},
    "mid_part.6": "expand.0",
    "mid_part.7": "expand.1",
    "last_part": "deconv",
}
"""The paths of yjn870/FSRCNN-pytorch and those of Lornatang/FSRCNN-PyTorch."""


def sr_of(path):
    network = trained.load(str(path), which="latest", parameters="ema").network
    return network.apply(jax.tree.map(jnp.asarray, network.params), *map(jnp.asarray, inputs(CASES["fsrcnn-x2"])))


@pytest.mark.parametrize("kind", ["safetensors", "npz", "float64", "prefix", "other layout"])
def test_converted_weights_give_what_pytorch_gave(call_convert, fsrcnn_state, tmp_path, kind, capsys):
    expected, _ = golden.network("fsrcnn-x2")
    if kind == "npz":
        np.savez(tmp_path / "theirs.npz", **fsrcnn_state)
        status = convert.main([str(tmp_path / "theirs.npz"), "--out", str(tmp_path / "ours.safetensors"), *OPTIONS])
        out = capsys.readouterr().out
    else:
        change = {
            "safetensors": lambda key, value: (key, value),
            "float64": lambda key, value: (key, value.astype(np.float64)),
            "prefix": lambda key, value: (f"module.netG.{key}", value),
            "other layout": lambda key, value: (f"{OTHER_LAYOUT[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}", value),
        }[kind]
        status, out, _, _ = call_convert(dict(change(*item) for item in fsrcnn_state.items()), *OPTIONS)
    assert status == 0
    assert f"layout      {'Lornatang/FSRCNN-PyTorch' if kind == 'other layout' else 'yjn870/FSRCNN-pytorch'}" in out
    assert ("behind the prefix module.netG." in out) == (kind == "prefix")
    np.testing.assert_allclose(sr_of(tmp_path / "ours.safetensors"), expected, atol=1e-5, rtol=0)


def test_it_says_what_became_of_each_tensor(call_convert, fsrcnn_state, tmp_path):
    status, out, _, _ = call_convert(fsrcnn_state, *OPTIONS)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert "matched 17 of 17 tensors" in lines
    assert "first_part.0.weight (7, 1, 5, 5) -> feature_extraction.kernel (5, 5, 1, 7)" in lines
    assert "last_part.weight (7, 1, 9, 9) -> deconvolution.kernel (9, 9, 7, 1)" in lines
    assert sum("->" in line for line in lines) == 17
    assert "note the tensors also fit x3, x4; x2 is from --scale" in lines
    count = sum(value.size for value in fsrcnn_state.values())
    assert f"written {tmp_path}/ours.safetensors and ours.json; read back: 17 tensors, {count:,} parameters" in lines


def test_the_card_says_where_they_are_from(call_convert, fsrcnn_state, tmp_path):
    call_convert(fsrcnn_state, *OPTIONS)
    card = read_card(tmp_path / "ours.safetensors")
    sha256 = hashlib.sha256((tmp_path / "theirs.safetensors").read_bytes()).hexdigest()
    assert card.converted == Converted("theirs.safetensors", sha256, "yjn870/FSRCNN-pytorch")
    assert (card.config.scale, card.config.model, card.step) == (2, FSRCNNConfig(d=7, s=3, m=2), None)
    origin = trained.load(str(tmp_path / "ours.safetensors"), which="latest", parameters="ema").origin
    assert origin == f"{tmp_path}/ours.safetensors, converted from theirs.safetensors (yjn870/FSRCNN-pytorch)"


def test_the_card_is_plain_json(call_convert, fsrcnn_state, tmp_path):
    call_convert(fsrcnn_state, *OPTIONS)
    card = json.loads((tmp_path / "ours.json").read_text())
    assert (card["model"], card["scale"], card["step"], card["table"]) == ("fsrcnn", 2, None, [])
    assert set(card["converted"]) == {"file", "sha256", "layout"}


def test_half_floats_and_counters(call_convert, fsrcnn_state, tmp_path):
    half = {key: value.astype(np.float16) for key, value in fsrcnn_state.items()}
    status, out, _, _ = call_convert({**half, "n_averaged": np.array(7)}, *OPTIONS)
    assert status == 0
    assert "ignored     n_averaged (int64)" in out
    ours = load_file(tmp_path / "ours.safetensors")
    assert {value.dtype for value in ours.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(ours["mapping.1.bias"], half["mid_part.4.bias"].astype(np.float32))


def test_one_slope_for_all_channels(call_convert, fsrcnn_state, tmp_path):
    status, *_ = call_convert({**fsrcnn_state, "first_part.1.weight": np.array([0.3], np.float32)}, *OPTIONS)
    assert status == 0
    np.testing.assert_array_equal(
        load_file(tmp_path / "ours.safetensors")["feature_activation.slope"], np.full(7, np.float32(0.3))
    )


def test_places_that_cannot_be_written(call_convert, fsrcnn_state, tmp_path):
    def error(out):
        return call_convert(fsrcnn_state, *OPTIONS, out=out)[2]

    assert "give a name that ends in .safetensors, or give --to torch" in error(tmp_path / "x.pth")
    source = tmp_path / "theirs.safetensors"
    before = source.read_bytes()
    (tmp_path / "d.safetensors").mkdir()
    assert "d.safetensors: is a folder; give another name" in error(tmp_path / "d.safetensors")
    assert "is the source itself" in error(source)
    assert source.read_bytes() == before
    (tmp_path / "file").write_text("")
    assert "cannot be written" in error(tmp_path / "file/x.safetensors")


def test_only_an_earlier_conversion_is_replaced(call_convert, fsrcnn_state, tmp_path):
    assert call_convert(fsrcnn_state, *OPTIONS)[0] == 0
    assert call_convert({**fsrcnn_state, "last_part.bias": fsrcnn_state["last_part.bias"] + 1}, *OPTIONS)[0] == 0
    ours, card = tmp_path / "ours.safetensors", tmp_path / "ours.json"

    def is_refused(names):
        before = {path: path.read_bytes() for path in (ours, card) if path.exists()}
        status, _, err, _ = call_convert(fsrcnn_state, *OPTIONS)
        assert status == 2
        files = " and ".join(str(tmp_path / name) for name in names)
        verb = "exists" if len(names) == 1 else "exist"
        assert f"{files} {verb} already, and not from a conversion; give another name" in err
        assert {path: path.read_bytes() for path in (ours, card) if path.exists()} == before

    converted = card.read_text()
    ours.write_bytes(ours.read_bytes()[:-4] + bytes(4))  # these are not the bytes that the card is for
    is_refused(["ours.safetensors", "ours.json"])
    card.write_text(json.dumps({"scale": 2}))
    is_refused(["ours.safetensors", "ours.json"])
    ours.unlink()
    is_refused(["ours.json"])
    card.write_text(converted)
    assert call_convert(fsrcnn_state, *OPTIONS)[0] == 0
    card.unlink()
    is_refused(["ours.safetensors"])


def test_trained_weights_are_not_replaced(call_convert, fsrcnn_state, tmp_path):
    card = Card(Config(scale=2, model=FSRCNNConfig(d=7, s=3, m=2)), 3, "abc", [])
    weights.write(tmp_path / "ours.safetensors", params_of(card), card)
    before = (tmp_path / "ours.safetensors").read_bytes()
    assert "exist already, and not from a conversion" in call_convert(fsrcnn_state, *OPTIONS)[2]
    assert (tmp_path / "ours.safetensors").read_bytes() == before


def test_help_names_all_networks_and_lists_the_sizes_of_the_chosen_one(capsys):
    with pytest.raises(SystemExit, match="0"):
        convert.main(["--network", "edsr-baseline", "--help"])
    text = re.sub(r"[│\s]+", "", capsys.readouterr().out)
    assert "--network{" + ",".join(NETWORKS) + "}" in text
    assert "--network.res_scaleFLOAT" in text
    assert "--network.d" not in text


def test_help_is_quick_to_import():
    """--help must wait neither for JAX nor for PyTorch."""
    code = "import sys, sr_jax.convert; assert not {'jax', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
