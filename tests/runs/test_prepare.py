"""The command that prepares the images of a config. Stores of records have their own tests in tests/data/records."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sr_jax import prepare
from sr_jax.assembly.degradation import of_training
from sr_jax.assembly.evaluator import open_evaluation_sets
from sr_jax.assembly.pipeline import make_pipeline
from sr_jax.assembly.training_images import load_training_images
from sr_jax.config import EvalConfig
from sr_jax.data.records import store, tiles
from sr_jax.errors import Interrupted
from sr_jax.runs import prepare as preparing
from sr_jax.runs.preview import pairs_of_step
from sr_jax.runs.train import train
from tests.runs.short_runs import BLURRED, assert_same_bytes, final_state, forget_after, make_config

ROOT = Path(__file__).parents[2]


def arguments(pictures, cache, pipeline):
    keys = {"data.name": "folder", "data.dir": pictures, "data.leaks": "allow", "data.patch": 16, "eval.sets": pictures}
    options = [f"--config.{key}={value}" for key, value in keys.items()]
    return [*options, f"--config.data.pipeline={pipeline}", "--cache_dir", str(cache)]


@pytest.mark.parametrize("pipeline", ["records", "host", "resident"])
def test_it_prepares_what_training_needs(pictures, tmp_path, capsys, monkeypatch, pipeline):
    """Afterwards nothing is written any more, and the same command says the same."""
    argv = arguments(pictures, tmp_path / "cache", pipeline)
    assert prepare.main(argv) == 0
    out, err = capsys.readouterr()
    assert re.search(r"^evaluation  pictures\d* \(3 images\)\n +[\d.]+ MiB in \S+/prepared/sr_jax_folder-", out)
    assert f"\ntraining    3 images (0.0 megapixels), data.pipeline={pipeline}\n" in out
    place = "records" if pipeline == "records" else "packs"
    assert re.search(rf"\n +[\d.]+ MiB in {tmp_path}/cache/{place}/pictures\d*-hr-", out)
    assert err.startswith("preparing pictures") == (pipeline == "records")

    def times():
        files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]
        return {path: path.stat().st_mtime_ns for path in files if path.name != ".lock"}

    before = times()
    assert any(place in path.parts for path in before)
    monkeypatch.setattr(store, "_make", None)
    assert prepare.main(argv) == 0
    assert capsys.readouterr().out == out
    assert times() == before


def test_only_records_need_no_copy_of_the_files(pictures, tmp_path, sets):
    for pipeline, copies in (("records", 1), ("host", 2)):  # that of the evaluation set, and that of the training set
        config = make_config(pictures, data={"pipeline": pipeline}, eval=EvalConfig(sets=(str(sets / "Set14/HR"),), every=6))
        preparing.prepare(config, cache=tmp_path)
        assert len([path for path in (tmp_path / "prepared").glob("sr_jax_folder-*") if path.is_dir()]) == copies


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--config.data.patch=400"], "a patch of 400x400 does not fit into the smallest image"),
        (["--config.data.lr_source=files"], "no LR images at x2"),
        (["--config.data.pipeline=tiles"], "--config.data.pipeline"),
    ],
)
def test_what_cannot_be_used_is_named(pictures, tmp_path, capsys, options, message):
    assert prepare.main([*arguments(pictures, tmp_path, "records"), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_bad_image_is_refused_or_skipped(pictures, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    for path in pictures.iterdir():
        (tmp_path / "mine" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "mine/text.png").write_text("text")
    argv = [*arguments(tmp_path / "mine", tmp_path / "cache", "records"), "--config.eval.sets", str(pictures)]
    assert prepare.main(argv) == 2
    assert "1 image(s) cannot be used" in capsys.readouterr().err
    assert prepare.main([*argv, "--config.data.bad_images=skip"]) == 0
    out, err = capsys.readouterr()
    assert "training    3 images" in out
    assert "skipping 1 image(s):\n  text.png: not an image" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(pictures, tmp_path, monkeypatch, number, capsys):
    def stop(*_):
        signal.raise_signal(number)

    monkeypatch.setattr(preparing, "load_training_images", stop)
    assert prepare.main(arguments(pictures, tmp_path, "records")) == Interrupted.status
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"stopped by {number.name}; what is finished stays, and the same command goes on\n"


@pytest.mark.slow
def test_a_real_preparation_is_stopped_and_goes_on(tmp_path, capsys):
    """Noise takes long to write, so that SIGTERM comes in the middle."""
    rng = np.random.default_rng(0)
    (tmp_path / "large").mkdir()
    for i in range(60):
        pixels = rng.integers(0, 256, (800, 800, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "large" / f"{i:02}.bmp")
    argv = [*arguments(tmp_path / "large", tmp_path / "cache", "records"), "--config.eval.sets", "photographs"]
    code = "import sys; from sr_jax import prepare; from sr_jax.data.records import store; store.LEAST_PART = 5 * 10**6; "
    command = [sys.executable, "-c", f"{code}sys.exit(prepare.main(sys.argv[1:]))", *argv]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True) as process:
        until = time.monotonic() + 60
        while not list((tmp_path / "cache").glob("records/*/part-00001*.json")) and time.monotonic() < until:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == Interrupted.status, err
    assert out == ""
    assert err.endswith("stopped by SIGTERM; what is finished stays, and the same command goes on\n")
    assert "Traceback" not in err
    finished = list((tmp_path / "cache").glob("records/*/part-*.json"))
    assert 2 <= len(finished) < 20
    assert not list((tmp_path / "cache").glob("records/*/*.partial"))
    times = {path: path.stat().st_mtime_ns for path in finished}
    assert prepare.main(argv) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == times
    assert f"; {3 * len(finished)} of its images are finished" in capsys.readouterr().err


def test_the_preview_shows_the_same_pairs(pictures, tmp_path):
    """Blur and noise need windows that are larger than the patches."""
    pairs = [
        pairs_of_step(make_config(pictures, data={"pipeline": pipeline, "degradation": BLURRED}), 2, tmp_path)
        for pipeline in ("resident", "records")
    ]
    for a, b in zip(pairs[0][:2], pairs[1][:2], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.exact
def test_a_run_may_change_to_records(pictures, cache, tmp_path, capsys):
    """It ends with the same parameters, to the last byte. The images are recognised as the same."""
    config = make_config(pictures, data={"pipeline": "host", "degradation": BLURRED})
    train(config, tmp_path / "straight", cache=cache)
    shutil.copytree(tmp_path / "straight", tmp_path / "changed")
    forget_after(tmp_path / "changed", 4)
    changed = make_config(pictures, data={"pipeline": "records", "degradation": BLURRED, "threads": 2})
    train(changed, tmp_path / "changed", cache=cache)
    assert "changed     data.pipeline from host to records" in capsys.readouterr().out
    assert_same_bytes(final_state(tmp_path / "straight", config), final_state(tmp_path / "changed", changed))


def test_training_holds_no_images(pictures, tmp_path, monkeypatch):
    """Neither the devices nor the host do."""
    monkeypatch.setattr("sr_jax.data.pack.build", None)
    config = make_config(pictures, data={"pipeline": "records"})
    images = load_training_images(config, of_training(config), open_evaluation_sets(config, tmp_path), tmp_path)
    assert make_pipeline(config, images, margin=4).images == ()
    arrays = [value for value in images.packs.hr if isinstance(value, np.ndarray)]
    assert [array.shape for array in arrays] == [(3,)] * 3
    images.packs.hr.store.image(0)
    assert images.packs.hr.store._unpacked.cache_info().maxsize * tiles.MOST_BYTES < 2**26
