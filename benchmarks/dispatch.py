"""How fast does each pipeline train, and what do several steps in one dispatch save?

    python benchmarks/dispatch.py --config configs/x2.py --steps_per_dispatch 1 4

The script times the parts of the training loop on all devices of this machine. It runs all variants in each round, and prints
the median images/s of each variant and the median of its ratios to the first one. `loop` is `lax.scan`. `unrolled` repeats the
step in the program, as the training loop does on CPUs, and takes long to compile for more than a few steps.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import platformdirs
from tabulate import tabulate

from sr_jax import config as configs
from sr_jax.assembly import degradation as degradations
from sr_jax.assembly.evaluator import open_evaluation_sets
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_optimizer
from sr_jax.assembly.pipeline import make_pipeline, make_sampler
from sr_jax.assembly.step import make_train_step
from sr_jax.assembly.training_images import load_training_images
from sr_jax.config import Config
from sr_jax.data import pipelines
from sr_jax.system.compilation import use_compilation_cache
from sr_jax.training import state as states
from sr_jax.training.devices import Spread
from sr_jax.training.step import Constants, make_dispatch


def make_variant(config: Config, cache: Path, *, unroll: bool, dispatches: int) -> Callable[[], float]:
    """Returns a function that trains for some dispatches, including the input pipeline, and returns images/s."""
    network, degradation = make_network(config), degradations.of_training(config)
    optimizer = make_optimizer(config, network.params)
    step = make_train_step(config, network, degradation, optimizer)
    images = load_training_images(config, degradation, open_evaluation_sets(config, cache), cache)
    sampler = make_sampler(config, images)
    pipeline = make_pipeline(config, images, margin=degradation.margin)
    dispatch = Spread(
        make_dispatch(step, pipeline.on_device, unroll=unroll),
        kind=config.parallel,
        batch=config.data.batch,
        devices=jax.devices(),
    )
    constants = dispatch.replicate(Constants(images=pipeline.images))
    n = config.steps_per_dispatch
    state = dispatch.replicate(states.create(network.params, optimizer))

    def run() -> float:
        nonlocal state
        items = pipelines.dispatches(
            sampler,
            lambda plan: dispatch.put(pipeline.on_host(plan)),
            start=0,
            stop=(dispatches + 1) * n,
            steps_per_dispatch=n,
            rows=slice(0, config.data.batch),
            threads=config.data.threads,
            prefetch=config.data.prefetch,
        )
        state, metrics = dispatch(state, constants, next(items))
        jax.block_until_ready(metrics)
        begin = time.perf_counter()
        for item in items:
            before = metrics
            state, metrics = dispatch(state, constants, item)
            jax.block_until_ready(before)  # one dispatch ahead, as in the training loop
        jax.block_until_ready(metrics)
        return config.data.batch * n * dispatches / (time.perf_counter() - begin)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/x2.py")
    parser.add_argument("--steps_per_dispatch", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--batch", type=int, default=None, help="batch size; by default the config's")
    parser.add_argument("--steps", type=int, default=200, help="steps of each variant in each round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loop_on_cpu", action="store_true", help="also times lax.scan on a CPU")
    options = parser.parse_args()

    cache = platformdirs.user_cache_path("sr_jax")
    use_compilation_cache(cache)
    base = configs.load(options.config)
    on_cpu = jax.default_backend() == "cpu"
    variants = {}
    for pipeline in ("resident", "host"):
        for n in options.steps_per_dispatch:
            data = dataclasses.replace(base.data, pipeline=pipeline, batch=options.batch or base.data.batch)
            steps = -(-base.steps // n) * n
            every = dataclasses.replace(base.eval, every=n)
            config = dataclasses.replace(
                base, data=data, steps=steps, steps_per_dispatch=n, eval=every, log_every=n, checkpoint_every=n
            )
            unrolls = [True, False] if on_cpu and options.loop_on_cpu else [on_cpu]
            for unroll in unrolls:
                name = (pipeline, n, "unrolled" if unroll else "loop")
                variants[name] = make_variant(config, cache, unroll=unroll, dispatches=max(1, options.steps // n))
    for run in variants.values():
        run()  # this compiles
    rounds = [{name: run() for name, run in variants.items()} for _ in range(options.rounds)]
    first = next(iter(variants))
    lines = [
        (*name, statistics.median(r[name] for r in rounds), statistics.median(r[name] / r[first] for r in rounds))
        for name in variants
    ]
    device = jax.devices()[0]
    print(f"{len(jax.devices())} x {device.device_kind}, jax {jax.__version__}, {options.config}, {base.compute}\n")
    header = ["pipeline", "steps a dispatch", "as", "images/s", "ratio"]
    print(tabulate(lines, header, "github", floatfmt=("", "", "", ".0f", ".2f")))


if __name__ == "__main__":
    main()
