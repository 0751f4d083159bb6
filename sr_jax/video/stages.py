"""Lets threads decode and encode the frames of a video while others are computed. All of them stay in their order."""

import collections
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Frames that wait before the computation, and after it."""
END: Any = object()


def overlapped(items: Iterator[Item], *, compute: Callable[[Item], Any], save: Callable[[Any], Result]) -> Iterator[Result]:
    """Yields `save(compute(item))` for each item.

    `items` and `save` run in a thread each, one call after another, and `compute` in this thread. The first error of any of
    them is raised. `save` is not called again after it failed.
    """
    has_failed = threading.Event()

    def save_next(computed: Any) -> Result | None:
        if has_failed.is_set():
            return None  # nobody gets this, because the error is raised before
        try:
            return save(computed)
        except BaseException:
            has_failed.set()
            raise

    with ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(1) as saver:
        loading = collections.deque[Future](loader.submit(next, items, END) for _ in range(AHEAD))
        saving = collections.deque[Future]()
        try:
            while (item := loading.popleft().result()) is not END:
                loading.append(loader.submit(next, items, END))
                saving.append(saver.submit(save_next, compute(item)))
                del item
                while len(saving) > AHEAD or (saving and saving[0].done()):
                    yield saving.popleft().result()
            while saving:
                yield saving.popleft().result()
        finally:
            for future in (*loading, *saving):
                future.cancel()
