"""`python -m sr_jax.convert`, as a user starts it, on files that need no PyTorch; `conversion/commands.py` is tested here."""

import hashlib
import json
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sr_jax import convert
from sr_jax.build import network as build
from sr_jax.build import trained
from sr_jax.weights import files as weights
from sr_jax import config as configs
from sr_jax.config import Config, FSRCNNConfig
from tests import golden
from tests.models.cases import CASES, inputs

SIZES = ("--network.d=7", "--network.s=3", "--network.m=2")
MODEL = ("--model", "fsrcnn", "--scale", "2", *SIZES)
LAYERS = {
    "first_part.0": "feature_extraction.0",
    "first_part.1": "feature_extraction.1",
    "mid_part.0": "shrink.0",
    "mid_part.1": "shrink.1",
    **{f"mid_part.{2 + i}": f"map.{i}" for i in range(4)},
    "mid_part.6": "expand.0",
    "mid_part.7": "expand.1",
    "last_part": "deconv",
}
"""The same layers in two layouts."""


@pytest.fixture
def theirs():
    """What PyTorch has as state dict."""
    return golden.network("fsrcnn-x2")[1]


@pytest.fixture
def call(tmp_path, capsys):
    """Writes a source and calls the command; returns status, output, errors, and whether anything was written."""

    def call(tensors, *arguments, out=None):
        source, out = tmp_path / "theirs.safetensors", out or tmp_path / "ours.safetensors"
        if tensors is not None:
            save_file(tensors, source)
        status = convert.main([str(source), "--out", str(out), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err, out.exists()

    return call


def sr_of(path):
    network = trained.load(str(path), which="latest", parameters="ema")
    return network.network.apply(
        jax.tree.map(jax.numpy.asarray, network.params), *map(jax.numpy.asarray, inputs(CASES["fsrcnn-x2"]))
    )


@pytest.mark.parametrize("kind", ["safetensors", "npz", "float64", "prefix", "other layout"])
def test_converted_weights_give_what_pytorch_gave(call, theirs, tmp_path, kind, capsys):
    expected, _ = golden.network("fsrcnn-x2")
    if kind == "npz":
        np.savez(tmp_path / "theirs.npz", **theirs)
        status = convert.main([str(tmp_path / "theirs.npz"), "--out", str(tmp_path / "ours.safetensors"), *MODEL])
        out = capsys.readouterr().out
    else:
        change = {
            "safetensors": lambda key, value: (key, value),
            "float64": lambda key, value: (key, value.astype(np.float64)),
            "prefix": lambda key, value: (f"module.netG.{key}", value),
            "other layout": lambda key, value: (f"{LAYERS[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}", value),
        }[kind]
        status, out, _, _ = call(dict(change(*item) for item in theirs.items()), *MODEL)
    assert status == 0
    assert f"layout      {'Lornatang/FSRCNN-PyTorch' if kind == 'other layout' else 'yjn870/FSRCNN-pytorch'}" in out
    assert ("behind the prefix module.netG." in out) == (kind == "prefix")
    np.testing.assert_allclose(sr_of(tmp_path / "ours.safetensors"), expected, atol=1e-5, rtol=0)


def test_it_says_what_became_of_each_tensor(call, theirs, tmp_path):
    status, out, _, _ = call(theirs, *MODEL)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert "matched 17 of 17 tensors" in lines
    assert "first_part.0.weight (7, 1, 5, 5) -> feature_extraction.kernel (5, 5, 1, 7)" in lines
    assert "last_part.weight (7, 1, 9, 9) -> deconvolution.kernel (9, 9, 7, 1)" in lines
    assert sum("->" in line for line in lines) == 17
    assert "note x2 is as told: the tensors fit x3, x4 as well" in lines
    count = sum(value.size for value in theirs.values())
    assert f"written {tmp_path}/ours.safetensors and ours.json; read back: 17 tensors, {count:,} parameters" in lines


def test_the_card_says_where_they_are_from(call, theirs, tmp_path):
    call(theirs, *MODEL)
    card = weights.read_card(tmp_path / "ours.safetensors")
    sha256 = hashlib.sha256((tmp_path / "theirs.safetensors").read_bytes()).hexdigest()
    assert card.converted == weights.Converted("theirs.safetensors", sha256, "yjn870/FSRCNN-pytorch")
    assert (card.config.scale, card.config.model, card.step) == (2, FSRCNNConfig(d=7, s=3, m=2), None)
    origin = trained.load(str(tmp_path / "ours.safetensors"), which="latest", parameters="ema").origin
    assert origin == f"{tmp_path}/ours.safetensors, converted from theirs.safetensors (yjn870/FSRCNN-pytorch)"


def test_half_floats_and_counters(call, theirs, tmp_path):
    half = {key: value.astype(np.float16) for key, value in theirs.items()}
    status, out, _, _ = call({**half, "n_averaged": np.array(7)}, *MODEL)
    assert status == 0
    assert "ignored     n_averaged (int64)" in out
    ours = load_file(tmp_path / "ours.safetensors")
    assert {value.dtype for value in ours.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(ours["mapping.1.bias"], half["mid_part.4.bias"].astype(np.float32))


def test_one_slope_for_all_channels(call, theirs, tmp_path):
    status, *_ = call({**theirs, "first_part.1.weight": np.array([0.3], np.float32)}, *MODEL)
    assert status == 0
    np.testing.assert_array_equal(
        load_file(tmp_path / "ours.safetensors")["feature_activation.slope"], np.full(7, np.float32(0.3))
    )


def without(key):
    return lambda t: {name: value for name, value in t.items() if name != key}


def with_value(key, value):
    return lambda t: {**t, key: value(t[key]) if key in t else value(None)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("mid_part.2.bias"), "mid_part.2.bias is missing"),
        (with_value("upscale.weight", lambda _: np.ones((3, 2), np.float32)), "upscale.weight (3, 2) is superfluous"),
        (with_value("mid_part.0.bias", lambda v: v[:2]), "mid_part.0.bias is (2,), not (3,)"),
        (with_value("mid_part.0.bias", lambda v: v[:1]), "mid_part.0.bias is (1,), not (3,)"),
        (with_value("mid_part.0.bias", lambda v: v.astype(np.int32)), "mid_part.0.bias is int32, not floating point"),
        (with_value("last_part.weight", lambda v: v * np.nan), "last_part.weight holds values that are not finite"),
        (with_value("last_part.bias", lambda v: v + np.inf), "last_part.bias holds values that are not finite"),
        (
            with_value("last_part.bias", lambda v: v + np.float64(1e300)),
            "last_part.bias holds values beyond float32, up to 1e+300",
        ),
    ],
)
def test_a_partial_match_is_refused(call, theirs, change, message):
    status, out, err, is_written = call(change(theirs), *MODEL)
    assert (status, is_written) == (2, False)
    assert "theirs.safetensors does not fit fsrcnn x2 (d=7, s=3, m=2); nothing is written" in err
    assert f"In the nearest layout, yjn870/FSRCNN-pytorch:\n  {message}" in err
    assert err.count("\n  ") == 1
    assert ("Other sizes are given as --network.d" in err) == ("not (3,)" in message)
    matched = 17 if "superfluous" in message else 16
    assert f"matched     {matched} of 17 tensors" in out


def test_weights_of_another_published_network(call):
    """Their names are those of FSRCNN, their sizes those of FSRCNN-s."""
    shapes = {"first_part.0": (32, 1, 5, 5), "first_part.1": (32,), "mid_part.0": (5, 32, 1, 1), "mid_part.1": (5,),
              "mid_part.2": (5, 5, 3, 3), "mid_part.3": (5,), "mid_part.4": (32, 5, 1, 1), "mid_part.5": (32,),
              "last_part": (32, 1, 9, 9)}  # fmt: skip
    small = {f"{key}.weight": np.zeros(shape, np.float32) for key, shape in shapes.items()}
    small |= {
        f"{key}.bias": np.zeros(shape[0] if key != "last_part" else 1, np.float32)
        for key, shape in shapes.items()
        if len(shape) > 1
    }
    status, _, err, is_written = call(small, "--model", "fsrcnn", "--scale", "3")
    assert (status, is_written) == (2, False)
    assert "first_part.0.weight is (32, 1, 5, 5), not (56, 1, 5, 5)" in err
    assert "These are weights of fsrcnn-s x2, x3, x4: give --model and --scale accordingly\n" in err
    status, _, err, _ = call(small, "--model", "fsrcnn", "--scale", "3", "--network.d", "32")
    assert "give --model and --scale accordingly, and no --network.*\n" in err


def test_sizes_that_are_not_published(call, theirs):
    status, _, err, _ = call(theirs, "--model", "fsrcnn", "--scale", "2")
    assert status == 2
    assert "first_part.0.weight is (7, 1, 5, 5), not (56, 1, 5, 5)" in err
    assert "Other sizes are given as --network.d, --network.s, --network.m" in err


def test_tensors_of_something_else(call):
    status, out, err, _ = call(
        {f"layer{i}.weight": np.ones(3, np.float32) for i in range(30)}, "--model", "fsrcnn", "--scale", "2"
    )
    assert status == 2
    assert "matched     0 of 23 tensors" in out
    assert "first_part.0.weight is missing" in err
    assert "and 33 more" in err
    assert "--network" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "fsrcnn"), "give --model and --scale"),
        (("--scale", "2"), "give --model and --scale"),
        (("--model", "fsrnc", "--scale", "2"), "--model fsrnc: there is no network 'fsrnc'; did you mean 'fsrcnn'?"),
        (("--model", "EDSR", "--scale", "2"), "--model EDSR: there is no network 'EDSR'; did you mean 'edsr'?"),
        (("--model", "fsrcnn", "--scale", "5"), "scale=5: FSRCNN knows the scales 2, 3, 4"),
        ((*MODEL, "--layout", "yjn870"), "there is no layout of fsrcnn 'yjn870'; did you mean 'yjn870/FSRCNN-pytorch'?"),
        ((*MODEL, "--layout", "Lornatang/FSRCNN-PyTorch"), "In the nearest layout, Lornatang/FSRCNN-PyTorch"),
    ],
)  # fmt: skip
def test_bad_options(call, theirs, arguments, message):
    status, _, err, is_written = call(theirs, *arguments)
    assert (status, is_written) == (2, False)
    assert message in err


