"""Runs that are extended, that start from a trained network, or whose keys change on the way."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from sr_jax.config import EvalConfig, FSRCNNConfig, OptimConfig
from sr_jax.errors import TrainingError
from sr_jax.runs.train import train
from sr_jax.training.state import by_name
from tests.runs.short_runs import STEPS, assert_same_bytes, final_state, forget_after, logged, make_config


def rates(directory):
    return {row["step"]: row["lr"] for row in logged(directory) if "lr" in row}


@pytest.mark.slow
@pytest.mark.exact
@pytest.mark.parametrize("on_extend", ["stretch", "restart"])
def test_a_finished_run_is_extended(pictures, cache, tmp_path, capsys, on_extend):
    """Interrupted or not, it ends with the same bytes."""
    optim = OptimConfig(lr=1e-3, warmup_steps=2, on_extend=on_extend)
    short = make_config(pictures, steps=6, optim=optim)
    config = dataclasses.replace(short, steps=STEPS)
    train(short, tmp_path / "straight", cache=cache)
    assert rates(tmp_path / "straight")[6] == pytest.approx(1e-5 + (1e-3 - 1e-5) * 0.5 * (1 + np.cos(np.pi * 3 / 4)))
    capsys.readouterr()
    train(config, tmp_path / "straight", cache=cache)
    out = capsys.readouterr().out
    assert f"extending   {tmp_path / 'straight'} from 6 to 12 steps, at step 6" in out
    assert "restarted" in out if on_extend == "restart" else "stretched" in out

    shutil.copytree(tmp_path / "straight", tmp_path / "stopped")
    forget_after(tmp_path / "stopped", 8)
    train(config, tmp_path / "stopped", cache=cache)
    assert "resuming" in capsys.readouterr().out
    assert_same_bytes(final_state(tmp_path / "straight", config), final_state(tmp_path / "stopped", config))

    # A cosine over all steps, or one over the added steps after its own warm-up.
    at = rates(tmp_path / "straight")
    if on_extend == "stretch":
        planned = lambda step: 1e-5 + (1e-3 - 1e-5) * 0.5 * (1 + np.cos(np.pi * (step - 2) / 10))
        assert [at[step] for step in (8, 10, 12)] == pytest.approx([planned(step - 1) for step in (8, 10, 12)])
    else:
        assert at[8] == pytest.approx(0.5e-3)
        assert at[12] == pytest.approx(1e-5 + (1e-3 - 1e-5) * 0.5 * (1 + np.cos(np.pi * 3 / 4)))


@pytest.mark.slow
@pytest.mark.exact
def test_keys_without_effect_may_change(pictures, cache, tmp_path, capsys):
    config = make_config(pictures)
    train(config, tmp_path / "straight", cache=cache)
    shutil.copytree(tmp_path / "straight", tmp_path / "changed")
    forget_after(tmp_path / "changed", 4)
    data = dataclasses.replace(config.data, pipeline="host", prefetch=1)
    evaluation = EvalConfig(sets=(str(pictures),), every=4, protocol="rgb-uint8")
    changed = dataclasses.replace(config, data=data, eval=evaluation, log_every=3, keep=1)
    capsys.readouterr()
    train(changed, tmp_path / "changed", cache=cache)
    assert "changed     data.pipeline from resident to host" in capsys.readouterr().out
    assert_same_bytes(final_state(tmp_path / "straight", config), final_state(tmp_path / "changed", config))
    [noted] = [json.loads(line) for line in (tmp_path / "changed/changes.jsonl").read_text().splitlines()]
    assert noted["step"] == 4
    assert noted["changes"]["log_every"] == [2, 3]


@pytest.mark.slow
def test_a_run_starts_from_a_network_of_another_scale(pictures, cache, tmp_path, capsys):
    """As in FSRCNN's paper, section 3.5: the convolutions stay those of x2, and only the transposed convolution is trained."""
    model = FSRCNNConfig(d=8, s=4, m=1)
    x2 = make_config(pictures, steps=2, model=model, optim=OptimConfig(lr=1e-3))
    train(x2, tmp_path / "x2", cache=cache)
    frozen = ("feature_*", "shrinking*", "mapping*", "expanding", "expanding_activation.slope")
    optim = OptimConfig(lr=1e-3, warmup_steps=0, frozen=frozen, ema_decay=0.0)
    x3 = make_config(
        pictures, scale=3, data={"patch": 18}, model=model, init=str(tmp_path / "x2"), optim=optim, steps=4, checkpoint_every=2
    )
    capsys.readouterr()
    train(x3, tmp_path / "x3", cache=cache)
    assert f"arrays from {tmp_path / 'x2'}, step 2, ema" in capsys.readouterr().out
    start = final_state(tmp_path / "x2", x2).ema
    end = final_state(tmp_path / "x3", x3).params
    before, after = by_name(start), by_name(end)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith("deconvolution")}

    # It resumes without that network, and ends with the same bytes.
    shutil.copytree(tmp_path / "x3", tmp_path / "resumed")
    forget_after(tmp_path / "resumed", 2)
    shutil.rmtree(tmp_path / "x2")
    train(x3, tmp_path / "resumed", cache=cache)
    assert_same_bytes(final_state(tmp_path / "x3", x3), final_state(tmp_path / "resumed", x3))


def test_a_network_that_diverges_between_reports_stops_the_run(pictures, cache, tmp_path):
    """The loss of the step was finite, but the parameters that it left are not."""
    optim = OptimConfig(method="sgd", lr=1e38, warmup_steps=0, ema_decay=0.0)
    config = make_config(pictures, optim=optim, eval=EvalConfig(sets=(str(pictures),), every=1))
    with pytest.raises(TrainingError, match=r"after step 1, the evaluation failed .*; there is no good checkpoint\. A lower"):
        train(config, tmp_path / "run", cache=cache)
    assert not [path for path in (tmp_path / "run/checkpoints").iterdir() if path.name.isdigit()]
