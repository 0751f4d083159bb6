"""What does saving checkpoints cost a run?

    python -m benchmarks.checkpoints

The script trains the networks of configs with random batches. In each round it runs some steps without saving, and as many
with a checkpoint at their beginning, in turns. These last until the checkpoint is written. So the difference of the two times
is all that a save costs: the training loop waits for it, and is slower while it is written in the background on the same cores.
The script prints medians, and relates the difference to 1,000 steps. It also prints at which time of a step a save every 1,000
steps costs 1 %. If a step is shorter, the share is larger.
"""

import argparse
import dataclasses
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import platformdirs
from tabulate import tabulate

from benchmarks.scaling import prepare
from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.system.compilation import use_compilation_cache
from sr_jax.training.checkpoint import Checkpoints
from sr_jax.training.step import Constants

EVERY = 1000
"""Steps between two checkpoints."""
SHARE = 0.01
"""The share of the time that they may cost."""


class Turn(NamedTuple):
    """The seconds of some steps with and without a save at their beginning."""

    with_save: float
    without: float
    blocking: float
    """How long the training loop waits for the save."""


class Training:
    """The training step of a config on all devices, with its state and one batch."""

    def __init__(self, config: Config):
        prepared = prepare(config, jax.devices())
        rng = np.random.default_rng(0)
        batch = jax.tree.map(lambda a: rng.integers(0, 8 if a.dtype == jnp.int32 else 255, a.shape, a.dtype), prepared.items)
        self._spread, self._items = prepared.spread, jax.block_until_ready(prepared.spread.put(batch))
        self.state = prepared.spread.replicate(prepared.state)

    def run(self, steps: int) -> float:
        """Trains and returns the seconds."""
        begin = time.perf_counter()
        for _ in range(steps):
            self.state, _ = self._spread(self.state, Constants(), self._items)
        jax.block_until_ready(self.state)
        return time.perf_counter() - begin


def measure(config: Config, folder: Path, *, steps: int, rounds: int) -> dict[str, Any]:
    """Returns the figures of a config.

    Args:
      steps: the least number of steps in a turn.
    """
    training = Training(config)
    training.run(2)  # this compiles
    with Checkpoints(folder, keep=config.keep) as checkpoints:
        checkpoints.save(training.state)  # the first one takes longer
        checkpoints.wait()
        step = training.run(steps) / steps
        alone = []
        for _ in range(rounds):
            training.run(1)
            begin = time.perf_counter()
            checkpoints.save(training.state)
            checkpoints.wait()
            alone.append(time.perf_counter() - begin)
        steps = max(steps, math.ceil(3 * statistics.median(alone) / step))  # writing takes longer beside training
        turns = []
        for i in range(rounds):
            seconds = {}
            blocking = 0.0
            for saves in (True, False) if i % 2 else (False, True):
                begin = time.perf_counter()
                if saves:
                    checkpoints.save(training.state)
                    blocking = time.perf_counter() - begin
                training.run(steps)
                seconds[saves] = time.perf_counter() - begin
                begin = time.perf_counter()
                checkpoints.wait()
                seconds[saves] += time.perf_counter() - begin
            turns.append(Turn(seconds[True], seconds[False], blocking))
    step = statistics.median(turn.without for turn in turns) / steps
    cost = steps * step * (statistics.median(turn.with_save / turn.without for turn in turns) - 1)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(training.state))
    return {
        "network": configs.title(config.model),
        "state [MB]": size / 1e6,
        "step [ms]": 1000 * step,
        "waiting for a save [ms]": 1000 * statistics.median(turn.blocking for turn in turns),
        "until it is written [ms]": 1000 * statistics.median(alone),
        "cost of a save [ms]": 1000 * cost,
        f"{EVERY:,} steps [s]": EVERY * step,
        "share": f"{cost / (EVERY * step):.2%}",
        f"step at which it is {SHARE:.0%} [ms]": 1000 * cost / EVERY / SHARE,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", nargs="+", default=["configs/fsrcnn_x2.py", "configs/edsr_baseline_x2.py"])
    parser.add_argument("--batch", type=int, help="the batch; by default the config's")
    parser.add_argument("--patch", type=int, help="side of an HR patch; by default the config's")
    parser.add_argument("--steps", type=int, default=4, help="least number of steps in a turn")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, help="where checkpoints are written; by default the folder of temporary files")
    options = parser.parse_args()
    use_compilation_cache(platformdirs.user_cache_path("sr_jax"))
    rows = []
    for path in options.config:
        base = configs.load(path)
        data = dataclasses.replace(base.data, batch=options.batch or base.data.batch, patch=options.patch or base.data.patch)
        config = dataclasses.replace(base, data=data, steps_per_dispatch=1)
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows.append(measure(config, Path(folder), steps=options.steps, rounds=options.rounds))
    print(f"{len(jax.devices())} x {jax.devices()[0].device_kind}, jax {jax.__version__}; medians of {options.rounds} rounds\n")
    print(tabulate(rows, "keys", "github", floatfmt=".1f"))


if __name__ == "__main__":
    main()