def test_sizes_out_of_range(call, theirs, capsys):
    with pytest.raises(SystemExit, match="2"):
        call(theirs, *MODEL, "--network.d=0")
    assert "d=0: input should be greater than 0" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        call(theirs, *MODEL, "--network.name=edsr")
    assert "the network is chosen with --model NAME alone" in capsys.readouterr().err


def test_places_that_cannot_be_written(call, theirs, tmp_path):
    assert "give a name that ends in .safetensors; or give --to torch" in call(theirs, *MODEL, out=tmp_path / "x.pth")[2]
    source = tmp_path / "theirs.safetensors"
    before = source.read_bytes()
    (tmp_path / "d.safetensors").mkdir()
    assert "d.safetensors: is a folder; give another name" in call(theirs, *MODEL, out=tmp_path / "d.safetensors")[2]
    assert "is the source itself" in call(theirs, *MODEL, out=source)[2]
    assert source.read_bytes() == before
    (tmp_path / "file").write_text("")
    assert "cannot be written" in call(theirs, *MODEL, out=tmp_path / "file/x.safetensors")[2]


def test_only_an_earlier_conversion_is_replaced(call, theirs, tmp_path):
    assert call(theirs, *MODEL)[0] == 0
    assert call({**theirs, "last_part.bias": theirs["last_part.bias"] + 1}, *MODEL)[0] == 0
    ours, card = tmp_path / "ours.safetensors", tmp_path / "ours.json"

    def is_refused(names):
        before = {path: path.read_bytes() for path in (ours, card) if path.exists()}
        status, _, err, _ = call(theirs, *MODEL)
        assert status == 2
        there = " and ".join(str(tmp_path / name) for name in names)
        assert f"{there} {'is' if len(names) == 1 else 'are'} there already, from no conversion; give another name" in err
        assert {path: path.read_bytes() for path in (ours, card) if path.exists()} == before

    converted = card.read_text()
    ours.write_bytes(ours.read_bytes()[:-4] + bytes(4))  # whatever this is, it is not what the card is of
    is_refused(["ours.safetensors", "ours.json"])
    card.write_text(json.dumps({"scale": 2}))
    is_refused(["ours.safetensors", "ours.json"])
    ours.unlink()
    is_refused(["ours.json"])
    card.write_text(converted)
    assert call(theirs, *MODEL)[0] == 0
    card.unlink()
    is_refused(["ours.safetensors"])


