"""Training runs of several processes, started as a launcher starts them."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sr_jax.config import EvalConfig, to_json
from tests.conftest import ROOT
from tests.ports import free_port
from tests.runs.short_runs import assert_close_parameters, assert_same_bytes, final_state, logged, make_config

pytestmark = pytest.mark.slow

DEVICES = 4


class Run:
    """A run of several processes that have four devices together. Leaving it ends them."""

    def __init__(self, directory, config, cache, *, count, elsewhere=None):
        directory.mkdir(exist_ok=True, parents=True)
        file = directory.with_suffix(".json")
        file.write_text(to_json(config))
        port = free_port()
        argv = ["--config", str(file), "--cache_dir", str(cache)]
        environment = os.environ | {
            "JAX_NUM_CPU_DEVICES": str(DEVICES // count),
            "PYTHONUNBUFFERED": "1",
            "JAX_PLATFORMS": "cpu",
        }
        self.processes = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "sr_jax.train",
                    *argv,
                    "--workdir",
                    str(elsewhere if index and elsewhere else directory),
                    *cluster,
                ],
                stdout=-1,
                stderr=-1,
                text=True,
                cwd=ROOT,
                env=environment,
            )
            for index in range(count)
            for cluster in [
                [f"--coordinator=127.0.0.1:{port}", f"--processes={count}", f"--process={index}", "--heartbeat_timeout=30"]
                if count > 1
                else []
            ]
        ]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            process.kill()
            process.communicate()

    def wait_for(self, text):
        """Returns when the first process has printed a line with this text."""
        lines = []
        for line in self.processes[0].stdout:
            lines.append(line)
            if text in line:
                return
        raise AssertionError("".join(lines) + self.processes[0].stderr.read())

    def ends(self):
        """The status, output and errors of each process at its end."""
        outputs = [process.communicate(timeout=180) for process in self.processes]
        return [(process.returncode, *output) for process, output in zip(self.processes, outputs, strict=True)]


def test_processes_train_the_network_that_one_process_trains(pictures, cache, tmp_path):
    """All have the same batches and the same four devices. Only the order of the sums between devices may differ."""
    config = make_config(pictures)
    states, scores = {}, {}
    for count in (1, 2, 4):
        with Run(tmp_path / str(count), config, cache, count=count) as run:
            for index, (status, out, err) in enumerate(run.ends()):
                assert status == 0, err
                assert ("Y-PSNR [dB] and SSIM" in out) == (index == 0)
        states[count] = final_state(tmp_path / str(count), config)
        scores[count] = [row["psnr_y"] for row in logged(tmp_path / str(count)) if "psnr_y" in row]
        assert len(list((tmp_path / str(count) / "samples").glob("*.png"))) == 3
        assert len((tmp_path / str(count) / "results.csv").read_text().splitlines()) == 1 + 2 * 4
    for count in (2, 4):
        assert_close_parameters(states[count], states[1])
        np.testing.assert_allclose(scores[count], scores[1], atol=1e-3)


@pytest.mark.parametrize(("stopped", "parallel"), [(0, "pmap"), (1, "shard_map")])
def test_a_signal_to_one_process_stops_all_at_one_step(pictures, cache, tmp_path, stopped, parallel):
    evaluation = EvalConfig(sets=(str(pictures),), every=400)
    config = make_config(pictures, steps=400, checkpoint_every=400, eval=evaluation, log_every=10, parallel=parallel)
    with Run(tmp_path / "stopped", config, cache, count=2) as run:
        run.wait_for("step 20/")
        run.processes[stopped].send_signal(signal.SIGTERM)
        ends = run.ends()
    assert [status for status, _, _ in ends] == [75, 75], ends
    at = [re.search(r"stopped by .* at step (\d+); all is saved", err) for _, _, err in ends]
    assert at[0]
    assert at[1]
    assert at[0][1] == at[1][1]
    for name in ("stopped", "straight"):
        with Run(tmp_path / name, config, cache, count=2) as run:
            for status, _, err in run.ends():
                assert status == 0, err
    assert_same_bytes(final_state(tmp_path / "stopped", config), final_state(tmp_path / "straight", config))
    assert [row["step"] for row in logged(tmp_path / "stopped")] == [row["step"] for row in logged(tmp_path / "straight")]


@pytest.mark.parametrize(("kind", "gone"), [(signal.SIGKILL, 1), (signal.SIGSTOP, 1), (signal.SIGKILL, 0)])
def test_when_one_process_dies_or_freezes_the_other_ends(pictures, cache, tmp_path, kind, gone):
    config = make_config(
        pictures, steps=100_000, checkpoint_every=20, log_every=10, eval=EvalConfig(sets=(str(pictures),), every=100_000)
    )
    with Run(tmp_path / "run", config, cache, count=2) as run:
        run.wait_for("step 40/")
        run.processes[gone].send_signal(kind)
        began = time.monotonic()
        _, err = run.processes[1 - gone].communicate(timeout=90)
        assert run.processes[1 - gone].returncode == 1, err
        assert time.monotonic() - began < 90
        assert re.search(rf"error: .*process {gone}\b", err), err  # how long it waited depends on what it noticed first
        assert "Traceback" not in err
    short = make_config(pictures, steps=100_020, checkpoint_every=20, log_every=10, eval=config.eval)
    with Run(tmp_path / "run", short, cache, count=2) as run:
        run.wait_for("extending")
        run.wait_for("first step")
        run.processes[0].send_signal(signal.SIGTERM)
        assert [status for status, _, _ in run.ends()] == [75, 75]


def test_processes_that_do_not_see_the_same_work_directory(pictures, cache, tmp_path):
    with Run(tmp_path / "one", make_config(pictures), cache, count=1) as run:
        assert run.ends()[0][0] == 0
    longer = make_config(pictures, steps=24)
    with Run(tmp_path / "one", longer, cache, count=2, elsewhere=tmp_path / "another") as run:
        for status, _, err in run.ends():
            assert status == 2, err
            assert (
                "error: the step in the work directory, which all processes must see: process 0 has 12, but process 1 has 0"
                in err
            )
