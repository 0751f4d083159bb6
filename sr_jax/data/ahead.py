"""Computes items in threads, a little ahead of whoever takes them, within a bound of memory."""

import collections
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(
    compute: Callable[[int], Item], indices: Iterable[int], *, weigh: Callable[[int], int], budget: int, threads: int
) -> Generator[Item, None, None]:
    """Yields `compute(index)` for each index, in order.

    Args:
      compute: runs in the threads.
      weigh: about how many bytes an item takes.
      budget: bytes of items that are computed or wait at once. An item that takes more is computed when no other is there.
    """
    waiting: collections.deque[tuple[Future[Item], int]] = collections.deque()
    held = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for index in indices:
                weight = weigh(index)
                while waiting and (held + weight > budget or len(waiting) > 2 * threads):
                    future, released = waiting.popleft()
                    yield future.result()
                    held -= released
                waiting.append((pool.submit(compute, index), weight))
                held += weight
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
