"""How many patches a second does the input pipeline deliver, next to what training consumes, and next to PyTorch's DataLoader?

    pip install -e .[torch]
    python benchmarks/input.py --images FOLDER

All work on the same images, which are first written as PNG into a temporary folder, with the same batch and patch, in turn,
round after round; printed are the medians and the medians of the ratios. The DataLoader does what plain training code does:
for every patch a worker decodes a PNG, cuts a random patch, flips it and makes it a tensor. It makes no LR patch, while ours
cuts a margin for it. FSRCNN's training step is timed on a batch that lies on the devices already.

Without PyTorch its row is missing.
"""

import argparse
import functools
import importlib.metadata
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image as PILImage
from tabulate import tabulate

from sr_jax.build import network as build
from sr_jax.config import Config, DataConfig, EvalConfig
from sr_jax.data import pack, pipelines
from sr_jax.data.images import SUFFIXES, Image, decode_image
from sr_jax.data.plan import Plan, Sampler
from sr_jax.training import state
from sr_jax.training.devices import Spread
from sr_jax.training.step import make_dispatch

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None

READY = 10
"""More items than any of the iterators prepares ahead."""
STEP, LOADER = "FSRCNN's training step", "PyTorch DataLoader, PNG decoded for every patch"


def write_png(folder: Path, scratch: Path, *, least: int) -> list[Path]:
    """PNG copies, in RGB, of all images of a folder that are not smaller than a patch."""
    paths = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        with PILImage.open(path) as image:
            if min(image.size) >= least:
                paths.append(scratch / f"{len(paths)}.png")
                image.convert("RGB").save(paths[-1])
    if not paths:
        raise SystemExit(f"{folder} holds no image of at least {least}x{least}")
    return paths


def per_second(items: Iterator[Any], *, examples: int, seconds: float) -> float:
    """Examples a second of an iterator whose items have so many; what it prepared while others were timed is left out."""
    for _ in range(READY):
        next(items)
    begin, count, item = time.perf_counter(), 0, None
    while time.perf_counter() - begin < seconds:
        item = next(items)
        count += examples
    jax.block_until_ready(item)
    return count / (time.perf_counter() - begin)


def our_pipelines(images: pipelines.Images, config: Config) -> dict[str, Iterator[Any]]:
    """Endless batches: as NumPy arrays, on the devices, and the plans of the resident pipeline on the devices."""
    data, n = config.data, config.steps_per_dispatch
    sizes = list(zip(images.hr.height.tolist(), images.hr.width.tolist(), strict=True))
    options = {"patch": data.patch, "scale": config.scale, "batch": data.batch, "seed": 0, "names": list(map(str, sizes))}
    sampler = Sampler(sizes, **options)
    spread = Spread(lambda *_: ((), ()), kind="shard_map", batch=data.batch, devices=jax.devices())
    cut = functools.partial(
        pipelines.host_batch, images, patch=data.patch, margin=build.make_degrade(config).margin, scale=config.scale
    )
    fetches: dict[str, Callable[[Plan], Any]] = {
        "host pipeline, NumPy arrays": cut,
        "host pipeline, on the devices": lambda plan: spread.put(cut(plan)),
        "resident pipeline: plans, on the devices": spread.put,
    }
    return {
        name: pipelines.dispatches(
            sampler,
            fetch,
            start=0,
            stop=10**9 // n * n,
            steps_per_dispatch=n,
            rows=slice(0, data.batch),
            threads=data.threads,
            prefetch=data.prefetch,
        )
        for name, fetch in fetches.items()
    }


def training_steps(config: Config, batch: Any) -> Iterator[Any]:
    """Endless training steps on one batch."""
    network = build.build_network(config)
    optimizer, _ = build.make_optimizer(config)
    dispatch = make_dispatch(build.make_train_step(config, network, optimizer), lambda _, item: item, unroll=True)
    spread = Spread(dispatch, kind=config.parallel, batch=config.data.batch, devices=jax.devices())
    now, item = spread.replicate(state.create(network.params, optimizer)), spread.put(batch)
    while True:
        now, metrics = spread(now, (), item)
        yield jax.block_until_ready(metrics)


