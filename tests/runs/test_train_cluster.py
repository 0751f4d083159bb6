"""Training runs of several processes, started as a launcher starts them."""

import re
import signal
import time

import numpy as np
import pytest

from sr_jax.config import EvalConfig
from tests.runs.short_runs import assert_close_parameters, assert_same_bytes, final_state, logged, make_config, start_processes

pytestmark = pytest.mark.slow


def test_processes_train_the_network_that_one_process_trains(pictures, cache, tmp_path):
    """All have the same batches and the same four devices. Only the order of the sums between devices may differ."""
    config = make_config(pictures)
    states, scores = {}, {}
    for count in (1, 2, 4):
        with start_processes(tmp_path / str(count), config, cache, count=count) as run:
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
    with start_processes(tmp_path / "stopped", config, cache, count=2) as run:
        run.wait_for("step 20/")
        run.processes[stopped].send_signal(signal.SIGTERM)
        ends = run.ends()
    assert [status for status, _, _ in ends] == [75, 75], ends
    at = [re.search(r"stopped by .* at step (\d+); all is saved", err) for _, _, err in ends]
    assert at[0]
    assert at[1]
    assert at[0][1] == at[1][1]
    for name in ("stopped", "straight"):
        with start_processes(tmp_path / name, config, cache, count=2) as run:
            for status, _, err in run.ends():
                assert status == 0, err
    assert_same_bytes(final_state(tmp_path / "stopped", config), final_state(tmp_path / "straight", config))
    assert [row["step"] for row in logged(tmp_path / "stopped")] == [row["step"] for row in logged(tmp_path / "straight")]


@pytest.mark.parametrize(
    ("kind", "gone", "line"),
    [
        (signal.SIGKILL, 1, r"error: no sign of life of process 1 for (?:10|30) s; .*"),  # Gloo may or may not notice it first
        (signal.SIGSTOP, 1, r"error: no sign of life of process 1 for 30 s; .*"),
        (signal.SIGKILL, 0, r"error: process 0 is gone: .*"),
    ],
)
def test_when_one_process_dies_or_freezes_the_other_ends(pictures, cache, tmp_path, kind, gone, line):
    config = make_config(
        pictures, steps=100_000, checkpoint_every=20, log_every=10, eval=EvalConfig(sets=(str(pictures),), every=100_000)
    )
    with start_processes(tmp_path / "run", config, cache, count=2) as run:
        run.wait_for("step 40/")
        run.processes[gone].send_signal(kind)
        began = time.monotonic()
        [(status, _, err)] = run.ends(timeout=90, without=[gone])
        assert status == 1, err
        assert time.monotonic() - began < 90
        assert len(re.findall(rf"^{line}$", err, re.MULTILINE)) == 1, err
        assert "Traceback" not in err
    short = make_config(pictures, steps=100_020, checkpoint_every=20, log_every=10, eval=config.eval)
    with start_processes(tmp_path / "run", short, cache, count=2) as run:
        run.wait_for("extending")
        run.wait_for("first step")
        run.processes[0].send_signal(signal.SIGTERM)
        assert [status for status, _, _ in run.ends()] == [75, 75]


def test_processes_that_do_not_see_the_same_work_directory(pictures, cache, tmp_path):
    with start_processes(tmp_path / "one", make_config(pictures), cache, count=1) as run:
        assert run.ends()[0][0] == 0
    longer = make_config(pictures, steps=24)
    with start_processes(tmp_path / "one", longer, cache, count=2, elsewhere=tmp_path / "another") as run:
        for status, _, err in run.ends():
            assert status == 2, err
            assert (
                "error: the step in the work directory, which all processes must see: process 0 has 12, but process 1 has 0"
                in err
            )
