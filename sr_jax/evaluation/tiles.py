"""A network on whole images of any sizes, through few compiled programs, spread over all devices of this process.

XLA compiles a program for every shape, which for a small network takes longer than all its images. But a pixel of the output
depends only on the LR pixels within the network's receptive field. So images are covered by square tiles of one size. Each
tile edge either is the image's own edge, where the network pads as it always does, or lies at least the receptive radius
away from the pixels that are taken from the tile. What is put together so equals the network on the whole image, up to the
rounding of float32 sums. The radius is not declared but measured, and then tried: a NaN and a spot of other values are put
into a tile, and where the result changes is where the pixel matters; then the same random content is shown to the network
one pixel further down, and one to the right, and its result must have moved along, up to that radius from the tile's
edges. Networks that look at the whole image (a Fourier layer, a global mean), or that do not treat all pixels alike (strides,
windows, positions), are thereby found out, and run whole; so does any image for which the tiles would cost more than another
compilation.
"""

import collections
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float32

SIDES = (32, 48, 64, 96, 128, 192, 256, 384)
"""Sizes of tiles to choose from [LR pixels]."""
PIXELS_PER_CALL = 2**16
"""LR pixels of tiles that one device computes in one call."""
COMPILATION = 2**18
"""LR pixels that could be computed while a program compiles. A rough figure: it decides what is fast, not what is right."""
EXPECTED_RADII = (10, 37)
"""Receptive radii for which a tile is chosen, in which the true one is then measured [LR pixels]: first as of a small network,
then, if that reaches further, as of 16 residual blocks."""

PRECISION = "float32, highest matmul precision"
"""In which networks compute here, whatever the backend's default is."""
AXIS = "image"


