"""How many patches/s does the input pipeline deliver, compared with a training step and with PyTorch's DataLoader?

    pip install -e .[torch]
    python benchmarks/input.py --images FOLDER

All use the same images, batch and patch size. The images are first written as PNG files into a temporary folder. All are timed
in each round, and the script prints the medians and the medians of the ratios. The DataLoader does what plain training code
does: for every patch, a worker decodes a PNG file, cuts a random patch, flips it, and converts it to a tensor. It makes no LR
patch, while our pipelines cut a margin for it. FSRCNN's training step is timed on a batch that is on the devices already.

Without PyTorch, the row of the DataLoader is missing.
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

from sr_jax.assembly.degradation import of_training
from sr_jax.assembly.network import make_network
from sr_jax.assembly.optimizer import make_optimizer
from sr_jax.assembly.step import make_train_step
from sr_jax.config import Config, DataConfig, EvalConfig
from sr_jax.data import pack, pipelines, records
from sr_jax.data.images import SUFFIXES, Image, decode_image
from sr_jax.data.plan import Plan, Sampler
from sr_jax.data.sources.image_set import Files
from sr_jax.training import state as states
from sr_jax.training.devices import Spread
from sr_jax.training.step import Constants, make_dispatch

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None

READY = 10
"""More items than any iterator prepares ahead."""
STEP, LOADER = "FSRCNN's training step", "PyTorch DataLoader, PNG decoded for every patch"


def write_png(folder: Path, scratch: Path, *, least: int) -> list[Path]:
    """Copies the images of a folder that are not smaller than a patch, as RGB images in PNG files."""
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
    """Measures the examples/s of an iterator. The items that it prepared while others were timed do not count."""
    for _ in range(READY):
        next(items)
    begin, count, item = time.perf_counter(), 0, None
    while time.perf_counter() - begin < seconds:
        item = next(items)
        count += examples
    jax.block_until_ready(item)
    return count / (time.perf_counter() - begin)


def our_pipelines(images: pipelines.Images, stored: pipelines.Images, config: Config) -> dict[str, Iterator[Any]]:
    """Returns endless iterators over batches on the host, batches on the devices, and plans on the devices.

    Args:
      images: packs.
      stored: the same images as records.
    """
    data, n = config.data, config.steps_per_dispatch
    sizes = list(zip(images.hr.height.tolist(), images.hr.width.tolist(), strict=True))
    options = {"patch": data.patch, "scale": config.scale, "batch": data.batch, "seed": 0, "names": list(map(str, sizes))}
    sampler = Sampler(sizes, **options)
    spread = Spread(lambda *_: ((), ()), kind="shard_map", batch=data.batch, devices=jax.devices())
    size = {"patch": data.patch, "margin": of_training(config).margin, "scale": config.scale}
    cut = functools.partial(pipelines.host_batch, images, **size)
    cut_records = functools.partial(pipelines.host_batch, stored, **size)
    fetches: dict[str, Callable[[Plan], Any]] = {
        "host pipeline, NumPy arrays": cut,
        "host pipeline, on the devices": lambda plan: spread.put(cut(plan)),
        "records pipeline, on the devices": lambda plan: spread.put(cut_records(plan)),
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
    """Yields endless training steps on one batch."""
    network = make_network(config)
    optimizer = make_optimizer(config, network.params)
    step = make_train_step(config, network, of_training(config), optimizer)
    dispatch = Spread(
        make_dispatch(step, lambda _, item: item, unroll=True),
        kind=config.parallel,
        batch=config.data.batch,
        devices=jax.devices(),
    )
    constants = dispatch.replicate(Constants(images=()))
    state, item = dispatch.replicate(states.create(network.params, optimizer)), dispatch.put(batch)
    while True:
        state, metrics = dispatch(state, constants, item)
        yield jax.block_until_ready(metrics)


class RandomPatches:
    """A usual PyTorch dataset, which opens and decodes a file for each patch."""

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
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds for each row in each round")
    parser.add_argument("--threads", type=int, default=DataConfig().threads)
    parser.add_argument("--steps_per_dispatch", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="workers of the DataLoader")
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
        files = Files(tuple((path.name, path) for path in paths))
        stored = records.build(files, title="the images", place=Path(scratch, "records"), fingerprint="").images
        on_host, on_disk = (pipelines.Images(pack.crop(images, scale=config.scale), None) for images in (packed, stored))
        runs = our_pipelines(on_host, on_disk, config)
        host = next(iter(runs))
        runs[STEP] = training_steps(config, next(runs[host]))
        if torch is not None:
            runs[LOADER] = data_loader(paths, config, workers=options.workers)
        examples = {name: config.data.batch * (1 if name == LOADER else options.steps_per_dispatch) for name in runs}

        def time_all(seconds: float) -> dict[str, float]:
            return {name: per_second(items, examples=examples[name], seconds=seconds) for name, items in runs.items()}

        time_all(0.1)  # this compiles, and starts the workers
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