class RandomPatches:
    """A dataset as it is written for PyTorch: a file is opened and decoded for each patch."""

    def __init__(self, paths: list[Path], patch: int):
        self._paths, self._patch = paths, patch

    def __len__(self) -> int:
        return 10**8

    def __getitem__(self, index: int) -> Any:
        rng = np.random.default_rng(index)
        with PILImage.open(self._paths[rng.integers(len(self._paths))]) as file:
            image = np.asarray(file.convert("RGB"))
        y, x = (int(rng.integers(side - self._patch + 1)) for side in image.shape[:2])
        patch = image[y : y + self._patch, x : x + self._patch]
        patch = patch[:: 1 - 2 * int(rng.integers(2)), :: 1 - 2 * int(rng.integers(2))]
        return torch.from_numpy(patch.transpose(2, 0, 1).copy()).float() / 255


def data_loader(paths: list[Path], config: Config, *, workers: int) -> Iterator[Any]:
    loader = torch.utils.data.DataLoader(
        RandomPatches(paths, config.data.patch),
        batch_size=config.data.batch,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,  # JAX's threads do not survive a fork
    )
    return iter(loader)


def main() -> None:
    data = os.environ.get("SR_JAX_DATA")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=Path(data, "BSDS200") if data else None, required=not data)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each run in each round")
    parser.add_argument("--threads", type=int, default=DataConfig().threads)
    parser.add_argument("--steps_per_dispatch", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="of the DataLoader")
    options = parser.parse_args()

    config = Config(
        steps=1000 * options.steps_per_dispatch,
        steps_per_dispatch=options.steps_per_dispatch,
        data=DataConfig(threads=options.threads),
        log_every=options.steps_per_dispatch,
        checkpoint_every=options.steps_per_dispatch,
        eval=EvalConfig(every=options.steps_per_dispatch),
    )
    with tempfile.TemporaryDirectory() as scratch:
        paths = write_png(options.images, Path(scratch), least=config.data.patch)
        decoded = (Image(path.name, decode_image(path.read_bytes(), path.name)) for path in paths)
        packed, _ = pack.build(decoded, place=Path(scratch, "pack"), fingerprint="")
        runs = our_pipelines(pipelines.Images(pack.crop(packed, scale=config.scale), None), config)
        host = next(iter(runs))
        runs[STEP] = training_steps(config, next(runs[host]))
        if torch is not None:
            runs[LOADER] = data_loader(paths, config, workers=options.workers)
        examples = {name: config.data.batch * (1 if name == LOADER else options.steps_per_dispatch) for name in runs}

        def time_all(seconds: float) -> dict[str, float]:
            return {name: per_second(items, examples=examples[name], seconds=seconds) for name, items in runs.items()}

        time_all(0.1)  # compiles, and starts workers
        rounds = [time_all(options.seconds) for _ in range(options.rounds)]

    def ratio(name: str, other: str) -> float | None:
        return statistics.median(r[name] / r[other] for r in rounds) if other in runs else None

    lines = [(name, statistics.median(r[name] for r in rounds), ratio(name, STEP), ratio(name, LOADER)) for name in runs]
    threads = f"{os.cpu_count()} cores, {config.data.threads} thread(s), load {os.getloadavg()[0]:.1f}"
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("jax", "grain", "numpy", "pillow")]
    print(f"{jax.devices()[0].device_kind}, {threads}; {', '.join(versions)}, PyTorch {torch.__version__ if torch else 'none'}")
    print(
        f"{len(paths)} images, x{config.scale}, batch {config.data.batch}, patch {config.data.patch}, "
        f"{config.steps_per_dispatch} step(s) in a dispatch\n"
    )
    header = ["", "patches/s", "times the step", "times the DataLoader"]
    print(tabulate(lines, header, "github", floatfmt=("", ",.0f", ".1f", ".1f")))


if __name__ == "__main__":
    main()
