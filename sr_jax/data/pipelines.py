"""The three pipelines from plan to batch. Their batches are identical, byte for byte.

`resident`: the images lie in the devices' memory. Only the plan is sent, and the compiled step cuts the windows.
`host`: Grain's threads cut windows on the host, from a pack, and these are sent to the devices.
`records`: the same, but the threads cut windows from compressed tiles on disk.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grain

from sr_jax.data.degrade import Batch
from sr_jax.data.pack import Pack, cut_on_device, cut_on_host
from sr_jax.data.plan import Plan, Sampler
from sr_jax.data.records import Records
from sr_jax.data.records import cut as cut_from_records


class Images(NamedTuple):
    """The images from which patches are cut."""

    hr: Pack | Records
    """HR images, cropped to multiples of the scale."""
    lr: Pack | Records | None
    """Their LR images, if these come from files; None if LR patches are made from HR patches."""


def host_batch(images: Images, plan: Plan, *, patch: int, margin: int, scale: int) -> Batch:
    """The batch of a plan, cut on the host. The plan may be that of one step or of several."""
    cut = cut_from_records if isinstance(images.hr, Records) else cut_on_host
    return _batch(cut, images, plan, patch, margin, scale)


def resident_batch(images: Images, plan: Plan, *, patch: int, margin: int, scale: int) -> Batch:
    """The batch of a step's plan, cut on the device."""
    return _batch(cut_on_device, images, plan, patch, margin, scale)


def _batch(cut: Callable[..., Any], images: Images, plan: Plan, patch: int, margin: int, scale: int) -> Batch:
    window = cut(images.hr, plan, patch=patch, margin=margin)
    if images.lr is None:
        return Batch(window, plan.transform, plan.draw)
    on_lr = plan._replace(top=plan.top // scale, left=plan.left // scale)
    return Batch(window, plan.transform, plan.draw, cut(images.lr, on_lr, patch=patch // scale, margin=0))


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
    """Yields `fetch(plan)` for each dispatch from step `start` to `stop`.

    Args:
      fetch: runs in the host threads, ahead of time: it cuts windows and sends them to the devices. The arrays of its plan
        have the shape (steps, examples, ...).
      rows: the part of the global batch that this process feeds.
      threads: number of host threads.
      prefetch: number of dispatches that are prepared ahead.
    """

    def prepare(index: int) -> Any:
        first = start + index * steps_per_dispatch
        plans = sampler.plans(range(first, first + steps_per_dispatch))
        return fetch(Plan(*(a[:, rows] for a in plans)))

    source = grain.MapDataset.range((stop - start) // steps_per_dispatch)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch)
    return iter(source.map(prepare).to_iter_dataset(options))
