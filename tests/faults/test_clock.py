"""A clock that jumps backwards, while a run trains and from one start to the next."""

import itertools
import shutil
import time

import pytest

from sr_jax.runs.train import train
from sr_jax.training.checkpoint import Checkpoints
from tests.runs.short_runs import assert_same_bytes, final_state, forget_after, make_config, timeless

pytestmark = [pytest.mark.slow, pytest.mark.exact]


def test_no_result_depends_on_the_clock(pictures, cache, tmp_path, monkeypatch):
    config = make_config(pictures)
    train(config, tmp_path / "straight", cache=cache)
    shutil.copytree(tmp_path / "straight", tmp_path / "run")
    forget_after(tmp_path / "run", 4)
    reads = itertools.count()
    monkeypatch.setattr(time, "time", lambda: 1.0e9 - next(reads))  # in 2001, and each look at it is a second earlier
    train(config, tmp_path / "run", cache=cache)
    assert next(reads) > 10
    assert timeless(tmp_path / "run") == timeless(tmp_path / "straight")
    assert_same_bytes(final_state(tmp_path / "run", config), final_state(tmp_path / "straight", config))
    with Checkpoints(tmp_path / "run/checkpoints", keep=10) as checkpoints:
        assert checkpoints.steps() == [4, 6, 8, 12]
        assert checkpoints.latest() == 12
