"""Applies a network to whole images of any size, with few compiled programs, on all devices of this process.

XLA compiles a program for each image shape, and for a small network this takes longer than computing all images. But a pixel
of the output depends only on the LR pixels within the network's receptive field. So the images are covered with square tiles
of one size. Each edge of a tile is either an edge of the image, where the network pads as usual, or lies at least the receptive
radius away from the pixels that are kept. The assembled tiles therefore equal the network on the whole image, up to the
rounding of float32 sums.

The radius is measured, not declared. One pixel of a tile is changed, then set to NaN: the output changes as far as that pixel
reaches. Then the content is moved by one pixel, down and to the right: the output must move with it, except within the radius
of the tile's edges. Networks that depend on the whole image (a Fourier layer, a global mean), or do not treat all pixels
alike (strides, windows, positions), fail these tests and are applied to whole images. So are images for which tiles would cost
more than compiling another program.

A network is measured once, often at its start, when some of its branches may still contribute nothing. So it is measured with
noise on all its parameters.
"""

import collections
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float32

from sr_jax.errors import InputError
from sr_jax.models.about import About

SIDES = (32, 48, 64, 96, 128, 192, 256, 384)
"""Sizes of tiles to choose from [LR pixels]."""
PIXELS_PER_CALL = 2**16
"""LR pixels of tiles that one device computes in one call."""
COMPILATION = 2**18
"""LR pixels that could be computed while a program compiles. This rough figure affects the speed, not the result."""
EXPECTED_RADII = (10, 37)
"""Receptive radii for which the tile of a measurement is chosen [LR pixels]: that of a small network, then, if the true radius
is larger, that of 16 residual blocks."""

NOISE = 0.3
"""Noise on the parameters of a network that is measured: standard deviation times the root of the number of inputs."""

PRECISION = "float32, highest matmul precision"
"""Precision in which networks compute here, whatever the backend's default is."""
AXIS = "image"


