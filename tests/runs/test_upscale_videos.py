"""Whole runs of the command on videos, with bicubic interpolation as the network, whose results are known."""

import json
import os
import signal
import subprocess
import sys
import time
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sr_jax import upscale
from sr_jax.assembly import trained
from sr_jax.assembly.trained import Trained
from sr_jax.assembly.upscaler import Upscaler
from sr_jax.config import Config
from sr_jax.models import About
from sr_jax.ops import bicubic_upsample
from sr_jax.video import segments
from tests.pictures import corpus
from tests.video import clips
from tests.video.test_colour import LEVELS

COUNT = len(clips.VARIABLE)


@pytest.fixture(autouse=True)
def network(request, monkeypatch):
    """Whatever is loaded enlarges by bicubic interpolation: RGB, or Y if the test says so."""
    channels = getattr(request, "param", 3)
    about = About(name="Bicubic", channels=channels, scales=(2,))
    params = {"factor": np.ones((), np.float32)}
    network = types.SimpleNamespace(about=about, params=params, apply=lambda p, lr: p["factor"] * bicubic_upsample(lr, 2))
    monkeypatch.setattr(trained, "load", lambda *_, **__: Trained(Config(scale=2), network, "bicubic"))


@pytest.fixture
def enlarge(tmp_path, cache, capsys):
    weights = tmp_path / "net_x2.safetensors"
    weights.write_bytes(b"weights")

    def run(*words, out="out"):
        options = ["--model", str(weights), "--out", str(tmp_path / out), "--cache_dir", str(cache)]
        return upscale.main([*map(str, words), *options]), *capsys.readouterr()

    return run