def test_trained_weights_are_not_replaced(call, theirs, tmp_path):
    config = Config(scale=2, model=FSRCNNConfig(d=7, s=3, m=2))
    weights.write(tmp_path / "ours.safetensors", build.build_network(config).params, weights.Card(config, 3, "abc", []))
    before = (tmp_path / "ours.safetensors").read_bytes()
    assert "are there already, from no conversion" in call(theirs, *MODEL)[2]
    assert (tmp_path / "ours.safetensors").read_bytes() == before


def test_what_pytorch_is_given_replaces_no_weights_of_ours(call, theirs, tmp_path, capsys):
    call(theirs, *MODEL)
    call(theirs, *MODEL, out=tmp_path / "other.safetensors")
    before = (tmp_path / "other.safetensors").read_bytes()
    arguments = [str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "other.safetensors")]
    assert convert.main(arguments) == 2
    assert (
        "other.safetensors: holds weights of sr_jax with their card, other.json; give another name" in capsys.readouterr().err
    )
    assert (tmp_path / "other.safetensors").read_bytes() == before
    (tmp_path / "other.json").unlink()
    assert convert.main(arguments) == 0


def test_a_work_directory_is_its_runs_alone(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    for out in (run / "x.safetensors", run / "checkpoints" / "x.npz", tmp_path / "run" / ".." / "run" / "x.npz"):
        assert convert.main([str(run), "--to", "torch", "--out", str(out)]) == 2
        assert f"lies in the work directory {run}, which is its run's alone" in capsys.readouterr().err
    assert list(run.iterdir()) == []


def test_back_as_npz(call, theirs, tmp_path):
    call(theirs, *MODEL)
    assert convert.main([str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "back.npz")]) == 0
    with np.load(tmp_path / "back.npz") as back:
        assert back.keys() == theirs.keys()
        for key, value in theirs.items():
            np.testing.assert_array_equal(back[key], value)


