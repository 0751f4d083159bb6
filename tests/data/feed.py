"""One of several processes that feed a mesh: `python -m tests.data.feed PACK PORT PROCESSES INDEX`. See test_pipelines."""

import functools
import hashlib
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sr_jax.assembly.pipeline import rows_of_this_process
from sr_jax.data import pack, pipelines, records
from sr_jax.data.degrade import Degrade
from sr_jax.data.plan import Sampler
from sr_jax.data.sources.image_set import Files
from sr_jax.training.devices import Spread

SCALE, PATCH, BATCH, STEPS = 2, 12, 8, 4
CUT = {"patch": PATCH, "margin": 2 * SCALE, "scale": SCALE}
DEGRADE = Degrade(scale=SCALE)
PIPELINES = ("host", "records", "resident")
EXAMPLES = len(PIPELINES) * 2 * STEPS * BATCH  # each with two sizes of dispatches


def open_pack(place: Path) -> tuple[pipelines.Images, Sampler]:
    hr, index = pack.build([], place=place, fingerprint="")
    hr = pack.crop(hr, scale=SCALE)
    sizes = list(zip(hr.height.tolist(), hr.width.tolist(), strict=True))
    return pipelines.Images(hr, None), Sampler(sizes, patch=PATCH, scale=SCALE, batch=BATCH, seed=3, names=list(index.names))


def open_records(place: Path) -> pipelines.Images:
    made = records.build(Files(()), title="some", place=place / "records", fingerprint="")
    return pipelines.Images(pack.crop(made.images, scale=SCALE), None)


def expected(place: Path) -> dict[str, str]:
    """The digest of each example's window, LR and HR patch, without any mesh."""
    images, sampler = open_pack(place)
    digests, degrade = {}, jax.jit(DEGRADE)
    for step in range(STEPS):
        batch = pipelines.host_batch(images, sampler.plan(step), **CUT)
        pairs = degrade(jax.tree.map(jnp.asarray, batch))
        for row, example in enumerate(zip(batch.window, np.asarray(pairs.lr), np.asarray(pairs.hr), strict=True)):
            for pipeline in PIPELINES:
                for size in (1, 2):
                    digests[f"{pipeline} {size} {step} {row}"] = digest(*example)
    return digests


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def fed(images: pipelines.Images, sampler: Sampler, pipeline: str, size: int) -> dict[str, str]:
    """The digests of this process's examples, taken from its devices after the compiled degradation on the whole mesh."""
    if pipeline != "resident":
        on_host, on_device, resident = functools.partial(pipelines.host_batch, images, **CUT), lambda _, batch: batch, ()
    else:
        on_host, on_device, resident = lambda plan: plan, functools.partial(pipelines.resident_batch, **CUT), images
    spread = Spread(lambda *a: a, kind="shard_map", batch=BATCH, devices=jax.devices())
    resident = spread.replicate(resident)

    def step(resident, item):
        batch = on_device(resident, item)
        pairs = DEGRADE(batch)
        return batch.window, pairs.lr, pairs.hr

    rows = rows_of_this_process(BATCH)
    sharding = spread.put(sampler.plans(range(1)).transform[:, rows]).sharding
    run = jax.jit(jax.vmap(step, in_axes=(None, 0)), out_shardings=sharding)

    items = pipelines.dispatches(
        sampler,
        lambda plan: spread.put(on_host(plan)),
        start=0,
        stop=STEPS,
        steps_per_dispatch=size,
        rows=rows,
        threads=2,
        prefetch=2,
    )
    digests = {}
    for index, item in enumerate(items):
        for shards in zip(*(a.addressable_shards for a in run(resident, item)), strict=True):
            first_row = shards[0].index[1].start or 0
            arrays = [np.asarray(shard.data) for shard in shards]
            for i, j in np.ndindex(arrays[0].shape[:2]):
                digests[f"{pipeline} {size} {index * size + i} {first_row + j}"] = digest(*(a[i, j] for a in arrays))
    return digests


def main() -> None:
    place, port, processes, index = sys.argv[1:]
    jax.distributed.initialize(
        f"127.0.0.1:{port}", int(processes), int(index), initialization_timeout=60, heartbeat_timeout_seconds=60
    )
    assert jax.process_count() == int(processes)
    assert jax.device_count() == 4
    images, sampler = open_pack(Path(place))
    digests = {}
    for pipeline in PIPELINES:
        for size in (1, 2):
            digests |= fed(open_records(Path(place)) if pipeline == "records" else images, sampler, pipeline, size)
    print(json.dumps(digests))


if __name__ == "__main__":
    main()
