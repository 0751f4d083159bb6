"""Runs whose newest checkpoint is damaged: one flipped bit in an array, which Orbax restores without an error."""

import shutil

import jax
import numpy as np
import pytest

from benchmarks.fault_runs import flip_a_bit
from sr_jax.assembly import trained
from sr_jax.runs.train import train
from tests.runs.short_runs import assert_same_bytes, final_state, forget_after, logged, make_config, start_processes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def straight(pictures, cache, tmp_path_factory):
    """A finished run with checkpoints of the steps 4, 6, 8 and 12."""
    directory = tmp_path_factory.mktemp("runs") / "straight"
    train(make_config(pictures), directory, cache=cache)
    return directory


@pytest.mark.exact
def test_a_run_goes_on_from_the_newest_good_checkpoint(straight, pictures, cache, tmp_path, capsys):
    config = make_config(pictures)
    shutil.copytree(straight, tmp_path / "run")
    forget_after(tmp_path / "run", 8)
    flip_a_bit(tmp_path / "run/checkpoints/8")
    capsys.readouterr()
    train(config, tmp_path / "run", cache=cache)
    out, err = capsys.readouterr()
    assert f"resuming    {tmp_path / 'run'} at step 6\n" in out
    assert f"checkpoint {tmp_path / 'run'}/checkpoints/8 is damaged (default/" in err
    assert "; it is renamed to 8.damaged\n" in err
    assert (tmp_path / "run/checkpoints/8.damaged").is_dir()
    assert_same_bytes(final_state(straight, config), final_state(tmp_path / "run", config))
    assert [row["step"] for row in logged(straight)] == [row["step"] for row in logged(tmp_path / "run")]


def test_commands_take_the_newest_good_checkpoint(straight, tmp_path, capsys):
    shutil.copytree(straight, tmp_path / "run")
    flip_a_bit(tmp_path / "run/checkpoints/12")
    network = trained.load(str(tmp_path / "run"), which="latest", parameters="ema")
    assert network.step == 8
    assert capsys.readouterr().err.endswith("; it is left out\n")
    shutil.rmtree(tmp_path / "run/checkpoints/12")
    expected = trained.load(str(tmp_path / "run"), which="latest", parameters="ema").network.params
    for ours, theirs in zip(jax.tree.leaves(network.network.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_all_processes_go_on_from_the_same_checkpoint(pictures, cache, tmp_path):
    config = make_config(pictures)
    with start_processes(tmp_path / "straight", config, cache, count=2) as run:
        assert [status for status, _, _ in run.ends()] == [0, 0]
    shutil.copytree(tmp_path / "straight", tmp_path / "run")
    forget_after(tmp_path / "run", 8)
    flip_a_bit(tmp_path / "run/checkpoints/8")
    with start_processes(tmp_path / "run", config, cache, count=2) as run:
        (first, out, err), (second, _, quiet) = run.ends()
    assert (first, second) == (0, 0), err
    assert "at step 6\n" in out
    assert "8 is damaged (" in err
    assert "damaged" not in quiet
    assert_same_bytes(final_state(tmp_path / "straight", config), final_state(tmp_path / "run", config))
