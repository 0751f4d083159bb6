"""A run in a bucket from its beginning to its results, as a user starts it, at a stand-in of Google Cloud Storage."""

import dataclasses
import json
import signal

import numpy as np
import pytest
from PIL import Image

from sr_jax import evaluate, upscale
from sr_jax import train as command
from sr_jax.config import EvalConfig, to_json
from sr_jax.errors import InputError, TrainingError
from sr_jax.runs.train import train
from sr_jax.system.paths import to_path
from tests.runs.short_runs import assert_same_bytes, final_state, logged, make_config, start_processes

pytestmark = pytest.mark.slow

STEPS = 2000


def test_a_run_in_a_bucket_ends_with_the_bytes_of_a_local_one(cloud, pictures, cache, tmp_path, capsys):
    config = make_config(
        pictures,
        steps=STEPS,
        checkpoint_every=500,
        log_every=100,
        keep=2,
        eval=EvalConfig(sets=(str(pictures),), every=STEPS),
    )
    directory = to_path("gs://bucket/runs/x2")
    (tmp_path / "x2.json").write_text(to_json(config))
    options = ("--config", tmp_path / "x2.json", "--workdir", directory, "--cache_dir", cache)
    with start_processes(directory, config, cache, count=1) as run:
        run.wait_for("step 700/")
        with pytest.raises(InputError, match=r"--workdir gs://bucket/runs/x2 is in use by another run \(process \d+ on "):
            train(config, directory, cache=cache)
        run.processes[0].send_signal(signal.SIGTERM)
        [(status, _, err)] = run.ends(timeout=240)
    assert status == 75, err
    assert "runs/x2/.lock" not in cloud.objects
    at = int(err.rpartition(" at step ")[2].partition(";")[0])
    assert logged(directory)[-1]["step"] == at // 100 * 100

    # What a killed run was writing is deleted, and a flipped bit in the newest checkpoint is seen.
    cloud.put(f"runs/x2/checkpoints/{at + 1}/default/_METADATA", b"{}")
    state = [name for name in cloud.objects if name.startswith(f"runs/x2/checkpoints/{at}/default/") and "/d/" in name]
    damaged = cloud.objects[max(state, key=lambda name: len(cloud.objects[name].data))]
    data = bytearray(damaged.data)
    data[len(data) // 2] ^= 1
    damaged.data = bytes(data)
    with start_processes(directory, config, cache, count=1) as run:
        [(status, out, err)] = run.ends(timeout=240)
    assert status == 0, err
    assert f"resuming    {directory} at step 500\n" in out
    assert f"checkpoint {directory}/checkpoints/{at} is damaged (default/" in err
    assert f"; it is renamed to {at}.damaged\n" in err
    assert {path.name for path in (directory / "checkpoints").iterdir()} == {f"{at}.damaged", str(STEPS - 500), str(STEPS)}

    train(config, tmp_path / "local", cache=cache)
    assert_same_bytes(final_state(directory, config), final_state(tmp_path / "local", config))
    assert [row["step"] for row in logged(directory)] == [row["step"] for row in logged(tmp_path / "local")]
    for name in ("weights.safetensors", "results.json", "samples/pictures0_a.png", "config.json", "data.json", "finished.json"):
        assert (directory / name).read_bytes() == (tmp_path / "local" / name).read_bytes(), name
    assert {path.name for path in (tmp_path / "local").iterdir()} - {".lock"} == {path.name for path in directory.iterdir()}

    capsys.readouterr()
    assert command.main([str(option) for option in options]) == 0
    assert "holds this finished run, so nothing was computed" in capsys.readouterr().out
    scores = []
    for model in (directory, directory / "weights.safetensors", tmp_path / "local"):
        assert evaluate.main(["--model", str(model), "--sets", str(pictures), "--out", "gs://bucket/scores"]) == 0
        scores.append([{**row, "weights": ""} for row in json.loads(cloud.objects["scores/results.json"].data)])
        options = ["--model", str(model), "--out", str(tmp_path / "enlarged"), "--overwrite", "--cache_dir", str(tmp_path)]
        assert upscale.main([str(next(pictures.glob("*.png"))), *options]) == 0
    enlarged = [np.asarray(Image.open(path)).tobytes() for path in (tmp_path / "enlarged").glob("*.png")]
    assert len(enlarged) == 3
    assert len({*enlarged}) == 1
    assert [row["psnr_y"] for row in scores[0]] == [row["psnr_y"] for row in scores[1]] == [row["psnr_y"] for row in scores[2]]


def test_a_bucket_without_permission_ends_a_run_before_it_begins(cloud, capsys):
    directory, reason = (
        to_path("gs://bucket/run"),
        "Permission denied by the cloud: the caller does not have storage.objects access",
    )
    cloud.fault = lambda method, path: 403
    assert command.main(["--workdir", str(directory)]) == 2
    assert capsys.readouterr().err == f"error: --workdir {directory} cannot be read ({reason})\n"
    cloud.fault = lambda method, path: 403 if method == "POST" else None
    assert command.main(["--workdir", str(directory)]) == 2
    assert capsys.readouterr().err == f"error: --workdir {directory} cannot be written ({reason}); take another directory\n"
    assert command.main(["--workdir", "s3://bucket/run"]) == 2
    assert "error: --workdir: s3://bucket/run: s3:// cannot be used here; mount the bucket" in capsys.readouterr().err


def test_several_processes_share_a_bucket(cloud, pictures, cache):
    """All see at once what the first one writes, also at a resumption."""
    config, directory = make_config(pictures), to_path("gs://bucket/run")
    for steps, begins in ((config.steps, "writing to"), (2 * config.steps, "extending")):
        with start_processes(directory, dataclasses.replace(config, steps=steps), cache, count=2) as run:
            for index, (status, out, err) in enumerate(run.ends()):
                assert status == 0, err
                assert (f"{begins}  " in out) == (index == 0)
    assert [row["step"] for row in logged(directory) if "loss" in row] == list(range(2, 2 * config.steps + 1, 2))
    assert "run/.lock" not in cloud.objects


def test_permission_that_is_lost_during_a_run(cloud, pictures, cache, capsys):
    """What was saved is named, and the same command goes on."""
    config, directory = make_config(pictures), to_path("gs://bucket/run")

    def fault(method, path):
        return 403 if method == "POST" and "checkpoints/6" in path else None

    cloud.fault = fault
    with pytest.raises(TrainingError) as caught:
        train(config, directory, cache=cache)
    assert str(caught.value).startswith("checkpoint gs://bucket/run/checkpoints/6 could not be written (")
    assert "Step 4 is saved, and the same command goes on from it" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "run/.lock" not in cloud.objects
    cloud.fault = lambda method, path: None
    train(config, directory, cache=cache)
    assert f"resuming    {directory} at step 4\n" in capsys.readouterr().out
