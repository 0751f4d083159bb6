"""Evaluates networks on sets of images. What does not depend on the network is computed once.

In a run of several processes each scores a part of the images, and all of them get all rows. Samples go to the first process.
"""

import io
import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from sr_jax.errors import InputError, NotFiniteError
from sr_jax.evaluation.protocol import Picture, Protocol, Task, untold
from sr_jax.evaluation.rows import Row, Stamp, counts, mean_rows, score
from sr_jax.evaluation.tiles import TiledNetwork
from sr_jax.system import processes

BICUBIC = "bicubic"
MAX_SAMPLES = 8
"""Images of each set whose pictures are kept."""
PATIENCE = 3600.0
"""Seconds that a process waits for others that still score their images."""
STOPPING = "an evaluation stops"


class EvaluationStopped(Exception):
    """An evaluation was left before its end, in all processes, because one of them had to stop."""


class Sample(NamedTuple):
    """The pictures of one evaluated image, and its scores."""

    set: str
    image: str
    lr: UInt8[np.ndarray, "h w c"]
    bicubic: UInt8[np.ndarray, "sh sw c"]
    sr: UInt8[np.ndarray, "sh sw c"]
    hr: UInt8[np.ndarray, "sh sw c"]
    bicubic_psnr: float
    """Y-PSNR [dB], as in the rows."""
    sr_psnr: float


