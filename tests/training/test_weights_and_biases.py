"""What happens where Weights & Biases fails; runs/test_train_recorded has a run with the real package."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from sr_jax.errors import Interrupted, TrainingError
from sr_jax.training.log import Log
from sr_jax.training.weights_and_biases import WandbRun


class Fake:
    """Stands in for the package, and for the run that it returns."""

    def __init__(self, failing=()):
        self.calls, self.failing = [], failing

    def __getattr__(self, name):
        def call(*arguments, **options):
            self.calls.append((name, arguments, options))
            if name in self.failing:
                raise RuntimeError(f"no\n{name}")
            return self if name == "init" else SimpleNamespace()

        return call

    def named(self, name):
        return [(arguments, options) for called, arguments, options in self.calls if called == name]


@pytest.fixture
def install(monkeypatch):
    def install(**options):
        fake = Fake(**options)
        monkeypatch.setitem(sys.modules, "wandb", fake)
        return fake

    return install


def test_a_resumed_run_goes_on_in_the_same_run_and_sends_no_line_twice(tmp_path, install):
    wandb = install()
    with Log(tmp_path, step=0, wandb=WandbRun(tmp_path, "sr", {})) as log:
        for step in (10, 20, 30):
            log.scalars(step, {"loss": 1.0})
    with Log(tmp_path, step=20, wandb=WandbRun(tmp_path, "sr", {})) as log:
        log.scalars(20, {"psnr_y": 30.0})  # an evaluation that is made up for
        log.scalars(30, {"loss": 1.0})
        log.scalars(40, {"loss": 1.0})
    first, second = (options for _, options in wandb.named("init"))
    assert first["id"] == second["id"] == json.loads((tmp_path / "wandb.json").read_text())["sr"]
    assert first["name"] == tmp_path.name
    assert [options["step"] for _, options in wandb.named("log")] == [10, 20, 30, 20, 40]
    WandbRun(tmp_path, "another", {})
    assert wandb.named("init")[-1][1]["id"] != first["id"]


@pytest.mark.parametrize("failing", ["init", "log", "Image", "mark_preempting", "finish"])
def test_a_failure_is_one_warning(tmp_path, install, capsys, failing):
    wandb = install(failing=[failing])

    def run(log):
        with log:
            for step in (10, 20):
                log.picture(step, "cat", np.zeros((4, 4, 3), np.uint8))
                log.scalars(step, {"loss": 1.0})
            raise Interrupted

    log = Log(tmp_path, step=0, wandb=WandbRun(tmp_path, "sr", {}))
    with pytest.raises(Interrupted):
        run(log)
    err = capsys.readouterr().err
    assert err.startswith("warning: Weights & Biases ")
    assert err.count("\n") == err.count(f"(no {failing})") == 1
    assert len(wandb.named(failing)) == 1
    assert [row["step"] for row in log.history()] == [10, 20]


@pytest.mark.parametrize(
    ("error", "code", "is_preempted"), [(None, 0, 0), (Interrupted(), 75, 1), (TrainingError(), 1, 0), (OSError(), 1, 0)]
)
def test_how_it_ended(tmp_path, install, error, code, is_preempted):
    wandb = install()
    WandbRun(tmp_path, "sr", {}).close(error)
    assert wandb.named("finish") == [((), {"exit_code": code})]
    assert len(wandb.named("mark_preempting")) == is_preempted
