"""The two ways from plan to batch. They give byte-identical batches.

`host`: windows are cut on the host, in Grain's threads, and sent to the devices.
`resident`: the images live on the devices; only the plan is sent, and windows are cut inside the compiled step.
"""

from collections.abc import Callable, Iterator
from typing import Any

import grain
import jax
import jax.numpy as jnp
import numpy as np

from sr_jax.data import pack as packs
from sr_jax.data.degrade import Batch
from sr_jax.data.plan import Plan, Sampler


def host_batch(images: packs.Pack, plan: Plan, *, patch: int, margin: int) -> Batch:
    """The batch of a plan, cut by NumPy."""
    return Batch(packs.cut_windows(images, plan, patch=patch, margin=margin, xp=np), plan.transform, plan.draw)


def resident_batch(images: packs.Pack, plan: Plan, *, patch: int, margin: int) -> Batch:
    """The batch of a plan, cut on the device."""
    return Batch(packs.cut_windows(images, plan, patch=patch, margin=margin, xp=jnp), plan.transform, plan.draw)


def dispatches(
    sampler: Sampler,
    fetch: Callable[[Plan], Any],
    *,
    start: int,
    stop: int,
    steps_per_dispatch: int,
    rows: slice,
    threads: int,
    prefetch: int,
) -> Iterator[Any]:
    """What each dispatch from step `start` to `stop` consumes: `fetch(plan)` of its steps, stacked on a leading axis.

    Args:
      fetch: from a plan to host arrays: `host_batch`, or the identity for the resident pipeline.
      rows: the part of the global batch that this process feeds.
      threads: host threads that prepare.
      prefetch: how many dispatches are prepared ahead.
    """

    def prepare(index: int) -> Any:
        first = start + index * steps_per_dispatch
        plans = [Plan(*(a[rows] for a in sampler.plan(step))) for step in range(first, first + steps_per_dispatch)]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *map(fetch, plans))

    source = grain.MapDataset.range((stop - start) // steps_per_dispatch)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch)
    return iter(source.map(prepare).to_iter_dataset(options))
