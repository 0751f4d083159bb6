"""A picture whose patches make the loss NaN."""

import dataclasses
import itertools
import re
import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sr_jax.config import EvalConfig
from sr_jax.data.plan import Sampler
from sr_jax.errors import TrainingError
from sr_jax.runs.train import train
from sr_jax.training import losses
from tests.runs.short_runs import logged, make_config

pytestmark = pytest.mark.slow


CLEAN, STEPS, SIZE = 39, 12, (40, 48)


def poisoned_steps(seed):
    """The steps whose batch holds a patch of the last picture."""
    names = ["?"] * (CLEAN + 1)
    sampler = Sampler([SIZE] * (CLEAN + 1), patch=16, scale=2, batch=8, seed=seed, names=names)
    return [step for step in range(STEPS) if CLEAN in sampler.plan(step).image]


SEED = next(seed for seed in itertools.count() if (steps := poisoned_steps(seed)) and len(steps) > 1 and steps[0] > 4)


@pytest.fixture
def config(pictures, tmp_path, monkeypatch):
    """A run on 40 pictures. The loss of a batch that holds a patch of the last one, which is white, is NaN."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(CLEAN):
        shutil.copy(pictures / f"{'ab'[index % 2]}.png", folder / f"{index:02}.png")
    Image.new("RGB", SIZE[::-1], "white").save(folder / "white.png")

    def loss(sr, hr):
        is_white = jnp.min(hr, axis=(1, 2, 3)) > 0.9
        return jnp.where(jnp.any(is_white), jnp.nan, losses.l1(sr, hr))

    monkeypatch.setitem(losses.LOSSES, "mse", loss)
    evaluation = EvalConfig(sets=(str(pictures),), every=STEPS)
    return make_config(folder, loss="mse", seed=SEED, checkpoint_every=1, eval=evaluation)


def test_the_step_its_plan_and_the_last_good_checkpoint_are_named(config, cache, tmp_path):
    with pytest.raises(TrainingError) as raised:
        train(config, tmp_path / "run", cache=cache)
    told = re.fullmatch(
        r"the loss became nan in step (\d+); the last good checkpoint is that of step (\d+)\. .* The batch: (.*)",
        str(raised.value),
    )
    assert told
    step, safe, batch = int(told[1]), int(told[2]), told[3].split("; ")
    assert step == poisoned_steps(SEED)[0]
    assert len(batch) == 8
    assert any(re.fullmatch(r"white\.png at row \d+, column \d+", patch) for patch in batch)
    assert safe == step - 1
    assert max(int(path.name) for path in (tmp_path / "run/checkpoints").glob("[0-9]*")) == safe


def test_skipped_steps_are_counted_and_logged(config, cache, tmp_path):
    train(dataclasses.replace(config, on_nan="skip"), tmp_path / "run", cache=cache)
    assert sum(row.get("skipped", 0) for row in logged(tmp_path / "run")) == len(poisoned_steps(SEED))
    assert all(np.isfinite(row["psnr_y"]) for row in logged(tmp_path / "run") if "psnr_y" in row)