class Evaluator:
    """Scores bicubic interpolation and networks on the same tasks. Threads compute the scores while the devices go on.

    Args:
      tasks: images of one scale, prepared by `protocol`.
      stamp: what each row says about its origin, except `weights`.
      on_scored: is called after each scored image.

    Raises:
      InputError: if bicubic interpolation reproduces every image exactly, so that no image counts in a mean.
    """

    def __init__(self, protocol: Protocol, tasks: Sequence[Task], *, stamp: Stamp, on_scored: Callable[[], None] | None = None):
        self._protocol, self._tasks, self._stamp = protocol, tasks, stamp
        self._on_scored = on_scored or (lambda: None)
        by_set: dict[str, list[int]] = {}
        for index, task in enumerate(tasks):
            by_set.setdefault(task.set, []).append(index)
        self._shown = [index for members in by_set.values() for index in members[:MAX_SAMPLES]]
        self._mine = part_of_this_process([math.prod(task.hr.shape) for task in tasks])
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            rows, self._baselines = self._collect({i: pool.submit(self._bicubic, i) for i in self._mine}, BICUBIC)
        rows = [row._replace(counted=int(counts(row))) for row in rows]
        if rows and not any(row.counted for row in rows):
            raise InputError("bicubic interpolation reproduces every image exactly, so no PSNR is finite; give other images")
        self.bicubic_rows = rows + mean_rows(rows)

    def __call__(
        self,
        network: TiledNetwork,
        params: Any,
        *,
        method: str,
        weights: str,
        must_stop: Callable[[], bool] = lambda: False,
    ) -> tuple[list[Row], list[Sample]]:
        """The network's rows (each image of each set, then the mean of each set), and samples of the first images of each set.

        Args:
          method: the network's name in the rows and in errors.
          weights: the origin of the parameters, as in `Stamp`.
          must_stop: is asked after each image whether to leave the evaluation.

        Raises:
          EvaluationStopped: if `must_stop` said so in any process.
          InputError: if the network must be told the degradation and a task does not say it.
          NotFiniteError: if its output is not finite.
        """
        about = network.about
        if about.is_told and any(task.known is None for task in self._tasks):
            raise untold(method, self._stamp.lr_source)
        images = [self._tasks[i].network_input(about.channels) for i in self._mine]
        known = [self._tasks[i].known for i in self._mine] if about.is_told else None
        scored: dict[int, Future] = {}
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for place, sr in network(params, images, known=known):
                index = self._mine[place]
                scored[index] = pool.submit(self._network, index, sr, method, weights)
                if must_stop():
                    processes.tell(STOPPING)
                    break
                if processes.was_told(STOPPING):
                    break
            rows, pictures = self._collect(
                scored, f"{method}, {weights}", on_wait=lambda: must_stop() and processes.tell(STOPPING)
            )
        rows = [row._replace(counted=theirs.counted) for row, theirs in zip(rows, self.bicubic_rows, strict=False)]
        samples = []
        for index in self._shown if pictures else []:
            task, psnrs = self._tasks[index], (self.bicubic_rows[index].psnr_y, rows[index].psnr_y)
            samples.append(Sample(task.set, task.image, task.lr, self._baselines[index], pictures[index], task.hr, *psnrs))
        return rows + mean_rows(rows), samples

    def _bicubic(self, index: int) -> tuple[Row, np.ndarray | None]:
        picture = self._protocol.bicubic(self._tasks[index])
        return self._score(index, picture, BICUBIC, "")

    def _network(self, index: int, sr: np.ndarray, method: str, weights: str) -> tuple[Row, np.ndarray | None]:
        task = self._tasks[index]
        if not np.isfinite(sr).all():
            raise NotFiniteError(
                f"{method}: SR of {task.image} ({task.set}) has values that are not finite; the weights are broken"
            )
        return self._score(index, self._protocol.picture(task, sr.astype(np.float64)), method, weights)

    def _score(self, index: int, picture: Picture, method: str, weights: str) -> tuple[Row, np.ndarray | None]:
        """The row, and the pixels if they are kept for a sample."""
        stamp = self._stamp._replace(weights=weights)
        row = score(self._protocol, self._tasks[index], picture, method=method, stamp=stamp)
        return row, picture.pixels if index in self._shown else None

    def _collect(
        self, futures: dict[int, Future], what: str, *, on_wait: Callable[[], object] = lambda: None
    ) -> tuple[list[Row], dict[int, np.ndarray]]:
        """The rows of all processes, in the order of the tasks, and the pixels that are kept for samples.

        Only the first process gets pixels. An error of one process is raised in all of them.
        """
        rows: dict[int, Row] = {}
        pictures: dict[str, np.ndarray] = {}
        problem = ""
        for index, future in sorted(futures.items()):
            try:
                rows[index], pixels = future.result()
            except NotFiniteError as error:
                problem = problem or str(error)
                continue
            self._on_scored()
            if pixels is not None:
                pictures[str(index)] = pixels
        is_complete = bool(problem) or len(futures) == len(self._mine)
        part = json.dumps({"rows": rows, "problem": problem, "is_complete": is_complete})
        shared = processes.share(f"the rows of {what}", part.encode(), timeout=PATIENCE, on_wait=on_wait)
        parts = [json.loads(data) for data in shared]
        if not all(part["is_complete"] for part in parts):
            raise EvaluationStopped
        for problem in (part["problem"] for part in parts if part["problem"]):
            raise NotFiniteError(problem)
        merged = {int(index): Row(*values) for part in parts for index, values in part["rows"].items()}
        assert sorted(merged) == list(range(len(self._tasks)))
        return [merged[index] for index in range(len(self._tasks))], _share_pictures(pictures, what)


def part_of_this_process(costs: Sequence[int]) -> list[int]:
    """The indices of the images that this process scores. Every image goes to one process, and all have about equal work.

    Args:
      costs: the work for each image, in any unit.
    """
    shares: list[list[int]] = [[] for _ in range(processes.count())]
    loads = [0] * len(shares)
    for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
        least = loads.index(min(loads))
        shares[least].append(index)
        loads[least] += costs[index]
    return sorted(shares[processes.index()])


def _share_pictures(pictures: dict[str, np.ndarray], what: str) -> dict[int, np.ndarray]:
    """The pictures of all processes, for the first process; the others get none."""
    if processes.count() > 1:
        buffer = io.BytesIO()
        np.savez(buffer, **pictures)  # pyright: ignore[reportArgumentType]
        parts = processes.share(f"the pictures of {what}", buffer.getvalue(), only_first=True)
        pictures = {name: pixels for part in parts for name, pixels in np.load(io.BytesIO(part), allow_pickle=False).items()}
    return {int(name): pixels for name, pixels in pictures.items()}
