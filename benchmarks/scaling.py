"""What does it cost to spread a training step over devices and processes?

    python -m benchmarks.scaling --config configs/fsrcnn_x2.py
    python -m benchmarks.scaling --topology v5e:2x4
    python -m benchmarks.scaling --predict

The first form runs the training step of a config on 1, 2, 4 and 8 virtual CPU devices of one process, and on 4 devices of 1, 2
and 4 processes, all with the same global batch. It reads the collective operations of a step from the compiled programs, and
compares their bytes with those of the gradients. All variants take turns in each round, and it prints the median time of a step
and the median of its ratios to one device. The devices share the cores of this machine. So the ratios show what partition and
reduction cost, and no speed-up. The batch is random, and lies on the devices before the clock starts.

`--topology` compiles the step for TPUs and reads that program. It needs no TPU, only `pip install -e .[tpu]`. `--predict`
prints the efficiency on TPUs and GPUs that the bytes, the operations of the networks, and published speeds give.
"""

import argparse
import dataclasses
import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import platformdirs
from jax.sharding import NamedSharding, PartitionSpec
from tabulate import tabulate

from benchmarks import predicted_scaling
from sr_jax import config as configs
from sr_jax.assembly import degradation as degradations
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_optimizer
from sr_jax.assembly.pipeline import rows_of_this_process
from sr_jax.assembly.step import make_train_step
from sr_jax.config import Config
from sr_jax.data.degrade import Batch
from sr_jax.system import processes
from sr_jax.system.compilation import use_compilation_cache
from sr_jax.training import state as states
from sr_jax.training.devices import Spread
from sr_jax.training.step import AXIS, Constants, make_dispatch

COLLECTIVES = "all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute|collective-broadcast"
NOT_AVERAGED = {"grad_norm", "skipped"}
"""Metrics that every device computes from what was averaged."""

PATIENCE = 1200.0
"""Seconds that the processes of a variant wait for each other."""


class Collective(NamedTuple):
    """A collective operation of a compiled program."""

    kind: str
    bytes: int
    """The size of its result, without the padding of a layout."""


def collectives(program: str) -> list[Collective]:
    """Returns the collective operations of a compiled program.

    Args:
      program: its text, `compiled.as_text()`. An operation in a loop is in it once.
    """
    found = re.findall(rf"^ *(?:ROOT )?%\S+ = (.*?) ({COLLECTIVES})(?:-start)?\(", program, re.MULTILINE)
    return [Collective(kind, _bytes(shapes)) for shapes, kind in found]


def _bytes(shapes: str) -> int:
    arrays = re.findall(r"\b(pred|bf16|[fsuc]\d+)\[([\d,]*)\]", shapes)
    widths = {"pred": 8, "bf16": 16}
    return sum(
        math.prod(map(int, filter(None, shape.split(",")))) * (widths.get(kind) or int(kind[1:])) // 8 for kind, shape in arrays
    )


class Prepared(NamedTuple):
    """A training step that is spread over devices."""

    spread: Spread
    state: states.State
    items: Batch
    """The shapes and types of a dispatch of one step."""


def prepare(config: Config, devices: Sequence[Any]) -> Prepared:
    """Builds the training step of a config, as a run does, for batches that are made on the host."""
    network, degradation = make_network(config), degradations.of_training(config)
    optimizer = make_optimizer(config, network.params)
    spread = Spread(
        make_dispatch(make_train_step(config, network, degradation, optimizer), lambda _, batch: batch, unroll=True),
        kind=config.parallel,
        batch=config.data.batch,
        devices=devices,
        parts=config.accumulate,
    )
    n, side = config.data.batch, config.data.patch + 2 * degradation.margin
    items = Batch(*(jax.ShapeDtypeStruct((1, n, *shape), dtype) for shape, dtype in _example(side)))
    return Prepared(spread, states.create(network.params, optimizer), items)


def _example(side: int) -> list[tuple[tuple[int, ...], Any]]:
    return [((side, side, 3), jnp.uint8), ((), jnp.int32), ((2,), jnp.uint32)]