def test_there_and_back(call, theirs, tmp_path):
    call(theirs, *MODEL)
    arguments = [str(tmp_path / "ours.safetensors"), "--to", "torch", "--out"]
    assert convert.main([*arguments, str(tmp_path / "back.safetensors")]) == 0
    back = load_file(tmp_path / "back.safetensors")
    assert back.keys() == theirs.keys()
    for key, value in theirs.items():
        np.testing.assert_array_equal(back[key], value)
    assert not (tmp_path / "back.json").exists()
    assert convert.main([*arguments, str(tmp_path / "b.safetensors"), "--layout", "Lornatang/FSRCNN-PyTorch"]) == 0
    np.testing.assert_array_equal(load_file(tmp_path / "b.safetensors")["map.2.weight"], theirs["mid_part.4.weight"])


def test_back_from_another_network_than_told(call, theirs, tmp_path, capsys):
    call(theirs, *MODEL)
    arguments = [str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "back.safetensors")]
    assert convert.main([*arguments, *MODEL]) == 0
    capsys.readouterr()
    assert convert.main([*arguments, "--scale", "3"]) == 2
    assert "is of fsrcnn x2 (d=7, s=3, m=2), not of fsrcnn x3 (d=7, s=3, m=2)" in capsys.readouterr().err
    assert convert.main([*arguments, "--model", "fsrcnn"]) == 2
    assert convert.main([str(tmp_path / "nothing"), "--to", "torch", "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "nothing: no such" in capsys.readouterr().err
    assert convert.main(["bicubic", "--to", "torch", "--out", str(tmp_path / "x.safetensors")]) == 2
    told = capsys.readouterr().err
    assert told == "error: bicubic: no such work directory or weights file; bicubic interpolation has no weights\n"


def test_our_own_weights_need_no_conversion(call, theirs, tmp_path):
    call(theirs, *MODEL)
    again = call(load_file(tmp_path / "ours.safetensors"), *MODEL)
    assert again[0] == 2
    assert "has the names of sr_jax already" in again[2]


def test_mixed_up_cards_of_converted_weights_are_noticed(call, theirs, tmp_path, capsys):
    call(theirs, *MODEL)
    call({**theirs, "last_part.bias": theirs["last_part.bias"] + 1}, *MODEL, out=tmp_path / "other.safetensors")
    (tmp_path / "other.json").rename(tmp_path / "ours.json")
    assert convert.main([str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "has another card than ours.json: it is of converted from" in capsys.readouterr().err


def test_the_card_is_plain_json(call, theirs, tmp_path):
    call(theirs, *MODEL)
    card = json.loads((tmp_path / "ours.json").read_text())
    assert (card["model"], card["scale"], card["step"], card["table"]) == ("fsrcnn", 2, None, [])
    assert set(card["converted"]) == {"file", "sha256", "layout"}


def test_help_names_all_networks_and_lists_the_sizes_of_the_chosen_one(capsys):
    with pytest.raises(SystemExit, match="0"):
        convert.main(["--model", "edsr-baseline", "--help"])
    text = re.sub(r"[│\s]+", "", capsys.readouterr().out)
    assert "--network.name{" + ",".join(configs.NETWORKS) + "}" in text
    assert "--network.res_scaleFLOAT" in text
    assert "--network.d" not in text


def test_help_is_quick_to_import():
    """--help must wait neither for JAX nor for PyTorch."""
    code = "import sys, sr_jax.convert; assert not {'jax', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
