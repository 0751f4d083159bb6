"""Applies a network to pictures one after another, within a bound on memory.

`TiledNetwork` plans for all images of a set at once. Here each picture comes by itself, but the sizes of all of them are known
before, so that a folder of a hundred sizes needs a handful of programs. The sides of tiles do not depend on a picture's size
otherwise, so the programs of an earlier run are found in the compilation cache.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float32, Num

from sr_jax.errors import InputError, is_out_of_memory
from sr_jax.evaluation.tiles import COMPILATION, PIXELS_PER_CALL, SIDES, TiledNetwork, cover
from sr_jax.models.about import About

MOST_SIDES = 3
"""Sizes of tiles for one folder."""
MEASURED = (64, 192, 384)
"""Sides of tiles on which the receptive radius is measured, one after another until it is found [LR pixels]."""
CPU_PIXELS_PER_CALL = 2**14
"""LR pixels that a CPU computes in one call. Larger batches are not faster there, and a last one is filled up in vain."""
WINDOW = 64
"""Side of the part of a window that is compared [LR pixels]."""

Shape = tuple[int, int]
Finish = Callable[[np.ndarray], np.ndarray]


class BoundedNetwork(TiledNetwork):
    """A network with its parameters that is applied to one picture after another.

    Args:
      apply, about, scale: as in `TiledNetwork`.
      params: the network's parameters.
      memory: bytes that a program may use on a device; None for no bound.
    """

    def __init__(self, apply: Callable[..., Array], about: About, *, scale: int, params: Any, memory: int | None):
        super().__init__(apply, about, scale=scale)
        self._params = jax.device_put(jax.device_get(params), self._replicated)
        self._memory = memory
        self._pixels_per_call = CPU_PIXELS_PER_CALL if jax.default_backend() == "cpu" else PIXELS_PER_CALL
        self._sides: dict[Shape, int] = {}
        self._shapes: set[Shape] = set()
        self._greatest_side = max(SIDES)

    @property
    def why_whole(self) -> str | None:
        """Why pictures cannot be divided into tiles; None if they can, or if this is not known yet."""
        return self._why_whole

    def prepare(self, shapes: Sequence[Shape], *, known: Any = None) -> None:
        """Chooses the tiles for pictures of these sizes, and measures the receptive radius if tiles may be used.

        Raises:
          InputError: if a program for the smallest tiles takes more memory than it may.
        """
        self._shapes |= {*shapes}
        if self._radius is None:
            self._measure(known)
        self._assign()
        self._fit(known)

    def enlarge(
        self, image: Float32[np.ndarray, "h w c"], *, known: Any = None, finish: Finish = lambda sr: sr
    ) -> Num[np.ndarray, "sh sw c"]:
        """Returns the SR image. If the memory does not suffice, it is computed again with smaller tiles.

        Args:
          image: LR in [0, 1].
          known: what the network is told about the picture, if it is told something.
          finish: converts pixels of SR, for example to uint8, before they are put together.

        Raises:
          InputError: if the picture must be computed whole, and this takes more memory than it may.
          MemoryError: if the smallest tiles do not fit, either.
        """
        shape = image.shape[:2]
        if shape not in self._sides:
            self.prepare([shape], known=known)
        while True:
            side = self._sides[shape]
            try:
                if side:
                    ((_, sr),) = self._by_tiles(self._params, [image], [known], [0], side, finish=finish)
                    return sr
                self._check_whole(shape, known)
                ((_, sr),) = self._whole(self._params, [image], [known], [0])
                return finish(sr)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if not (side and self._shrink(side)):
                    raise MemoryError(str(error)) from error

    def differences(
        self,
        image: Float32[np.ndarray, "h w c"],
        sr: np.ndarray,
        *,
        known: Any = None,
        finish: Finish = lambda sr: sr,
        seed: int,
        count: int,
    ) -> Iterator[float]:
        """Computes random windows of a picture anew, without tiles, and yields the greatest difference in each.

        The edges of a window lie twice as far from the part that is compared as the network looks.

        Args:
          sr: what `enlarge` returned for the picture, with the same `finish`.
        """
        if self._radius in (None, math.inf):
            return
        margin, s = 2 * int(self._radius or 0) + 1, self.scale
        rng = np.random.default_rng(seed)
        for _ in range(count):
            places, cores = [], []
            for size in image.shape[:2]:
                extent = min(size, WINDOW + 2 * margin)
                start = int(rng.integers(size - extent + 1))
                places.append(slice(start, start + extent))
                first = start if start == 0 else start + margin
                stop = size if start + extent == size else start + extent - margin
                cores.append((slice(s * first, s * stop), slice(s * (first - start), s * (stop - start))))
            ((_, window),) = self._whole(self._params, [image[tuple(places)]], [known], [0])
            ours, theirs = sr[cores[0][0], cores[1][0]], finish(window)[cores[0][1], cores[1][1]]
            yield float(np.abs(ours.astype(np.float64) - theirs).max(initial=0))

    def _measure(self, known: Any) -> None:
        if all(min(shape) < min(SIDES) for shape in self._shapes):
            return
        for side in MEASURED:
            self._radius = self._measure_radius(self._params, side, known=known)
            if self._radius < math.inf:
                self._why_whole = None
                return

    def _assign(self) -> None:
        def cost(shape: Shape, side: int) -> int:
            """LR pixels that each device computes, with those that fill up the last batch."""
            batch = self._tiles_per_call(side)
            calls = -(-len(cover(shape, side=side, radius=radius)) // batch)
            return calls * batch // self._count * side**2

        radius = int(self._radius) if self._radius not in (None, math.inf) else self._greatest_side
        sides = [side for side in SIDES if 2 * radius + 1 < side <= self._greatest_side]
        self._sides = assign_sides(sorted(self._shapes), sides, cost=cost)

    def _fit(self, known: Any) -> None:
        """Takes fewer or smaller tiles until all programs are small enough."""
        while self._memory is not None:
            needed = {
                self._program_bytes(self._tiles_per_call(side), (side, side), known): side
                for side in {*self._sides.values()} - {0}
            }
            most = max(needed, default=0)
            if most <= self._memory:
                return
            if not self._shrink(needed[most]):
                raise InputError(
                    f"{self.about.name} takes {most / 2**20:,.2f} MiB for the smallest tiles, and may use "
                    f"{self._memory / 2**20:,.2f} MiB; allow more"
                )

    def _shrink(self, side: int) -> bool:
        """Takes fewer tiles in one call, or else smaller ones. Returns whether there are any."""
        if self._tiles_per_call(side) > self._count:
            self._pixels_per_call = self._pixels_per_call // 2
            return True
        smaller = [other for other in SIDES if other < side and other > 2 * int(self._radius or 0) + 1]
        if not smaller:
            return False
        self._greatest_side = max(smaller)
        self._assign()
        return True

    def _check_whole(self, shape: Shape, known: Any) -> None:
        if self._memory is None:
            return
        needed = self._program_bytes(self._count, shape, known)
        if needed > self._memory:
            why = f" because {self._why_whole}" if self._why_whole else ""
            raise InputError(
                f"{self.about.name} is applied to whole pictures{why}; for {shape[1]}x{shape[0]} pixels this takes "
                f"{needed / 2**30:,.1f} GiB, and {self._memory / 2**30:,.1f} GiB may be used; give a smaller picture"
            )

    def _program_bytes(self, count: int, shape: Shape, known: Any) -> int:
        """Bytes that the program for a batch uses on each device. The same program runs later."""
        lr = np.zeros((count, *shape, self.about.channels), np.float32)
        stacked = jax.tree.map(lambda value: np.stack([value] * count, dtype=np.float32), known)
        compiled = self._run.lower(self._params, *jax.device_put((lr, stacked), self._spread)).compile()
        sizes = compiled.memory_analysis()
        if sizes is None:
            return 0
        return sizes.argument_size_in_bytes + sizes.output_size_in_bytes + sizes.temp_size_in_bytes


def assign_sides(shapes: Sequence[Shape], sides: Sequence[int], *, cost: Callable[[Shape, int], int]) -> dict[Shape, int]:
    """Returns the side of the tiles for each size of picture, 0 for whole ones. There are at most MOST_SIDES different sides.

    A picture is divided into tiles wherever they are not larger than itself, because their programs are found in the
    compilation cache.

    Args:
      sides: those to choose from.
      cost: of a picture with tiles of a side [LR pixels that are computed].
    """
    best: tuple[float, dict[Shape, int]] = math.inf, dict.fromkeys(shapes, 0)
    costs = {(shape, side): cost(shape, side) for shape in shapes for side in sides if side <= min(shape)}
    for chosen in itertools.chain.from_iterable(itertools.combinations(sides, n) for n in range(1, MOST_SIDES + 1)):
        total, assigned = float(COMPILATION * len(chosen)), {}
        for shape in shapes:
            fitting = [side for side in chosen if side <= min(shape)]
            assigned[shape] = min(fitting, key=lambda side: costs[shape, side], default=0)
            total += costs[shape, assigned[shape]] if fitting else COMPILATION * MOST_SIDES + math.prod(shape)
        if total < best[0]:
            best = total, assigned
    return best[1]