def expected_bytes(prepared: Prepared, lowered: jax.stages.Lowered) -> int:
    """Returns the bytes that a step must reduce: those of the gradients, of the averaged metrics, and of the wish to stop."""
    _, metrics, *votes = lowered.out_info
    return 4 * (states.count(prepared.state.params) + len(metrics.keys() - NOT_AVERAGED) + len(votes))


def describe(prepared: Prepared, lowered: jax.stages.Lowered) -> dict[str, Any]:
    """Compiles a dispatch of one step, and returns what it reduces."""
    return {
        "gradients": 4 * states.count(prepared.state.params),
        "expected": expected_bytes(prepared, lowered),
        "collectives": collectives(lowered.compile().as_text() or ""),
    }


def work(config: Config, *, steps: int) -> None:
    """Trains as one process of a variant. For each line of its input it runs some steps, and the first process answers."""
    use_compilation_cache(platformdirs.user_cache_path("sr_jax"))
    prepared = prepare(config, jax.devices())
    spread, rng = prepared.spread, np.random.default_rng(0)
    rows = rows_of_this_process(config.data.batch)
    batch = jax.tree.map(lambda a: rng.integers(0, 8 if a.dtype == jnp.int32 else 255, a.shape, a.dtype), prepared.items)
    processes.barrier("the preparation", timeout=PATIENCE)  # Gloo gives the processes 30 s to meet
    items = jax.block_until_ready(spread.put(jax.tree.map(lambda a: a[:, rows], batch)))
    state, constants = spread.replicate(prepared.state), Constants()
    facts = describe(prepared, spread.lower(state, constants, items))

    def run() -> float:
        nonlocal state
        begin = time.perf_counter()
        for _ in range(steps):
            state, _ = spread(state, constants, items)
        jax.block_until_ready(state)
        return (time.perf_counter() - begin) / steps

    processes.barrier("the compilation", timeout=PATIENCE)
    run()
    if processes.is_first():
        print(json.dumps(facts), flush=True)
    for _ in sys.stdin:
        seconds = run()
        if processes.is_first():
            print(json.dumps({"seconds": seconds}), flush=True)


