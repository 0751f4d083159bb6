"""`python -m sr_jax.convert --to torch`: our weights become those of other implementations."""

import numpy as np
from safetensors.numpy import load_file

from sr_jax import convert
from sr_jax.weights.torch.layouts import LAYOUTS
from tests.runs.conftest import OPTIONS


def test_back_as_npz(call_convert, fsrcnn_state, tmp_path):
    call_convert(fsrcnn_state, *OPTIONS)
    assert convert.main([str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "back.npz")]) == 0
    with np.load(tmp_path / "back.npz") as back:
        assert back.keys() == fsrcnn_state.keys()
        for key, value in fsrcnn_state.items():
            np.testing.assert_array_equal(back[key], value)


def test_there_and_back(call_convert, fsrcnn_state, tmp_path):
    call_convert(fsrcnn_state, *OPTIONS)
    arguments = [str(tmp_path / "ours.safetensors"), "--to", "torch", "--out"]
    assert convert.main([*arguments, str(tmp_path / "back.safetensors")]) == 0
    back = load_file(tmp_path / "back.safetensors")
    assert back.keys() == fsrcnn_state.keys()
    for key, value in fsrcnn_state.items():
        np.testing.assert_array_equal(back[key], value)
    assert not (tmp_path / "back.json").exists()
    assert convert.main([*arguments, str(tmp_path / "b.safetensors"), "--layout", "Lornatang/FSRCNN-PyTorch"]) == 0
    np.testing.assert_array_equal(load_file(tmp_path / "b.safetensors")["map.2.weight"], fsrcnn_state["mid_part.4.weight"])


def test_a_source_that_cannot_be_converted(call_convert, fsrcnn_state, tmp_path, capsys):
    call_convert(fsrcnn_state, *OPTIONS)
    arguments = [str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "back.safetensors")]
    assert convert.main([*arguments, *OPTIONS]) == 0
    capsys.readouterr()
    assert convert.main([*arguments, "--scale", "3"]) == 2
    assert (
        "holds fsrcnn x2 (d=7, s=3, m=2), not fsrcnn x3 (d=7, s=3, m=2); leave out --network and --scale"
        in capsys.readouterr().err
    )
    assert convert.main([*arguments, "--network", "fsrcnn"]) == 2
    assert convert.main([str(tmp_path / "nothing"), "--to", "torch", "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "nothing: no such" in capsys.readouterr().err
    assert convert.main(["bicubic", "--to", "torch", "--out", str(tmp_path / "x.safetensors")]) == 2
    error = capsys.readouterr().err
    assert error == "error: bicubic: no such work directory or weights file; bicubic interpolation has no weights\n"


def test_a_network_of_the_zoo(tmp_path, capsys):
    assert convert.main(["fsrcnn-x2", "--to", "torch", "--out", str(tmp_path / "x.npz")]) == 0
    assert "source      fsrcnn-x2, step 240000" in capsys.readouterr().out
    assert sum(array.size for array in np.load(tmp_path / "x.npz").values()) == 12_464 + 173 + 172  # as models/fsrcnn.py counts


def test_a_state_dict_does_not_replace_our_weights(call_convert, fsrcnn_state, tmp_path, capsys):
    call_convert(fsrcnn_state, *OPTIONS)
    call_convert(fsrcnn_state, *OPTIONS, out=tmp_path / "other.safetensors")
    before = (tmp_path / "other.safetensors").read_bytes()
    arguments = [str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(tmp_path / "other.safetensors")]
    assert convert.main(arguments) == 2
    message = "other.safetensors: holds weights of sr_jax with their card, other.json; give another name"
    assert message in capsys.readouterr().err
    assert (tmp_path / "other.safetensors").read_bytes() == before
    (tmp_path / "other.json").unlink()
    assert convert.main(arguments) == 0


def test_only_its_run_writes_into_a_work_directory(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    for out in (run / "x.safetensors", run / "checkpoints" / "x.npz", tmp_path / "run" / ".." / "run" / "x.npz"):
        assert convert.main([str(run), "--to", "torch", "--out", str(out)]) == 2
        assert f"lies in the work directory {run}, where only its run writes" in capsys.readouterr().err
    assert list(run.iterdir()) == []


def test_a_network_without_a_file_of_layouts(call_convert, fsrcnn_state, tmp_path, capsys, monkeypatch):
    call_convert(fsrcnn_state, *OPTIONS)
    ours, back = load_file(tmp_path / "ours.safetensors"), tmp_path / "back.safetensors"
    monkeypatch.delitem(LAYOUTS, "fsrcnn")
    assert convert.main([str(tmp_path / "ours.safetensors"), "--to", "torch", "--out", str(back)]) == 0
    assert "layout      sr_jax\n" in capsys.readouterr().out
    state = load_file(back)
    np.testing.assert_array_equal(state["deconvolution.weight"], fsrcnn_state["last_part.weight"])
    status, out, _, _ = call_convert(state, *OPTIONS, out=tmp_path / "again.safetensors")
    assert (status, "matched     17 of 17 tensors" in out) == (0, True)
    again = load_file(tmp_path / "again.safetensors")
    assert again.keys() == ours.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(again[name], value)
