"""A run whose disk becomes full, and the same command once there is room."""

import errno
import os
from unittest.mock import Mock

import pytest

from sr_jax.errors import TrainingError
from sr_jax.runs.train import train
from sr_jax.training.log import Log
from tests.runs.short_runs import assert_same_bytes, final_state, make_config

pytestmark = pytest.mark.slow


full = Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results.json"))


def fill_at_step_10(monkeypatch, directory):
    """The log has no room from step 10 on."""
    scalars = Log.scalars

    def write(self, step, values):
        if step >= 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory / "metrics.jsonl"))
        scalars(self, step, values)

    monkeypatch.setattr(Log, "scalars", write)


def fill_results(monkeypatch, directory):
    """The tables at the end have no room."""
    del directory
    monkeypatch.setattr("sr_jax.evaluation.report.replace_text", full)


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (
            fill_at_step_10,
            "the disk is full: {directory}/metrics.jsonl could not be written. Step 8 is saved, and the same command",
        ),
        (fill_results, "the disk is full: results.json could not be written. Step 12 is saved, and the same command"),
    ],
    ids=["log", "results"],
)
def test_a_run_goes_on_once_there_is_room(fill, message, pictures, cache, tmp_path, monkeypatch):
    config = make_config(pictures)
    straight = train(config, tmp_path / "straight", cache=cache)
    with monkeypatch.context() as patch:
        fill(patch, tmp_path / "run")
        with pytest.raises(TrainingError, match=message.format(directory=tmp_path / "run")):
            train(config, tmp_path / "run", cache=cache)
    assert train(config, tmp_path / "run", cache=cache) == straight
    assert_same_bytes(final_state(tmp_path / "straight", config), final_state(tmp_path / "run", config))
    for name in ("weights.safetensors", "results.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert not list((tmp_path / "run").rglob("*.partial"))