class Variant:
    """The processes that run one variant. Each has the same number of devices."""

    def __init__(self, *, count: int, devices: int):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.count, self.devices = count, devices
        command = [sys.executable, "-m", "benchmarks.scaling", *sys.argv[1:], "--member", address, str(count)]
        environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)}
        self._processes = [
            subprocess.Popen(
                [*command, str(index)],
                env=environment,
                cwd=Path(__file__).parent.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL if index else subprocess.PIPE,
                text=True,
            )
            for index in range(count)
        ]
        self.facts = self._answer()

    def seconds(self) -> float:
        """Runs some steps and returns the seconds of one."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return self._answer()["seconds"]

    def close(self) -> None:
        for process in self._processes:  # they leave together, so all are told before the first one is waited for
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            process.wait()

    def _answer(self) -> Any:
        output = self._processes[0].stdout
        assert output is not None
        for line in output:
            if line.startswith("{"):  # Gloo prints lines of its own
                return json.loads(line)
        raise SystemExit(f"the variant of {self.count} processes with {self.devices} devices each failed")


def measure(options: argparse.Namespace, config: Config) -> list[dict[str, Any]]:
    """Runs all variants, and returns a row for each."""
    most = max(options.processes)
    sizes = [(1, n) for n in options.devices] + [(count, most // count) for count in options.processes if count > 1]
    variants = [Variant(count=count, devices=devices) for count, devices in sizes]
    rounds = [[variant.seconds() for variant in variants] for _ in range(options.rounds)]
    for variant in variants:
        variant.close()
    rows = []
    for i, variant in enumerate(variants):
        step, ratio = (statistics.median(values) for values in zip(*((r[i], r[i] / r[0]) for r in rounds), strict=True))
        rows.append(
            {
                "processes": variant.count,
                "devices": variant.count * variant.devices,
                **variant.facts,
                "step": step,
                "ratio": ratio,
                "batch": config.data.batch,
            }
        )
    return rows


def read_program_of_tpus(config: Config, topology: str) -> dict[str, Any]:
    """Compiles the step for TPUs that are not here, and returns a row of what it reduces."""
    from jax.experimental import topologies

    for name, value in {"TPU_SKIP_MDS_QUERY": "1", "TPU_WORKER_HOSTNAMES": "localhost", "TPU_WORKER_ID": "0"}.items():
        os.environ.setdefault(name, value)  # libtpu would look for the machine that it runs on
    jax.config.update("jax_platforms", "cpu")
    devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices
    prepared = prepare(config, devices)
    examples = NamedSharding(prepared.spread.replicated.mesh, PartitionSpec(None, AXIS))
    state, items = (
        jax.tree.map(lambda a, where=where: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=where), tree)
        for tree, where in ((prepared.state, prepared.spread.replicated), (prepared.items, examples))
    )
    facts = describe(prepared, prepared.spread.lower(state, Constants(), items))
    return {"topology": topology, "devices": len(devices), **facts, "batch": config.data.batch}


def table(rows: list[dict[str, Any]]) -> str:
    """Returns rows as a table in Markdown."""
    lines = []
    for row in rows:
        reduced = [c for c in map(Collective._make, row["collectives"]) if c.kind == "all-reduce"]
        lines.append(
            {
                **{key: row[key] for key in ("topology", "processes", "devices") if key in row},
                "all-reduces": len(reduced),
                "their bytes": f"{sum(c.bytes for c in reduced):,}",
                "bytes to reduce": f"{row['expected']:,}",
                "other collectives": len(row["collectives"]) - len(reduced),
                **({"step [ms]": f"{1000 * row['step']:.1f}", "ratio": f"{row['ratio']:.2f}"} if "step" in row else {}),
            }
        )
    return tabulate(lines, "keys", "github", colalign=["right"] * len(lines[0]), disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/fsrcnn_x2.py")
    parser.add_argument("--model", choices=list(configs.NETWORKS), help="this network instead of the config's")
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of devices of one process")
    parser.add_argument(
        "--processes", type=int, nargs="+", default=[1, 2, 4], help="numbers of processes; the most have 1 device"
    )
    parser.add_argument("--batch", type=int, help="the global batch; by default the config's")
    parser.add_argument("--patch", type=int, help="side of an HR patch; by default the config's")
    parser.add_argument("--parallel", choices=["shard_map", "pmap"], help="by default the config's")
    parser.add_argument("--steps", type=int, default=20, help="steps of a variant in each round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--topology", nargs="+", metavar="NAME", help="compile for these TPUs instead, such as v5e:2x4")
    parser.add_argument("--predict", action="store_true", help="print the predicted efficiency on TPUs and GPUs instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to a file")
    parser.add_argument("--member", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.predict:
        rows, text = predicted_scaling.report()
    else:
        base = configs.load(options.config)
        config = dataclasses.replace(
            base,
            model=configs.NETWORKS[options.model] if options.model else base.model,
            data=dataclasses.replace(base.data, batch=options.batch or base.data.batch, patch=options.patch or base.data.patch),
            parallel=options.parallel or base.parallel,
            steps_per_dispatch=1,
        )
        if options.member:
            address, count, index = options.member
            with processes.joined(processes.Cluster(address, int(count), int(index))):
                work(config, steps=options.steps)
            return
        if options.topology:
            rows = [read_program_of_tpus(config, topology) for topology in options.topology]
        else:
            rows = measure(options, config)
        data = config.data
        title = (
            f"{options.config}, {config.parallel}, {data.batch} patches {data.patch}x{data.patch} a step, jax {jax.__version__}"
        )
        text = f"{title}; gradients of {rows[0]['gradients']:,} bytes\n\n{table(rows)}"
    print(text)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
