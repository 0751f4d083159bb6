"""Evaluation of networks on sets of images; what does not depend on the network is computed once."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from sr_jax.errors import InputError
from sr_jax.evaluation.protocol import Picture, Protocol, Task
from sr_jax.evaluation.rows import Row, Stamp, mean_rows, score
from sr_jax.evaluation.upscale import Upscaler

BICUBIC = "bicubic"


class Sample(NamedTuple):
    """The pictures of one evaluated image, uint8."""

    set: str
    image: str
    lr: UInt8[np.ndarray, "h w c"]
    bicubic: UInt8[np.ndarray, "sh sw c"]
    sr: UInt8[np.ndarray, "sh sw c"]
    hr: UInt8[np.ndarray, "sh sw c"]


class Evaluator:
    """Scores bicubic and networks on the same tasks. Scores are computed by threads while the devices go on.

    Args:
      tasks: images of one scale, prepared by `protocol`.
      stamp: what all rows say of themselves, but for `weights`.
      on_scored: called for every image that has been scored.

    Raises:
      InputError: naming the image for which a network gives values that are not finite.
    """

    def __init__(self, protocol: Protocol, tasks: Sequence[Task], *, stamp: Stamp, on_scored: Callable[[], None] | None = None):
        self._protocol, self._tasks, self._stamp = protocol, tasks, stamp
        self._on_scored = on_scored or (lambda: None)
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        found = self._collect({i: self._pool.submit(self._bicubic, task) for i, task in enumerate(tasks)})
        self.bicubic_rows = self._with_means([row for row, _ in found])
        self._baselines = [picture.pixels for _, picture in found]

    def __call__(self, upscaler: Upscaler, params: Any, *, method: str, weights: str) -> tuple[list[Row], list[Sample]]:
        """Rows of the network: every image of every set, then each set's mean; and the pictures."""
        scored: dict[int, Future] = {}
        for index, sr_y in upscaler(params, [task.y for task in self._tasks]):
            scored[index] = self._pool.submit(self._network, self._tasks[index], sr_y, method, weights)
        found = self._collect(scored)
        samples = [
            Sample(task.set, task.image, task.lr, bicubic, picture.pixels, task.hr)
            for task, bicubic, (_, picture) in zip(self._tasks, self._baselines, found, strict=True)
        ]
        return self._with_means([row for row, _ in found]), samples

    def _bicubic(self, task: Task) -> tuple[Row, Picture]:
        picture = self._protocol.bicubic(task)
        return score(self._protocol, task, picture, method=BICUBIC, stamp=self._stamp), picture

    def _network(self, task: Task, sr_y: np.ndarray, method: str, weights: str) -> tuple[Row, Picture]:
        if not np.isfinite(sr_y).all():
            raise InputError(
                f"{method} gives values that are not finite for {task.image} of {task.set}; its weights are no good"
            )
        picture = self._protocol.picture(task, sr_y.astype(np.float64))
        stamp = self._stamp._replace(weights=weights)
        return score(self._protocol, task, picture, method=method, stamp=stamp), picture

    def _collect(self, futures: dict[int, Future]) -> list[tuple[Row, Picture]]:
        assert len(futures) == len(self._tasks)
        for future in futures.values():
            future.add_done_callback(lambda _: self._on_scored())
        return [futures[index].result() for index in range(len(self._tasks))]

    @staticmethod
    def _with_means(rows: list[Row]) -> list[Row]:
        return rows + mean_rows(rows)
