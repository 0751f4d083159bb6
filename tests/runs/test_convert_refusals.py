"""What `python -m sr_jax.convert` refuses, and what it says then."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from sr_jax import convert
from tests.runs.conftest import OPTIONS


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
def test_a_partial_match_is_refused(call_convert, fsrcnn_state, change, message):
    status, out, err, is_written = call_convert(change(fsrcnn_state), *OPTIONS)
    assert (status, is_written) == (2, False)
    assert "theirs.safetensors does not fit fsrcnn x2 (d=7, s=3, m=2); nothing is written" in err
    assert f"In the nearest layout, yjn870/FSRCNN-pytorch:\n  {message}" in err
    assert err.count("\n  ") == 1
    assert ("Other sizes are given as --network.d" in err) == ("not (3,)" in message)
    matched = 17 if "superfluous" in message else 16
    assert f"matched     {matched} of 17 tensors" in out


def test_weights_of_another_published_network(call_convert):
    """They have the names of FSRCNN and the sizes of FSRCNN-s."""
    shapes = {"first_part.0": (32, 1, 5, 5), "first_part.1": (32,), "mid_part.0": (5, 32, 1, 1), "mid_part.1": (5,),
              "mid_part.2": (5, 5, 3, 3), "mid_part.3": (5,), "mid_part.4": (32, 5, 1, 1), "mid_part.5": (32,),
              "last_part": (32, 1, 9, 9)}  # fmt: skip
    small = {f"{key}.weight": np.zeros(shape, np.float32) for key, shape in shapes.items()}
    small |= {
        f"{key}.bias": np.zeros(shape[0] if key != "last_part" else 1, np.float32)
        for key, shape in shapes.items()
        if len(shape) > 1
    }
    status, _, err, is_written = call_convert(small, "--network", "fsrcnn", "--scale", "3")
    assert (status, is_written) == (2, False)
    assert "first_part.0.weight is (32, 1, 5, 5), not (56, 1, 5, 5)" in err
    assert "These are weights of fsrcnn-s x2, x3, x4: give --network and --scale accordingly\n" in err
    status, _, err, _ = call_convert(small, "--network", "fsrcnn", "--scale", "3", "--network.d", "32")
    assert "give --network and --scale accordingly, and no --network.*\n" in err


def test_sizes_that_are_not_published(call_convert, fsrcnn_state):
    status, _, err, _ = call_convert(fsrcnn_state, "--network", "fsrcnn", "--scale", "2")
    assert status == 2
    assert "first_part.0.weight is (7, 1, 5, 5), not (56, 1, 5, 5)" in err
    assert "Other sizes are given as --network.d, --network.s, --network.m" in err


def test_tensors_of_something_else(call_convert):
    status, out, err, _ = call_convert(
        {f"layer{i}.weight": np.ones(3, np.float32) for i in range(30)}, "--network", "fsrcnn", "--scale", "2"
    )
    assert status == 2
    assert "matched     0 of 23 tensors" in out
    assert "first_part.0.weight is missing" in err
    assert "and 33 more" in err
    assert "--network" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--network", "fsrcnn"), "give --network and --scale"),
        (("--scale", "2"), "give --network and --scale"),
        (("--network", "fsrnc", "--scale", "2"), "--network=fsrnc: there is no network 'fsrnc'; did you mean 'fsrcnn'?"),
        (("--network", "EDSR", "--scale", "2"), "--network=EDSR: there is no network 'EDSR'; did you mean 'edsr'?"),
        (("--model", "fsrcnn", "--scale", "2"), "--model is called --network"),
        (("--network", "fsrcnn", "--scale", "5"), "scale=5: FSRCNN knows the scales 2, 3, 4"),
        ((*OPTIONS, "--layout", "yjn870"), "there is no layout of fsrcnn 'yjn870'; did you mean 'yjn870/FSRCNN-pytorch'?"),
        ((*OPTIONS, "--layout", "Lornatang/FSRCNN-PyTorch"), "In the nearest layout, Lornatang/FSRCNN-PyTorch"),
    ],
)  # fmt: skip
def test_bad_options(call_convert, fsrcnn_state, arguments, message):
    status, _, err, is_written = call_convert(fsrcnn_state, *arguments)
    assert (status, is_written) == (2, False)
    assert message in err


def test_bad_sizes(call_convert, fsrcnn_state):
    for option, message in (
        ("--network.d=0", "d=0: input should be greater than 0"),
        ("--network.name=edsr", "--network.name is called --network"),
    ):
        status, _, err, is_written = call_convert(fsrcnn_state, *OPTIONS, option)
        assert (status, is_written) == (2, False)
        assert message in err


def test_our_own_weights_need_no_conversion(call_convert, fsrcnn_state, tmp_path):
    call_convert(fsrcnn_state, *OPTIONS)
    again = call_convert(load_file(tmp_path / "ours.safetensors"), *OPTIONS)
    assert again[0] == 2
    assert "already has the names of sr_jax" in again[2]


def test_mixed_up_cards_of_converted_weights_are_noticed(call_convert, fsrcnn_state, tmp_path, capsys):
    call_convert(fsrcnn_state, *OPTIONS)
    call_convert(
        {**fsrcnn_state, "last_part.bias": fsrcnn_state["last_part.bias"] + 1}, *OPTIONS, out=tmp_path / "other.safetensors"
    )
    (tmp_path / "other.json").rename(tmp_path / "ours.json")
    assert convert.main([str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "does not belong to the card ours.json: it has converted from" in capsys.readouterr().err
