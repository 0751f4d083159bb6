"""Training runs of a few steps, and what is compared of them."""

import json
import re
import shutil
from pathlib import Path

import jax
import numpy as np

from benchmarks.fault_runs import Run
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_optimizer
from sr_jax.config import (
    Config,
    DataConfig,
    EvalConfig,
    FSRCNNConfig,
    GaussianBlur,
    GaussianNoise,
    OptimConfig,
    Subsample,
)
from sr_jax.system.paths import AnyPath
from sr_jax.training import state
from sr_jax.training.checkpoint import Checkpoints

STEPS = 12
DEVICES = 4
BLURRED = (GaussianBlur(size=9, sigma=(0.6, 1.2)), Subsample(), GaussianNoise(sigma=(0.0, 5.0)))


def start_processes(directory: AnyPath, config: Config, cache: Path, *, count: int, elsewhere: Path | None = None) -> Run:
    """Starts a run of several processes, which have four devices together."""
    return Run(directory, config, cache, count=count, devices=DEVICES // count, elsewhere=elsewhere)


def make_config(pictures: Path, **changes) -> Config:
    data = {
        "name": "folder",
        "dir": str(pictures),
        "leaks": "allow",
        "batch": 8,
        "patch": 16,
        "threads": 1,
        **changes.pop("data", {}),
    }
    defaults = {
        "steps": STEPS,
        "model": FSRCNNConfig(d=8, s=4, m=1),
        "data": DataConfig(**data),
        "optim": OptimConfig(lr=1e-3, warmup_steps=2),
        "eval": EvalConfig(sets=(str(pictures),), every=6),
        "log_every": 2,
        "checkpoint_every": 4,
        "keep": 10,
    }
    return Config(**(defaults | changes))


def final_state(directory: AnyPath, config: Config) -> state.State:
    params = make_network(config).params
    optimizer = make_optimizer(config, params)
    with Checkpoints(directory / "checkpoints", keep=10) as checkpoints:
        assert checkpoints.latest() == config.steps
        return checkpoints.restore(state.create(params, optimizer))


def logged(directory: AnyPath) -> list[dict]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def timeless(directory: Path) -> list[dict]:
    """The log without what differs from one run to the next: times and memory."""
    measured = re.compile(r"images_per_s|wait_share|step_s_.*|.*_bytes(_peak)?")
    return [{name: value for name, value in row.items() if not measured.fullmatch(name)} for row in logged(directory)]


def assert_same_bytes(a: state.State, b: state.State) -> None:
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def assert_close_parameters(a: state.State, b: state.State) -> None:
    """Compares runs of `STEPS` steps on different numbers of devices, whose sums have another order."""
    for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(b.params), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)  # 12 steps at a learning rate of 1e-3


def forget_after(directory: Path, step: int) -> None:
    """Puts a work directory back to where it was at `step`, as a crash would leave it."""
    for path in (directory / "checkpoints").iterdir():
        if path.name.isdigit() and int(path.name) > step:
            shutil.rmtree(path)
    for name in ("results.json", "results.md", "curve.png"):
        (directory / name).unlink()