class Upscaler:
    """Upscales images with a network; keeps its compiled programs for the next call.

    Args:
      model: `(params, LR) -> SR`, float32 of the shapes b h w c and b sh sw c; `(params, LR, known) -> SR` where something is
        known of the images.
    """

    def __init__(self, model: Callable[..., Array], *, scale: int):
        self._scale = scale
        devices = jax.local_devices()
        self._count = len(devices)
        mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
        self._replicated, self._spread = (NamedSharding(mesh, spec) for spec in (PartitionSpec(), PartitionSpec(AXIS)))

        def run(params: Any, lr: Array, known: Any) -> Array:
            with jax.default_matmul_precision("highest"):  # full float32, also where the backend's default is less
                return model(params, lr) if known is None else model(params, lr, known)

        spread = PartitionSpec(AXIS)
        specs = {"in_specs": (PartitionSpec(), spread, spread), "out_specs": spread}
        self._run = jax.jit(jax.shard_map(run, mesh=mesh, check_vma=False, **specs))
        self._radius: int | Literal["unknown"] | None = "unknown"  # None: the whole image

    def __call__(
        self, params: Any, images: Sequence[Float32[np.ndarray, "_h _w c"]], *, known: Sequence[Any] | None = None
    ) -> Iterator[tuple[int, Float32[np.ndarray, "_sh _sw c"]]]:
        """Yields (index, SR) of every image once, in the order in which they are finished.

        Args:
          known: of each image what the network is told, as arrays that can be stacked.
        """
        params = jax.device_put(jax.device_get(params), self._replicated)
        known = [None] * len(images) if known is None else known
        side, tiled = self._plan(params, images, known)
        which = [i for i, image in enumerate(images) if image.shape[:2] in tiled]
        yield from self._by_tiles(params, images, known, which, side)
        yield from self._whole(params, images, known, sorted({*range(len(images))} - {*which}))

    def _plan(self, params: Any, images: Sequence[np.ndarray], known: Sequence[Any]) -> tuple[int, set[tuple[int, int]]]:
        shapes = [image.shape[:2] for image in images]
        if self._radius == "unknown":
            self._radius = self._find_radius(params, shapes, channels=images[0].shape[2] if images else 0, known=known[:1])
        return plan_tiles(shapes, radius=self._radius) if isinstance(self._radius, int) else (0, set())

    def _find_radius(
        self, params: Any, shapes: Sequence[tuple[int, int]], *, channels: int, known: Sequence[Any]
    ) -> int | Literal["unknown"] | None:
        """The receptive radius; "unknown" if whole images are cheaper whatever it is; None if they are all that is left."""
        tried = 0
        for expected in EXPECTED_RADII:
            side, tiled = plan_tiles(shapes, radius=expected)
            if not tiled:
                return None if tried else "unknown"
            if side > tried:
                radius = self._measure_radius(params, side, channels=channels, known=known[0])
                if radius is not None:
                    return radius
                tried = side
        return None

    def _measure_radius(self, params: Any, side: int, *, channels: int, known: Any) -> int | None:
        """The receptive radius [LR pixels]; None if it reaches the border of the tile, or not all pixels are treated alike.

        Compiles no other program than the tiles'.
        """
        scene = np.random.default_rng(0).random((side + 1, side + 1, channels), dtype=np.float32)
        tile, below, right = scene[:side, :side], scene[1:, :side], scene[:side, 1:]
        spot, nan, corners = tile.copy(), tile.copy(), tile.copy()
        centre = side // 2
        spot[centre, centre] = 1 - spot[centre, centre]
        nan[centre, centre] = np.nan
        for corner in (0, -1):
            corners[corner, corner] = 1 - corners[corner, corner]
        probes = ((probe, known) for probe in (tile, spot, nan, corners, below, right))
        sr, of_spot, of_nan, of_corners, of_below, of_right = self._in_batches(params, probes, self._tiles_per_call(side))

        def farthest(changed: np.ndarray, *places: int) -> int:
            """The greatest distance of a changed pixel from the nearest place on the diagonal."""
            where = np.argwhere(changed.any(-1)) // self._scale
            return int(np.min([np.abs(where - place).max(1, initial=0) for place in places], 0).max(initial=0))

        radius = farthest((sr != of_spot) | np.isnan(of_nan), centre)
        if radius >= centre - 1 or farthest(sr != of_corners, 0, side - 1) > radius:  # far, or round the edges: circular
            return None
        s, inner = self._scale, slice(self._scale * radius, self._scale * (side - radius - 1))
        moved = slice(inner.start + s, inner.stop + s)
        tolerance = 1e-4 * float(np.abs(sr).max())
        alike = all(
            np.allclose(sr[there], shifted[inner, inner], rtol=0, atol=tolerance)
            for there, shifted in (((moved, inner), of_below), ((inner, moved), of_right))
        )
        return radius if alike else None

    def _by_tiles(
        self, params: Any, images: Sequence[np.ndarray], known: Sequence[Any], which: list[int], side: int
    ) -> Iterator[tuple[int, Any]]:
        radius, s = self._radius, self._scale
        if not which or not isinstance(radius, int):
            return
        tiles = [(i, tile) for i in which for tile in cover(images[i].shape[:2], side=side, radius=radius)]
        missing = collections.Counter(i for i, _ in tiles)
        cut = (
            (images[i][rows.start : rows.start + side, columns.start : columns.start + side], known[i])
            for i, (rows, columns) in tiles
        )
        results: dict[int, np.ndarray] = {}
        for (i, (rows, columns)), sr in zip(tiles, self._in_batches(params, cut, self._tiles_per_call(side)), strict=True):
            if i not in results:
                results[i] = np.empty((s * images[i].shape[0], s * images[i].shape[1], sr.shape[-1]), np.float32)
            results[i][rows.scaled(s), columns.scaled(s)] = sr[rows.within(s), columns.within(s)]
            missing[i] -= 1
            if not missing[i]:
                yield i, results.pop(i)

    def _whole(
        self, params: Any, images: Sequence[np.ndarray], known: Sequence[Any], which: list[int]
    ) -> Iterator[tuple[int, Any]]:
        """Images of one shape go to the devices together."""
        by_shape: dict[tuple, list[int]] = {}
        for i in which:
            by_shape.setdefault(images[i].shape, []).append(i)
        for members in by_shape.values():
            inputs = ((images[i], known[i]) for i in members)
            yield from zip(members, self._in_batches(params, inputs, self._count), strict=True)

    def _in_batches(self, params: Any, inputs: Iterable[tuple[np.ndarray, Any]], size: int) -> Iterator[np.ndarray]:
        """Results in the order of the inputs: LR and what is known. The last batch is filled up with its last input; what comes
        of that is dropped."""
        inputs = iter(inputs)
        ahead: tuple[int, Array] | None = None  # one batch is computed while the one before is taken apart
        while batch := list(itertools.islice(inputs, size)):
            filled = [*batch, *[batch[-1]] * (size - len(batch))]
            stacked = jax.tree.map(lambda *values: np.stack(values, dtype=np.float32), *filled)
            now = len(batch), self._run(params, *jax.device_put(stacked, self._spread))
            if ahead:
                yield from np.asarray(ahead[1])[: ahead[0]]
            ahead = now
        if ahead:
            yield from np.asarray(ahead[1])[: ahead[0]]

    def _tiles_per_call(self, side: int) -> int:
        return self._count * max(1, PIXELS_PER_CALL // side**2)


class Span(NamedTuple):
    """What a tile gives of an image along one axis [LR pixels]."""

    start: int
    """Where the tile begins."""
    first: int
    """Where the part that is taken from it begins."""
    stop: int

    def scaled(self, scale: int) -> slice:
        """The part in the SR image."""
        return slice(scale * self.first, scale * self.stop)

    def within(self, scale: int) -> slice:
        """The part in what comes out of the tile."""
        return slice(scale * (self.first - self.start), scale * (self.stop - self.start))


def cover(shape: tuple[int, int], *, side: int, radius: int) -> list[tuple[Span, Span]]:
    """Tiles (rows, columns) whose parts make up an image, each pixel once, at least `radius` away from every inner edge."""
    rows, columns = (_spans(size, side, radius) for size in shape)
    return list(itertools.product(rows, columns))


def plan_tiles(shapes: Sequence[tuple[int, int]], *, radius: int) -> tuple[int, set[tuple[int, int]]]:
    """The side of the tiles that make all images together cheapest, and the shapes that are to be tiled."""
    best: tuple[float, int, set[tuple[int, int]]] = math.inf, 0, set()
    for side in (0, *(side for side in SIDES if side > 2 * radius + 1)):
        total, tiled = 0.0, set()
        for shape, n in collections.Counter(shapes).items():
            whole = n * math.prod(shape) + COMPILATION
            tiles = n * len(cover(shape, side=side, radius=radius)) * side**2 if 0 < side <= min(shape) else math.inf
            tiled |= {shape} if tiles < whole else set()
            total += min(tiles, whole)
        total += COMPILATION if tiled else 0
        if total < best[0]:
            best = total, side, tiled
    return best[1], best[2]


def _spans(size: int, side: int, radius: int) -> list[Span]:
    spans = [Span(0, 0, size if size <= side else side - radius)]
    while (done := spans[-1].stop) < size:
        start = min(done - radius, size - side)
        spans.append(Span(start, done, size if start + side == size else start + side - radius))
    return spans
