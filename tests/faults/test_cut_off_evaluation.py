"""A signal that comes in the middle of an evaluation."""

import os
import signal

import pytest

from sr_jax.errors import Interrupted
from sr_jax.evaluation.evaluator import Evaluator
from sr_jax.runs.train import train
from tests.runs.short_runs import assert_same_bytes, final_state, make_config, timeless

pytestmark = [pytest.mark.slow, pytest.mark.exact]


def test_an_evaluation_that_was_cut_off_is_made_up_for(pictures, cache, tmp_path, monkeypatch):
    config = make_config(pictures)
    score = Evaluator.__call__

    def stopped(self, *arguments, weights, **options):
        if weights.startswith("step 6,"):
            os.kill(os.getpid(), signal.SIGTERM)
        return score(self, *arguments, weights=weights, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "__call__", stopped)
        with pytest.raises(Interrupted, match="stopped by SIGTERM at step 6; all is saved"):
            train(config, tmp_path / "run", cache=cache)
    assert not any("psnr_y" in row for row in timeless(tmp_path / "run"))
    rows = train(config, tmp_path / "run", cache=cache)
    assert rows == train(config, tmp_path / "straight", cache=cache)
    assert timeless(tmp_path / "run") == timeless(tmp_path / "straight")
    assert_same_bytes(final_state(tmp_path / "run", config), final_state(tmp_path / "straight", config))
