"""Whole runs of the command, mostly with bicubic interpolation as the network, whose results are known."""

import io
import json
import re
import types

import numpy as np
import pytest
from PIL import Image

from sr_jax import upscale
from sr_jax.assembly import trained
from sr_jax.assembly.trained import Trained
from sr_jax.config import Config
from sr_jax.models import About
from sr_jax.ops import bicubic_upsample
from sr_jax.ops.resize import imresize_host
from sr_jax.pictures import read
from tests.pictures import corpus

RGB = corpus.of_type(corpus.smooth(3), "uint8")


@pytest.fixture(autouse=True)
def _bicubic(bicubic_network):
    """All tests of this file use it."""


def bicubic(pixels):
    return imresize_host(pixels.astype(np.float64), scale=2, kernel="bicubic", antialias=True)


def test_a_picture_goes_from_standard_input_to_standard_output(model, cache, monkeypatch):
    source, target = io.BytesIO(corpus.pillow(RGB, "PNG")), io.BytesIO()
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=source))
    monkeypatch.setattr("sys.stdout", types.SimpleNamespace(buffer=target, write=lambda text: pytest.fail(text)))
    assert upscale.main(["-", "--model", str(model), "--out", "-", "--cache_dir", str(cache)]) == 0
    assert np.abs(np.asarray(Image.open(target)) - bicubic(RGB).clip(0, 255)).max() <= 0.51


def test_an_interrupted_folder_goes_on_where_it_was(tmp_path, enlarge):
    folder = tmp_path / "in"
    for name in ("a.png", "sub/b.png", "sub/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(corpus.pillow(RGB, "PNG"))
    assert enlarge(folder)[0] == 0
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert {str(path.relative_to(tmp_path / "out")) for path in files} == {
        f"{name}_bicubic-net_x2.png" for name in ("a", "sub/b", "sub/c")
    }
    (tmp_path / "out/a_bicubic-net_x2.png").unlink()
    (folder / "sub/b.png").write_bytes(corpus.pillow(255 - RGB, "PNG"))
    status, out, _ = enlarge(folder)
    assert status == 0
    assert "1 of 3 results are there already" in out
    assert "made again" in out
    kept = tmp_path / "out/sub/c_bicubic-net_x2.png"
    assert [path for path, time in files.items() if path.stat().st_mtime_ns == time] == [kept]
    kept.write_bytes(b"mine now")
    status, _, err = enlarge(folder)
    assert status == 2
    assert "were not written by this command" in err
    assert kept.read_bytes() == b"mine now"
    assert enlarge(folder, "--overwrite")[0] == 0
    assert read.decode(kept, "c").pixels.shape == (72, 80, 3)


def test_results_in_the_input_folder_are_not_inputs(tmp_path, enlarge):
    for folder in ("out", "out/inner"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(corpus.pillow(RGB, "PNG"))
    for _ in range(2):
        assert enlarge(tmp_path / "out")[0] == 0
        assert len(list((tmp_path / "out").rglob("*.png"))) == 4
    for _ in range(2):
        assert enlarge(tmp_path / "out", out="out/new")[0] == 0
        assert len(list((tmp_path / "out").rglob("*.png"))) == 8


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--scale", "3"], 2, "--scale 3: .* enlarges by 2"),
        (["--format", "webp", "--outscale", "60", "--height", "3"], 2, "give either --outscale"),
        (["--format", "webp", "--width", "16384"], 2, "webp holds at most 16,383 pixels a side"),
        (["--format", "jpeg", "--height", "65536"], 2, "jpeg holds at most 65,535 pixels a side"),
        (["--format", "jpeg", "--bits", "16"], 2, "jpeg cannot hold 16 bits; give --bits 8"),
        (["--memory", "1MiB"], 2, "--memory: 1 MiB are too few"),
        (["--memory", "much"], 2, "--memory much: give a size"),
        (["--kernel", "gaussian:1.6"], 2, "--kernel: Bicubic is not told the blur"),
        (["--quality", "101"], 2, "--quality 101: give a number from 1 to 100"),
        (["nowhere.png"], 2, "nowhere.png: there is no such file or folder"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(words, status, message, tmp_path, enlarge):
    (tmp_path / "a.png").write_bytes(corpus.pillow(RGB, "PNG"))
    result, _, err = enlarge(tmp_path / "a.png", *words)
    assert result == status
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not (tmp_path / "out").exists()


def test_a_result_never_replaces_an_input(tmp_path, enlarge):
    (tmp_path / "a.png").write_bytes(corpus.pillow(RGB, "PNG"))
    (tmp_path / "a_bicubic-net_x2.png").write_bytes(corpus.pillow(RGB, "PNG"))
    status, _, err = enlarge(tmp_path / "a.png", tmp_path / "a_bicubic-net_x2.png", "--overwrite", out=".")
    assert status == 2
    assert "is an input, which is never replaced" in err


def test_a_network_is_told_the_blur_and_compared_with_windows(tmp_path, enlarge, monkeypatch):
    about = About(name="Told", channels=3, scales=(2,), is_told=True)

    def apply(params, lr, known):
        return params["factor"] * bicubic_upsample(lr, 2) * known.noise[:, None, None, None]

    network = types.SimpleNamespace(about=about, params={"factor": np.ones((), np.float32)}, apply=apply)
    monkeypatch.setattr(trained, "load", lambda *_, **__: Trained(Config(scale=2), network, "told"))
    (tmp_path / "a.png").write_bytes(corpus.pillow(RGB, "PNG"))
    status, _, err = enlarge(tmp_path / "a.png")
    assert (status, "give --kernel (gaussian:1.6, bicubic or a file) and --noise" in err) == (2, True)
    words = ["--kernel", "gaussian:1.6", "--noise", "127.5"]
    status, _, err = enlarge(tmp_path / "a.png", *words, "--self_ensemble")
    assert (status, "leave the option out" in err) == (2, True)
    status, out, _ = enlarge(tmp_path / "a.png", *words, "--verify")
    assert status == 0
    assert float(re.search(r"greatest difference from windows without tiles (\S+)", out)[1]) < 1e-6
    result = read.decode(tmp_path / "out/a_bicubic-net_x2.png", "a")
    assert np.abs(result.pixels - 0.5 * bicubic(RGB).clip(0, 510)).max() < 0.51


def test_lines_of_json(tmp_path, enlarge):
    (tmp_path / "a.png").write_bytes(corpus.pillow(RGB, "PNG"))
    (tmp_path / "b.png").write_bytes(b"")
    status, out, _ = enlarge(
        tmp_path / "a.png", tmp_path / "b.png", "--json", "--width", "50", "--format", "tiff", "--bits", "16"
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [line["status"] for line in lines] == ["failed", "enlarged"]
    assert lines[1]["output"] == "a_bicubic-net_50x45.tif"
    result = read.decode(tmp_path / "out/a_bicubic-net_50x45.tif", "a")
    assert (result.pixels.shape, result.pixels.dtype) == ((45, 50, 3), np.uint16)


def test_a_dry_run_writes_nothing(tmp_path, enlarge):
    (tmp_path / "a.jpg").write_bytes(corpus.pillow(RGB, "JPEG"))
    status, out, _ = enlarge(tmp_path / "a.jpg", "--dry_run", "--outscale", "3.5")
    assert status == 0
    assert "a_bicubic-net_x3.5.jpg 140x126" in out
    assert not (tmp_path / "out").exists()
