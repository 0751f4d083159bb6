"""Lets threads read and write pictures while others are computed, within a bound on memory."""

import collections
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from sr_jax.errors import InputError, NotFiniteError

J = TypeVar("J")

THREADS = 2
AHEAD = 2
"""Pictures that are read before they are computed, that in computation included."""
PATIENCE = 0.1
"""Seconds after which it is asked again whether the thread that takes items is still there."""
END, STOP = object(), object()


class Stopped(Exception):
    """Nothing follows, because the computation failed."""


def process(
    jobs: Sequence[J],
    *,
    load: Callable[[J], Any],
    compute: Callable[[J, Any], Any],
    save: Callable[[J, Any], Any],
    size: Callable[[J], int],
    most: int,
) -> Iterator[tuple[J, Any]]:
    """Yields each job and what `save` returned for it, in their order, or the error that the picture caused.

    `load` and `save` run in threads, `compute` in this one. A broken network is an error of the run, not of a picture.

    Args:
      size: bytes of memory that a job takes.
      most: bytes that jobs in progress may take together. A larger job is in progress by itself.
    """
    waiting, loading = collections.deque(jobs), collections.deque[tuple[J, Future]]()
    saving = collections.deque[tuple[J, Future]]()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            while waiting or loading:
                while waiting and len(loading) < AHEAD:
                    used = sum(size(job) for job, _ in (*loading, *saving))
                    if used and used + size(waiting[0]) > most:
                        break
                    job = waiting.popleft()
                    loading.append((job, pool.submit(load, job)))
                if not loading:
                    yield _outcome(*saving.popleft())
                    continue
                job, loaded = loading[0]
                try:
                    computed = compute(job, loaded.result())
                except NotFiniteError:
                    raise
                except (InputError, OSError, MemoryError) as error:
                    loading.popleft()
                    yield job, error
                    continue
                loading.popleft()
                saving.append((job, pool.submit(save, job, computed)))
                del loaded, computed
                while saving and (saving[0][1].done() or len(saving) > THREADS):
                    yield _outcome(*saving.popleft())
            while saving:
                yield _outcome(*saving.popleft())
        finally:
            for _, future in (*loading, *saving):
                future.cancel()


def pump(items: Iterable[J], consume: Callable[[Iterator[J]], None]) -> None:
    """Computes items here, while a thread consumes those before. An error on either side ends both, and is raised.

    Args:
      consume: runs in the thread, and takes all items. If the computation fails, it gets the exception `Stopped` instead of the
        next one.
    """
    waiting: queue.Queue[Any] = queue.Queue(1)

    def received() -> Iterator[J]:
        while (item := waiting.get()) is not END:
            if item is STOP:
                raise Stopped
            yield item

    with ThreadPoolExecutor(1) as pool:
        consumer = pool.submit(consume, received())

        def put(item: Any) -> None:
            while not consumer.done():
                try:
                    waiting.put(item, timeout=PATIENCE)
                    return
                except queue.Full:
                    pass

        try:
            for item in items:
                put(item)
                if consumer.done():
                    break
                del item
            put(END)
        except BaseException:
            put(STOP)
            raise
        consumer.result()


def _outcome(job: J, future: Future) -> tuple[J, Any]:
    try:
        return job, future.result()
    except (InputError, OSError, MemoryError) as error:
        return job, error