@pytest.mark.parametrize("network", [1, 3], indirect=True, ids=["y", "rgb"])
def test_colour_bars_keep_their_colours(tmp_path, enlarge):
    """Within the bars, Y, Cb and Cr are at most one level of 8 bits off, encoding included."""
    sizes = {1: (48, 128), 2: (24, 64)}
    numbers = {"bt601": 6, "bt709": 1, "bt2020": 9}
    folder = tmp_path / "in"
    folder.mkdir()
    for (matrix, bits, is_full), levels in LEVELS.items():
        dtype = np.uint8 if bits == 8 else np.uint16
        rows = [
            np.repeat(np.array(row, dtype), 16 // part) for row, part in zip(zip(*levels, strict=True), (1, 2, 2), strict=True)
        ]
        planes = [np.broadcast_to(row, sizes[part]) for row, part in zip(rows, (1, 2, 2), strict=True)]
        clips.write(
            folder / f"{matrix}_{bits}_{is_full}.mp4",
            codec="libx264" if bits == 8 else "libx265",
            pixel_format="yuv420p" if bits == 8 else "yuv420p10le",
            planes=lambda _, planes=planes: planes,
            times=(0, 40),
            size=(48, 128),
            tags=(numbers[matrix], 2, 2, 1 + is_full),
            options={"crf": "1"},
        )
    status, _, err = enlarge(folder, "--quality", "100")
    assert (status, err) == (0, "")
    for (matrix, bits, is_full), levels in LEVELS.items():
        name = f"{matrix}_{bits}_{is_full}_net_x2.mp4"
        result, given = clips.read(tmp_path / "out" / name), clips.read(folder / name.replace("_net_x2", ""))
        assert result.stream["tags"] == given.stream["tags"] == (numbers[matrix], 2, 2, 1 + is_full)
        for bar, colour in enumerate(levels):
            for plane, level, part in zip(result.frames[0], colour, (1, 2, 2), strict=True):
                inner = plane[:, (32 * bar + 12) // part : (32 * bar + 20) // part].astype(int)
                assert np.abs(inner - level).max() <= 2 ** (bits - 8), (name, bar, colour)


def test_pictures_and_videos_of_one_command(tmp_path, enlarge, monkeypatch):
    """Each good input is done, each bad one named, and the same command has nothing left to do."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(corpus.pillow(corpus.of_type(corpus.smooth(3), "uint8"), "PNG"))
    clips.write(folder / "sub/b.mkv", audio="libopus", subtitles=True, rotation=90)
    (folder / "bad.mp4").write_text("not a video")
    status, out, err = enlarge(folder, "--dry_run")
    assert (status, (tmp_path / "out").exists()) == (1, False)
    assert "b.mkv -> sub/b_net_x2.mkv 128x96" in out
    monkeypatch.setattr(segments, "FRAMES", 7)
    status, out, err = enlarge(folder, "--json", "--verify", "--quality", "100")
    lines = {Path(line["input"]).name: line for line in map(json.loads, out.splitlines())}
    assert status == 1
    assert [lines[name]["status"] for name in ("a.png", "b.mkv", "bad.mp4")] == ["enlarged", "enlarged", "failed"]
    assert lines["b.mkv"]["frames"] == COUNT
    assert lines["b.mkv"]["difference"] < 1e-5
    assert "bad.mp4: is damaged or no video" in lines["bad.mp4"]["reason"]
    given, result = clips.read(folder / "sub/b.mkv"), clips.read(tmp_path / "out/sub/b_net_x2.mkv")
    assert (result.times, result.copied) == (given.times, given.copied)
    assert result.stream["rotation"] == 90
    assert '"input_sha256"' not in result.texts["COMMENT"]
    assert '"codec": "h264", "crf": 13' in result.texts["COMMENT"]
    assert not list((tmp_path / "out/.sr_jax").glob("videos*"))

    status, out, _ = enlarge(folder, "--json", "--quality", "100")
    assert [json.loads(line)["status"] for line in out.splitlines()].count("there") == 2
    clips.write(folder / "sub/b.mkv", times=clips.VARIABLE[:3])
    status, out, err = enlarge(folder, "--quality", "100")
    assert "3 frames in" in out
    assert "made again" in out
    (tmp_path / "out/sub/b_net_x2.mkv").write_bytes(b"mine")
    status, out, err = enlarge(folder, "--quality", "100")
    assert (status, "were not written by this command" in err) == (2, True)


def test_an_interrupted_video_goes_on_where_it_was(tmp_path, enlarge, monkeypatch):
    """No frame of a finished segment is computed again, and the file is that of an undisturbed run."""
    monkeypatch.setattr(segments, "FRAMES", 6)
    clips.write(tmp_path / "a.mp4", audio="aac")
    assert enlarge(tmp_path / "a.mp4", out="whole")[0] == 0
    calls, call = [], Upscaler.__call__

    def interrupted(self, picture, way):
        calls.append(1)
        if len(calls) == 16:
            raise KeyboardInterrupt
        return call(self, picture, way)

    monkeypatch.setattr(Upscaler, "__call__", interrupted)
    status, _, err = enlarge(tmp_path / "a.mp4")
    assert status == 75
    assert err == f"interrupted: 12 frames of {tmp_path / 'a.mp4'} are kept, and the same command goes on there\n"
    assert not (tmp_path / "out/a_net_x2.mp4").exists()
    broken = next((tmp_path / "out/.sr_jax/videos").rglob("000001.segment"))
    broken.write_bytes(broken.read_bytes()[:-5])
    calls[:] = [1] * 100
    status, out, _ = enlarge(tmp_path / "a.mp4")
    assert status == 0
    assert "goes on after 6 frames" in out
    assert "20 frames, of which 6 were there, in " in out
    assert len(calls) == 100 + COUNT - 6
    assert (tmp_path / "out/a_net_x2.mp4").read_bytes() == (tmp_path / "whole/a_net_x2.mp4").read_bytes()


def test_other_sizes_and_codecs(tmp_path, enlarge):
    """Sizes are those that are watched, rounded to even numbers."""
    clips.write(tmp_path / "a.webm", codec="libvpx-vp9", times=(0, 40, 90), aspect=Fraction(4, 3), audio="libopus")
    clips.write(tmp_path / "b.mp4", times=(0, 40, 90), rotation=90)
    words = ["--outscale", "1.49", "--bits", "10", "--quality", "60", "--self_ensemble"]
    status, _, err = enlarge(tmp_path / "a.webm", tmp_path / "b.mp4", *words)
    assert (status, err) == (0, "")
    webm, mp4 = clips.read(tmp_path / "out/a_net_x1.49.webm"), clips.read(tmp_path / "out/b_net_x1.49.mp4")
    assert (webm.stream["codec"], webm.stream["format"], webm.stream["size"]) == ("libdav1d", "yuv420p10le", (72, 96))
    assert (mp4.stream["codec"], mp4.stream["format"], mp4.stream["size"]) == ("hevc", "yuv420p10le", (72, 96))
    assert len(webm.times) == len(mp4.times) == 3
    status, _, _ = enlarge(tmp_path / "b.mp4", "--width", "70", "--strip_metadata", "--codec", "av1")
    wide = clips.read(tmp_path / "out/b_net_70x94.mp4")
    assert (status, wide.stream["size"], wide.stream["codec"]) == (0, (70, 94), "libdav1d")
    assert "title" not in wide.texts


def test_what_cannot_be_done_is_said_before(tmp_path, enlarge, monkeypatch):
    clips.write(tmp_path / "a.mp4", times=(0, 40))
    monkeypatch.setattr("sr_jax.runs.upscale.memory_budget", lambda _: round(0.3 * 2**30))
    for words, reason in (
        (["--codec", "vp9", "--bits", "10"], "vp9 is written with 8 bits only"),
        (["--width", "20000"], "is written with 16 to 16,384 pixels a side"),
        (["--width", "1600"], "frames of 64x48 pixels and their results take about 0.4 GiB of memory, and 0.2 GiB may be used"),
    ):
        status, _, err = enlarge(*words, tmp_path / "a.mp4")
        assert (status, reason in err, err.count("\n") <= 1) == (2, True, True), err
    monkeypatch.setattr("sr_jax.assembly.videos.missing", lambda: "videos need PyAV; install it with pip install -e '.[video]'")
    status, _, err = enlarge(tmp_path / "a.mp4")
    assert (status, err) == (2, f"error: {tmp_path / 'a.mp4'}: videos need PyAV; install it with pip install -e '.[video]'\n")


def test_no_video_of_the_command_is_replaced(tmp_path, enlarge):
    """Also not by the result of another one."""
    (tmp_path / "out").mkdir()
    for name in ("a.mp4", "out/a_net_x2.mp4"):
        clips.write(tmp_path / name, times=(0, 40))
    before = (tmp_path / "out/a_net_x2.mp4").read_bytes()
    status, _, err = enlarge(tmp_path / "a.mp4", tmp_path / "out/a_net_x2.mp4", "--overwrite")
    assert (status, "a_net_x2.mp4 is an input, which is never replaced" in err) == (2, True), err
    assert (tmp_path / "out/a_net_x2.mp4").read_bytes() == before


def test_a_damaged_video_keeps_what_is_done(tmp_path, enlarge, monkeypatch):
    monkeypatch.setattr(segments, "FRAMES", 3)
    clips.write(tmp_path / "c.mov", codec="png", pixel_format="gray", planes=lambda i: clips.moving(i)[:1])
    data = bytearray((tmp_path / "c.mov").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    (tmp_path / "c.mov").write_bytes(data)
    status, _, err = enlarge(tmp_path / "c.mov")
    assert (status, "c.mov: frame" in err, "cannot be decoded" in err) == (1, True, True)
    assert list((tmp_path / "out/.sr_jax/videos").rglob("*.segment"))
    assert not list((tmp_path / "out").glob("*.mov"))


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, run, cache):
    """With a trained network, in processes of its own."""
    clips.write(tmp_path / "a.mkv", times=range(0, 40 * 300, 40), audio="libopus")
    command = [sys.executable, "-m", "sr_jax.upscale", str(tmp_path / "a.mkv"), "--model", str(run), "--cache_dir", str(cache)]
    environment = {**os.environ, "PYTHONPATH": str(Path(upscale.__file__).parent.parent)}
    process = subprocess.Popen([*command, "--out", str(tmp_path / "out")], env=environment, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while len(list((tmp_path / "out").rglob("*.segment"))) < 1 and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list((tmp_path / "out").glob("*.mkv"))
    for out in ("out", "whole"):
        done = subprocess.run([*command, "--out", str(tmp_path / out)], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert ("goes on after" in done.stdout) == (out == "out")
    resumed, whole = (clips.read(next((tmp_path / out).glob("*.mkv"))) for out in ("out", "whole"))
    assert (len(resumed.times), resumed.times, resumed.copied) == (300, whole.times, whole.copied)
    for ours, theirs in zip(resumed.frames, whole.frames, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
