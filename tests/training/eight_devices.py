"""Batches and parameters on 1 to 8 devices, compared in one process: `python -m tests.training.eight_devices FOLDER`.

Its output is a JSON object. See test_eight_devices.
"""

import functools
import json
import sys
from pathlib import Path

import jax
import numpy as np
import optax

from sr_jax.data import pipelines
from sr_jax.data.plan import Sampler
from sr_jax.training.devices import Spread
from tests.training.test_devices import CUT, DEGRADE, PATCH, SCALE, make_setting, run

BATCH = 840
"""The least batch that 1, 2, ..., 8 devices can share."""
STEPS = 8


def batches(images: pipelines.Images) -> dict[str, bool]:
    """Whether the devices get, and make, the bytes of a batch that was made without any mesh."""
    sampler = Sampler([(32, 40)] * 2, patch=PATCH, scale=SCALE, batch=BATCH, seed=5, names=["a", "b"])
    plan = sampler.plans(range(3, 4))
    expected = pipelines.host_batch(images, plan, **CUT)
    pairs = jax.jit(jax.vmap(DEGRADE))(jax.tree.map(jax.numpy.asarray, expected))[:2]

    def make(images, item):
        batch = pipelines.resident_batch(images, item, **CUT)
        return batch, DEGRADE(batch)[:2]

    same = {}
    for count in range(1, 9):
        spread = Spread(lambda *a: a, kind="shard_map", batch=BATCH, devices=jax.devices()[:count])
        on_devices = spread.put(expected)
        sharding = on_devices.transform.sharding
        compiled = jax.jit(jax.vmap(make, in_axes=(None, 0)), out_shardings=sharding)
        made = compiled(spread.replicate(images), spread.put(plan))
        for name, ours, theirs in (("host", on_devices, expected), ("resident", made, (expected, pairs))):
            leaves = list(zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True))
            is_spread = all(len({str(shard.index) for shard in a.addressable_shards}) == count for a, _ in leaves)
            same[f"{name} {count}"] = is_spread and all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in leaves)
    return same


def parameters(setting) -> dict[str, dict[str, float]]:
    """How far the gradients of a step, and the parameters after some steps, are from those of one device."""
    far = {}
    params = setting[3]
    runs = {
        "gradients": ((1, 8), functools.partial(run, setting, steps=1, optimizer=optax.sgd(1.0))),
        "parameters": ((1, 2, 4, 8), functools.partial(run, setting, steps=STEPS)),
    }
    for name, (counts, train) in runs.items():
        ends = {count: train(devices=count)[0].params for count in counts}
        for count, end in ends.items():
            distance = jax.tree.map(lambda a, b: np.abs(a - b).max(), end, ends[1])
            if name == "gradients":  # a step of SGD at a learning rate of 1 subtracts the gradient
                distance = jax.tree.map(lambda d, a, b: d / np.abs(a - b).max(), distance, params, ends[1])
            far[f"{name} {count}"] = float(max(jax.tree.leaves(distance)))
    return far


def main() -> None:
    assert jax.device_count() == 8
    setting = make_setting(Path(sys.argv[1]))
    print(json.dumps({"batches": batches(setting[0]), "far": parameters(setting)}))


if __name__ == "__main__":
    main()
