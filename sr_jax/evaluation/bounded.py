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
from sr_jax.evaluation.tiles import COMPILATION, PIXELS_PER_CALL, SIDES, TiledNetwork, spans
from sr_jax.evaluation.windows import Watch, Window, choose
from sr_jax.models.about import About

MOST_SIDES = 3
"""Sizes of tiles for one folder."""
MEASURED = (64, 192, 384)
"""Sides of tiles on which the receptive radius is measured, one after another until it is found [LR pixels]."""
CPU_PIXELS_PER_CALL = 2**14
"""LR pixels that a CPU computes in one call. Larger batches are not faster there, and a last one is filled up in vain."""
IN_FLIGHT = 2
"""Batches of tiles that are computed or wait at once, by `_in_batches`."""

Shape = tuple[int, int]
Finish = Callable[[np.ndarray], np.ndarray]


class TilesShrank(Exception):
    """There was too little memory, and smaller tiles are chosen now."""


def same(pixels: np.ndarray) -> np.ndarray:
    """Returns the pixels as they are."""
    return pixels


class BoundedNetwork(TiledNetwork):
    """A network with its parameters that is applied to one picture after another.

    Args:
      apply, about, scale: as in `TiledNetwork`.
      params: the network's parameters.
      memory: bytes that a program may use on a device; None for no bound.
      greatest_side: side of the largest tiles [LR pixels].
    """

    def __init__(
        self,
        apply: Callable[..., Array],
        about: About,
        *,
        scale: int,
        params: Any,
        memory: int | None,
        greatest_side: int = max(SIDES),
    ):
        super().__init__(apply, about, scale=scale)
        self._params = jax.device_put(jax.device_get(params), self._replicated)
        self._memory = memory
        self._pixels_per_call = CPU_PIXELS_PER_CALL if jax.default_backend() == "cpu" else PIXELS_PER_CALL
        self._sides: dict[Shape, int] = {}
        self._shapes: set[Shape] = set()
        self._greatest_side = greatest_side

    def side(self, shape: Shape) -> int:
        """The side of the tiles for a prepared size of picture; 0 if the picture is computed whole."""
        return self._sides[shape]

    @property
    def radius(self) -> int:
        """The receptive radius, if tiles may be used [LR pixels]."""
        return 0 if self._radius in (None, math.inf) else int(self._radius or 0)

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
        self, image: Float32[np.ndarray, "h w c"], *, known: Any = None, finish: Finish = same
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

    def bands(
        self,
        shape: Shape,
        rows: Callable[[int, int], np.ndarray],
        *,
        known: Any = None,
        begin: Finish = same,
        finish: Finish = same,
        watch: Watch | None = None,
    ) -> Iterator[Num[np.ndarray, "sn sw c"]]:
        """Yields the SR image of a picture that comes in strips, from top to bottom. Together the bands equal `enlarge`.

        Args:
          shape: height and width of LR.
          rows: returns the rows of LR from a first to a last one, which never decrease.
          begin: converts pixels of LR to [0, 1].
          finish: as in `enlarge`.
          watch: keeps windows of LR and of SR before `finish`.

        Raises:
          TilesShrank: if the memory does not suffice, and smaller tiles are chosen. The caller begins again.
          InputError, MemoryError: as `enlarge`.
        """
        if shape not in self._sides:
            self.prepare([shape], known=known)
        side = self._sides[shape]
        try:
            if side:
                yield from self._bands(shape, rows, side, known, begin, finish, watch)
                return
            self._check_whole(shape, known)
            ((_, sr),) = self._whole(self._params, [begin(rows(0, shape[0]))], [known], [0])
            yield finish(sr)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if side and self._shrink(side):
                raise TilesShrank from error
            raise MemoryError(str(error)) from error

    def _bands(
        self,
        shape: Shape,
        rows: Callable[[int, int], np.ndarray],
        side: int,
        known: Any,
        begin: Finish,
        finish: Finish,
        watch: Watch | None,
    ) -> Iterator[np.ndarray]:
        s, radius = self.scale, int(self._radius or 0)
        down, across = (spans(size, side=side, radius=radius) for size in shape)

        def inputs() -> Iterator[tuple[np.ndarray, Any]]:
            for place in down:
                strip = rows(place.start, place.start + side)
                if watch:
                    watch.see_lr(place.start, strip)
                for column in across:
                    yield begin(strip[:, column.start : column.start + side]), known

        results = self._in_batches(self._params, inputs(), self._tiles_per_call(side))
        for place in down:
            band: np.ndarray | None = None
            for column in across:
                sr = next(results)[place.within(s), column.within(s)]
                if watch:
                    watch.see_sr(place, column, s, sr)
                kept = finish(sr)
                if band is None:
                    band = np.empty((len(kept), s * shape[1], kept.shape[-1]), kept.dtype)
                band[:, column.scaled(s)] = kept
            if band is not None:
                yield band

    def differences(
        self,
        image: Float32[np.ndarray, "h w c"],
        sr: np.ndarray,
        *,
        known: Any = None,
        finish: Finish = same,
        seed: int,
        count: int,
    ) -> Iterator[float]:
        """Computes random windows of a picture anew, without tiles, and yields the greatest difference in each.

        The edges of a window lie twice as far from the part that is compared as the network looks.

        Args:
          sr: what `enlarge` returned for the picture, with the same `finish`.
        """
        for window in self._windows(image.shape[:2], seed=seed, count=count):
            ((_, theirs),) = self._whole(self._params, [image[window.lr]], [known], [0])
            ours = sr[window.sr].astype(np.float64)
            yield float(np.abs(ours - finish(theirs)[window.within]).max(initial=0))

    def watch(self, shape: Shape, *, seed: int, count: int) -> Watch:
        """Returns what keeps random windows of a picture while `bands` computes it."""
        return Watch(self._windows(shape, seed=seed, count=count))

    def watched_differences(self, watch: Watch, *, known: Any = None, begin: Finish = same) -> Iterator[float]:
        """Computes the kept windows anew, without tiles, and yields the greatest difference in each."""
        for window, lr, ours in zip(watch.windows, watch.lr, watch.sr, strict=True):
            if lr is not None and ours is not None:
                ((_, theirs),) = self._whole(self._params, [begin(lr)], [known], [0])
                yield float(np.abs(ours.astype(np.float64) - theirs[window.within]).max(initial=0))

    def _windows(self, shape: Shape, *, seed: int, count: int) -> list[Window]:
        if self._radius in (None, math.inf):
            return []
        margin = 2 * int(self._radius or 0) + 1
        return choose(shape, margin=margin, scale=self.scale, seed=seed, count=count)

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
            tiles = math.prod(len(spans(size, side=side, radius=radius)) for size in shape)
            calls = -(-tiles // batch)
            return calls * batch // self._count * side**2

        radius = int(self._radius) if self._radius not in (None, math.inf) else self._greatest_side
        sides = [side for side in SIDES if 2 * radius + 1 < side <= self._greatest_side]
        self._sides = assign_sides(sorted(self._shapes), sides, cost=cost)

    def _fit(self, known: Any) -> None:
        """Takes fewer or smaller tiles until all programs are small enough."""
        while self._memory is not None:
            needed = {
                IN_FLIGHT * self._program_bytes(self._tiles_per_call(side), (side, side), known): side
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
