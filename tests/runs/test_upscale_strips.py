"""The command on pictures that do not fit into the memory."""

import io
import json
import types

import numpy as np
import pytest

from sr_jax import upscale
from sr_jax.pictures import read
from sr_jax.pictures.plan import Job
from tests.pictures import corpus
from tests.runs.test_upscale import RGB, bicubic


@pytest.fixture(autouse=True)
def _nothing_fits(monkeypatch, bicubic_network):  # noqa: ARG001
    """No picture fits into the memory as a whole."""
    monkeypatch.setattr(Job, "memory", lambda *_, **__: 2**60)


def test_what_does_not_fit_is_enlarged_in_strips(tmp_path, enlarge):
    folder = tmp_path / "in"
    folder.mkdir()
    deep = corpus.of_type(corpus.smooth(3), "uint16")
    for name, data in {
        "a.png": corpus.pillow(RGB, "PNG"),
        "b.tif": corpus.tiff(deep, photometric="rgb"),
        "c.jpg": corpus.pillow(RGB, "JPEG"),
        "d.png": corpus.png_header(100_000, 100_000),
    }.items():
        (folder / name).write_bytes(data)
    status, out, err = enlarge(folder, "--verify")
    assert status == 1
    assert "c.jpg: 40x36 pixels take about" in err
    assert "JPEG is not read in strips; convert it to PNG or TIFF" in err
    assert "d.png: 100,000x100,000 pixels take about" in err
    assert out.count(", in strips, greatest difference from windows without tiles") == 2
    for name, pixels in (("a_bicubic-net_x2.png", RGB), ("b_bicubic-net_x2.tif", deep)):
        result = read.decode(tmp_path / "out" / name, name).pixels
        greatest = np.iinfo(pixels.dtype).max
        assert np.abs(result - bicubic(pixels).clip(0, greatest)).max() <= 0.52
    assert sorted(path.name for path in (tmp_path / "out/.sr_jax").iterdir()) == ["lock", "records.jsonl"]
    status, out, _ = enlarge(folder, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["status"] for line in lines] == ["failed", "failed", "there", "there"]
    status, out, _ = enlarge(folder / "a.png", "--dry_run", out="other")
    assert (status, "80x72, in strips" in out) == (0, True)


def test_standard_output_takes_a_result_in_strips(model, cache, monkeypatch):
    source, target = io.BytesIO(corpus.pillow(RGB, "PNG")), io.BytesIO()
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=source))
    monkeypatch.setattr("sys.stdout", types.SimpleNamespace(buffer=target, write=lambda text: pytest.fail(text)))
    assert upscale.main(["-", "--model", str(model), "--out", "-", "--cache_dir", str(cache)]) == 0
    result = read.decode(target.getvalue(), "result").pixels
    assert np.abs(result - bicubic(RGB).clip(0, 255)).max() <= 0.51


def test_a_damaged_picture_does_not_stop_the_others(tmp_path, enlarge):
    data = corpus.pillow(RGB, "PNG")
    (tmp_path / "bad.png").write_bytes(data[:-30] + bytes(18) + data[-12:])
    (tmp_path / "good.png").write_bytes(data)
    status, _, err = enlarge(tmp_path / "bad.png", tmp_path / "good.png")
    assert status == 1
    assert "not enlarged: " in err
    assert "bad.png: is damaged" in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".sr_jax", "good_bicubic-net_x2.png"]
    assert not list((tmp_path / "out/.sr_jax").glob("*.partial"))