class TiledNetwork:
    """A network that is applied to images tile by tile, and keeps its compiled programs for the next call.

    Args:
      apply: `(params, LR) -> SR`, float32 of the shapes b h w c and b sh sw c; `(params, LR, known) -> SR` if the network is
        told the degradation.
      about: the network's description.
    """

    def __init__(self, apply: Callable[..., Array], about: About, *, scale: int):
        self.about = about
        self.scale = scale
        devices = jax.local_devices()
        self._count = len(devices)
        mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
        self._replicated, self._spread = (NamedSharding(mesh, spec) for spec in (PartitionSpec(), PartitionSpec(AXIS)))

        def run(params: Any, lr: Array, known: Any) -> Array:
            with jax.default_matmul_precision("highest"):  # full float32, also where the backend's default is less
                return apply(params, lr) if known is None else apply(params, lr, known)

        spread = PartitionSpec(AXIS)
        specs = {"in_specs": (PartitionSpec(), spread, spread), "out_specs": spread}
        self._run = jax.jit(jax.shard_map(run, mesh=mesh, check_vma=False, **specs))
        self._pixels_per_call = PIXELS_PER_CALL
        self._radius: int | float | None = None
        """The receptive radius [LR pixels]; infinite if whole images are needed; None before it is measured."""
        self._why_whole: str | None = None
        """The reason for an infinite radius."""

    def __call__(
        self, params: Any, images: Sequence[Float32[np.ndarray, "_h _w c"]], *, known: Sequence[Any] | None = None
    ) -> Iterator[tuple[int, Float32[np.ndarray, "_sh _sw c"]]]:
        """Yields (index, SR) for each image, in the order in which they are finished.

        Args:
          images: LR in [0, 1].
          known: what the network is told about each image, as arrays that can be stacked.

        Raises:
          InputError: if the network returns images of another size than it should.
        """
        params = jax.device_put(jax.device_get(params), self._replicated)
        known = [None] * len(images) if known is None else known
        side, tiled_shapes = self._plan(params, [image.shape[:2] for image in images], known)
        tiled = [i for i, image in enumerate(images) if image.shape[:2] in tiled_shapes]
        yield from self._by_tiles(params, images, known, tiled, side)
        yield from self._whole(params, images, known, sorted({*range(len(images))} - {*tiled}))

    def _plan(self, params: Any, shapes: Sequence[tuple[int, int]], known: Sequence[Any]) -> tuple[int, set[tuple[int, int]]]:
        if self._radius is None:
            self._radius = self._find_radius(params, shapes, known)
        return (0, set()) if self._radius is None else plan_tiles(shapes, radius=self._radius)

    def _find_radius(self, params: Any, shapes: Sequence[tuple[int, int]], known: Sequence[Any]) -> int | float | None:
        """The receptive radius; None, without a measurement, if whole images are cheaper anyway."""
        largest = 0
        for expected in EXPECTED_RADII:
            side, tiled_shapes = plan_tiles(shapes, radius=expected)
            if not tiled_shapes:
                break
            if side > largest:
                radius = self._measure_radius(params, side, known=known[0])
                if radius < math.inf:
                    return radius
                largest = side
        return math.inf if largest else None

    def _measure_radius(self, params: Any, side: int, *, known: Any) -> int | float:
        """The receptive radius [LR pixels]; infinite if it reaches the tile's border, or not all pixels are treated alike.

        The only program that is compiled is that of the tiles.
        """
        params = jax.device_put(_with_noise(jax.device_get(params)), self._replicated)
        scene = np.random.default_rng(0).random((side + 1, side + 1, self.about.channels), dtype=np.float32)
        tile, below, right = scene[:side, :side], scene[1:, :side], scene[:side, 1:]
        spot, nan, corners = tile.copy(), tile.copy(), tile.copy()
        centre = side // 2
        spot[centre, centre] = 1 - spot[centre, centre]
        nan[centre, centre] = np.nan
        for corner in (0, -1):
            corners[corner, corner] = 1 - corners[corner, corner]
        probes = ((probe, known) for probe in (tile, spot, nan, corners, below, right))
        sr, of_spot, of_nan, of_corners, of_below, of_right = self._in_batches(params, probes, self._tiles_per_call(side))

        if not np.isfinite(sr).all():
            self._why_whole = "its output is not finite"
            return math.inf

        def farthest(changed: np.ndarray, *places: int) -> int:
            """The greatest distance of a changed pixel from the nearest place on the diagonal."""
            where = np.argwhere(changed.any(-1)) // self.scale
            return int(np.min([np.abs(where - place).max(1, initial=0) for place in places], 0).max(initial=0))

        radius = farthest((sr != of_spot) | np.isnan(of_nan), centre)
        if radius >= centre - 1:
            self._why_whole = f"a pixel reaches {radius} pixels or more, which is too far for tiles of {side}x{side}"
            return math.inf
        if farthest(sr != of_corners, 0, side - 1) > radius:
            self._why_whole = "a pixel at one edge reaches the opposite edge"
            return math.inf
        s, inner = self.scale, slice(self.scale * radius, self.scale * (side - radius - 1))
        moved = slice(inner.start + s, inner.stop + s)
        tolerance = 1e-4 * float(np.abs(sr).max())
        alike = all(
            np.allclose(sr[there], shifted[inner, inner], rtol=0, atol=tolerance)
            for there, shifted in (((moved, inner), of_below), ((inner, moved), of_right))
        )
        if not alike:
            self._why_whole = "SR does not move with LR"
        return radius if alike else math.inf

    def _by_tiles(
        self,
        params: Any,
        images: Sequence[np.ndarray],
        known: Sequence[Any],
        members: Sequence[int],
        side: int,
        *,
        finish: Callable[[np.ndarray], np.ndarray] = lambda sr: sr,
    ) -> Iterator[tuple[int, Any]]:
        """The members of `images`, each yielded when the last of its tiles is computed. `finish` converts pixels of SR."""
        if not members or self._radius is None:
            return
        radius, s = int(self._radius), self.scale
        tiles = [(i, tile) for i in members for tile in cover(images[i].shape[:2], side=side, radius=radius)]
        missing = collections.Counter(i for i, _ in tiles)
        inputs = (
            (images[i][rows.start : rows.start + side, columns.start : columns.start + side], known[i])
            for i, (rows, columns) in tiles
        )
        results: dict[int, np.ndarray] = {}
        for (i, (rows, columns)), sr in zip(tiles, self._in_batches(params, inputs, self._tiles_per_call(side)), strict=True):
            kept = finish(sr[rows.within(s), columns.within(s)])
            if i not in results:
                results[i] = np.empty((s * images[i].shape[0], s * images[i].shape[1], sr.shape[-1]), kept.dtype)
            results[i][rows.scaled(s), columns.scaled(s)] = kept
            missing[i] -= 1
            if not missing[i]:
                yield i, results.pop(i)

    def _whole(
        self, params: Any, images: Sequence[np.ndarray], known: Sequence[Any], members: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """The members of `images`; those of one shape go to the devices together."""
        by_shape: dict[tuple, list[int]] = {}
        for i in members:
            by_shape.setdefault(images[i].shape, []).append(i)
        for same in by_shape.values():
            inputs = ((images[i], known[i]) for i in same)
            yield from zip(same, self._in_batches(params, inputs, self._count), strict=True)

    def _in_batches(self, params: Any, inputs: Iterable[tuple[np.ndarray, Any]], size: int) -> Iterator[np.ndarray]:
        """The results of the inputs (LR, known), in their order. Copies of the last input fill up the last batch."""
        inputs = iter(inputs)
        ahead: tuple[int, Array] | None = None  # one batch is computed while the one before is taken apart
        while batch := list(itertools.islice(inputs, size)):
            filled = [*batch, *[batch[-1]] * (size - len(batch))]
            stacked = jax.tree.map(lambda *values: np.stack(values, dtype=np.float32), *filled)
            now = len(batch), self._apply(params, *stacked)
            if ahead:
                yield from jax.device_get(ahead[1])[: ahead[0]]
            ahead = now
        if ahead:
            yield from jax.device_get(ahead[1])[: ahead[0]]

    def _apply(self, params: Any, lr: np.ndarray, known: Any) -> Array:
        """SR of a batch, which may still be being computed."""
        _, h, w, channels = lr.shape
        name = f"{self.about.name} x{self.scale}"
        try:
            sr = self._run(params, *jax.device_put((lr, known), self._spread))
        except InputError:
            raise
        except ValueError as error:  # for example, a kernel that is larger than the image
            raise InputError(f"{name} cannot be applied to LR of {h}x{w}: {str(error).partition(chr(10))[0]}") from error
        expected = (self.scale * h, self.scale * w, channels)
        if sr.shape[1:] != expected:
            returned, given, right = (" x ".join(map(str, shape)) for shape in (sr.shape[1:], lr.shape[1:], expected))
            raise InputError(f"{name} returns SR of the shape {returned} for LR of the shape {given}; it must be {right}")
        return sr

    def _tiles_per_call(self, side: int) -> int:
        return self._count * max(1, self._pixels_per_call // side**2)


class Span(NamedTuple):
    """The extent of a tile along one axis of an image, and the part of it that is kept [LR pixels]."""

    start: int
    """Where the tile begins."""
    first: int
    """Where the kept part begins."""
    stop: int
    """Where the kept part ends."""

    def scaled(self, scale: int) -> slice:
        """The kept part in the SR image."""
        return slice(scale * self.first, scale * self.stop)

    def within(self, scale: int) -> slice:
        """The kept part in the network's output for the tile."""
        return slice(scale * (self.first - self.start), scale * (self.stop - self.start))


def cover(shape: tuple[int, int], *, side: int, radius: int) -> list[tuple[Span, Span]]:
    """Tiles (rows, columns) that keep each pixel of an image once, at least `radius` away from the tile's inner edges."""
    rows, columns = (spans(size, side=side, radius=radius) for size in shape)
    return list(itertools.product(rows, columns))


def plan_tiles(shapes: Sequence[tuple[int, int]], *, radius: int | float) -> tuple[int, set[tuple[int, int]]]:
    """The tiles' side for which all images together cost least, and the shapes to be tiled: none if the radius is infinite."""
    best: tuple[float, int, set[tuple[int, int]]] = math.inf, 0, set()
    for side in (0, *(side for side in SIDES if side > 2 * radius + 1)):
        total, tiled_shapes = 0.0, set()
        for shape, n in collections.Counter(shapes).items():
            whole = n * math.prod(shape) + COMPILATION
            tiles = n * len(cover(shape, side=side, radius=int(radius))) * side**2 if 0 < side <= min(shape) else math.inf
            tiled_shapes |= {shape} if tiles < whole else set()
            total += min(tiles, whole)
        total += COMPILATION if tiled_shapes else 0
        if total < best[0]:
            best = total, side, tiled_shapes
    return best[1], best[2]


def spans(size: int, *, side: int, radius: int) -> list[Span]:
    """The extents of the tiles of `cover` along one axis."""
    found = [Span(0, 0, size if size <= side else side - radius)]
    while (done := found[-1].stop) < size:
        start = min(done - radius, size - side)
        found.append(Span(start, done, size if start + side == size else start + side - radius))
    return found


def _with_noise(params: Any) -> Any:
    """The parameters, host arrays, as a measurement uses them: none is exactly zero."""
    rng = np.random.default_rng(0)

    def add(leaf: Any) -> Any:
        inputs = math.prod(leaf.shape[:-1])
        return (leaf + rng.normal(scale=NOISE / math.sqrt(max(1, inputs)), size=leaf.shape)).astype(leaf.dtype)

    return jax.tree.map(add, params)
