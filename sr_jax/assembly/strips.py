"""Enlarges pictures in strips of rows, so that memory does not grow with their height."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sr_jax.assembly.upscaler import Upscaler, Way, finite
from sr_jax.errors import InputError, writing
from sr_jax.evaluation.bounded import BoundedNetwork, TilesShrank
from sr_jax.evaluation.tiles import SIDES
from sr_jax.evaluation.windows import Watch
from sr_jax.ops.resize import imresize_host
from sr_jax.pictures import metadata, strips
from sr_jax.pictures.depth import Levels, from_network, levels, levels_between, to_network
from sr_jax.pictures.picture import RGB, Metadata, Picture
from sr_jax.pictures.pipeline import pump
from sr_jax.pictures.plan import BYTES, Job
from sr_jax.pictures.rows import Rows, copies, in_step
from sr_jax.pictures.strips import Strips

BICUBIC_REACH = 3
"""Rows beside its own on which a row of bicubic interpolation depends [LR pixels]."""


class Common(NamedTuple):
    """What is the same for all pictures."""

    upscaler: Upscaler
    about: Callable[[Job, Metadata, str], Metadata]
    """Returns the metadata of a result, for those of its input and the hash of this."""
    windows: int
    """How many windows are compared with the network without tiles."""
    place: str
    """Where results are written, as errors name it."""
    progress: Callable[[Job, int], None]
    """Is told how many pixels of a picture are enlarged since it was called last; negative if they are lost."""


def fitted(job: Job, source: Path | bytes, *, scale: int, self_ensemble: bool, most: int, mend: str) -> Job:
    """Returns a job as it is if the memory suffices for it, and else as one in strips.

    Args:
      source: the file, or its bytes.
      scale: the factor of the network.
      most: bytes of memory that it may take.
      mend: what gives it more memory, for errors.

    Raises:
      InputError: if the memory does not suffice, and the picture cannot be enlarged in strips.
    """
    needed = job.memory(scale=scale, self_ensemble=self_ensemble)
    if needed <= most:
        return job
    try:
        return _in_strips(job, source, scale=scale, self_ensemble=self_ensemble, most=most)
    except InputError as error:
        reason = str(error).removeprefix(f"{job.source.label}: ")
    height, width = job.header.shape
    raise InputError(
        f"{job.source.label}: {width:,}x{height:,} pixels take about {needed / 2**30:,.1f} GiB of memory, and "
        f"{most / 2**30:,.1f} GiB may be used for pictures; {mend}, or divide the picture. It cannot be enlarged in strips: "
        f"{reason}"
    )


def _in_strips(job: Job, source: Path | bytes, *, scale: int, self_ensemble: bool, most: int) -> Job:
    """The job in strips. The errors say why this cannot be done, as far as it is known without the network."""
    height, width = job.header.shape
    if len(job.parts) > 1:
        raise InputError("it has several frames or pages; save them as single pictures")
    if job.header.format not in strips.WRITERS:
        raise InputError(f"{job.header.format.upper()} is not read in strips; convert it to PNG or TIFF")
    if job.format not in strips.WRITERS:
        raise InputError(f"{job.format.upper()} is not written in strips; give --format png or tiff")
    if self_ensemble:
        raise InputError("--self_ensemble turns it; leave the option out")
    if job.size != (scale * height, scale * width):
        raise InputError(
            "another size than the network's is made of the whole result; leave out --outscale, --width and --height"
        )
    if job.format == "png" and job.size[1] > strips.MOST_WIDE:
        raise InputError(f"PNG is written with at most {strips.MOST_WIDE:,} pixels in a row; give --format tiff")
    with strips.opened(source, job.source.label) as picture:
        job = job._replace(in_strips=True, rows=picture.rows)
    if (least := memory(job, scale=scale, self_ensemble=False)) > most:
        raise InputError(f"its strips take {least / 2**30:,.1f} GiB or more")
    return job


def refused(jobs: Sequence[Job], upscaler: Upscaler) -> dict[Job, str]:
    """Returns those jobs in strips that a network cannot do, with the reasons. The network must be prepared for all jobs."""
    reasons = {}
    for job in jobs:
        sides = [network.side(job.header.shape) for network in upscaler.networks(job.header)] if job.in_strips else []
        if not all(sides):
            why = (
                upscaler.why_whole or "it is too narrow for tiles, or the memory does not suffice for the tiles of this network"
            )
            reasons[job] = (
                f"{job.source.label}: the memory does not suffice for the whole picture, and it cannot be enlarged in strips, "
                f"because the network is applied to it as a whole ({why})"
            )
    return reasons


def memory(job: Job, *, scale: int, self_ensemble: bool) -> int:
    """Returns about how many bytes of memory a picture takes while it is enlarged as a whole, or in strips at least."""
    if job.in_strips:
        return _memory(job, scale=scale, side=min(SIDES))
    return job.memory(scale=scale, self_ensemble=self_ensemble)


def greatest_side(jobs: Sequence[Job], *, scale: int, most: int) -> int:
    """Returns the side of the largest tiles with which all pictures in strips fit into the memory [LR pixels].

    Args:
      most: bytes that a picture may take.
    """
    wide = [job for job in jobs if job.in_strips]
    fitting = [side for side in SIDES if all(_memory(job, scale=scale, side=side) <= most for job in wide)]
    return max(fitting, default=min(SIDES))


def _memory(job: Job, *, scale: int, side: int) -> int:
    """Bytes for a picture in strips with tiles of a side."""
    header, rows = job.header, job.rows
    samples = header.channels + header.has_alpha
    given = (3 * side + 4 * rows) * header.width * samples * BYTES[header.dtype]
    enlarged = scale * side * scale * header.width
    made = 5 * enlarged * samples * BYTES[job.dtype]
    opacity = header.has_alpha * 4 * (enlarged + 8 * (side + rows) * header.width) * BYTES["float32"]
    return given + made + opacity


def enlarge(job: Job, source: Path | bytes, way: Way, target: Path, common: Common, *, sha256: str) -> float | None:
    """Enlarges the picture of a file, and writes the result. If that fails, nothing is left.

    Args:
      source: the file, or its bytes.
      target: the file that is written.
      sha256: the hash of `source`.

    Returns:
      the greatest difference from windows without tiles; None if none are compared.

    Raises:
      InputError: if the picture is damaged or the network cannot be applied, or the result cannot be written.
      TrainingError: if the disk is full.
      MemoryError: if the memory does not suffice for the smallest tiles.
    """
    try:
        while True:
            counted = 0
            with strips.opened(source, job.source.label) as picture:
                run = Enlargement(common.upscaler, picture, job, way, windows=common.windows)
                about = common.about(job, run.metadata, sha256)

                def write(bands: Iterator[Picture], about: Metadata = about) -> None:
                    with writing(common.place), target.open("w+b") as file:
                        strips.write(file, bands, job.format, size=job.size, metadata=about)

                def counting(bands: Iterable[Picture]) -> Iterator[Picture]:
                    nonlocal counted
                    for band in bands:
                        yield band
                        pixels = band.pixels.shape[0] * band.pixels.shape[1] // common.upscaler.scale**2
                        counted += pixels
                        common.progress(job, pixels)

                try:
                    pump(counting(run), write)
                except TilesShrank:
                    common.progress(job, -counted)
                    continue
                return max(run.differences(), default=None)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class Enlargement:
    """The bands of an enlarged picture, from top to bottom. They are computed once.

    Args:
      source: the picture.
      windows: how many windows are compared.

    Raises:
      InputError: if the file changed since the job was planned, or its colours cannot be converted.
    """

    def __init__(self, upscaler: Upscaler, source: Strips, job: Job, way: Way, *, windows: int):
        self._upscaler, self._source, self._way, self._to_srgb = upscaler, source, way, job.to_srgb
        self._header, given = job.header, source.header
        if given.shape != job.header.shape or given.dtype != job.header.dtype or given.has_alpha != job.header.has_alpha:
            raise InputError("changed while this command ran")
        self._networks = upscaler.networks(job.header)
        self._watch = self._networks[0].watch(given.shape, seed=0, count=windows) if windows else None
        self._levels = Levels(0, 1)
        self.metadata = source.metadata
        if job.to_srgb:
            pixels = np.zeros((1, 1, given.channels), given.dtype)
            self.metadata = metadata.to_srgb(Picture(pixels, None, given.space, source.metadata, given.format)).metadata

    def __iter__(self) -> Iterator[Picture]:
        header = self._header
        self._levels = self._find_levels()
        source = iter(self._source)
        arrays = (self._converted(strip).to_array() for strip in source)
        network = self._networks[0]
        if header.has_alpha:
            arrays = strips.bled(arrays, height=header.height, reach=strips.reach_of(network.radius))
        width = 3 if header.space == RGB else 1
        parts = [slice(i, i + width) for i in range(0, header.channels, width)]
        same = copies(arrays, len(parts) + 2 * header.has_alpha)
        bands = [self._colours(network, same[i], part, self._watch if i == 0 else None) for i, part in enumerate(parts)]
        if header.has_alpha:
            alpha = [(strip[..., -1:] for strip in copy) for copy in same[-2:]]
            bands.append(self._alpha(self._networks[-1], *alpha))
        for members in in_step(bands):
            pixels, opacity = (members[:-1], members[-1]) if header.has_alpha else (members, None)
            whole = pixels[0] if len(pixels) == 1 else np.concatenate(pixels, -1)
            yield Picture(whole, opacity, header.space, self.metadata, header.format)
        if next(source, None) is not None:  # a reader checks the end of its file when it is asked for more
            raise InputError("is damaged (it holds more rows than its header says)")

    def differences(self) -> list[float]:
        """Returns the greatest difference in each window between tiles and the network on the window [levels of 0 to 1]."""
        if self._watch is None:
            return []
        network = self._networks[0]
        return list(network.watched_differences(self._watch, known=self._upscaler.known, begin=self._begin))

    def _begin(self, pixels: np.ndarray) -> np.ndarray:
        return to_network(pixels, self._levels)

    def _colours(
        self, network: BoundedNetwork, arrays: Iterable[np.ndarray], part: slice, watch: Watch | None
    ) -> Iterator[np.ndarray]:
        rows = Rows(array[..., part] for array in arrays)
        return network.bands(
            self._header.shape,
            rows.between,
            known=self._upscaler.known,
            begin=self._begin,
            finish=lambda sr: from_network(finite(sr, network), self._levels, self._way.dtype),
            watch=watch,
        )

    def _alpha(self, network: BoundedNetwork, alpha: Iterable[np.ndarray], again: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        header, way, scale = self._header, self._way, self._upscaler.scale
        given = Levels(0, 1) if header.dtype == "float32" else levels(np.zeros((1, 1, 1), header.dtype))
        rows = Rows(to_network(strip, given) for strip in alpha)
        if way.alpha == "network":
            known = self._upscaler.known
            enlarged = network.bands(header.shape, rows.between, known=known, finish=lambda sr: finite(sr, network))
        else:
            enlarged = _bicubic(rows, header.height, scale)
        near = (to_network(strip, given) for strip in again)
        for band in strips.opacity(enlarged, near, height=header.height, scale=scale):
            yield from_network(band.clip(0, 1), given, way.dtype)

    def _converted(self, strip: Picture) -> Picture:
        return metadata.to_srgb(strip) if self._to_srgb else strip

    def _find_levels(self) -> Levels:
        if self._header.dtype != "float32":
            return levels(np.zeros((1, 1, 1), self._header.dtype))
        least, greatest = math.inf, -math.inf
        for strip in self._source:
            least, greatest = min(least, float(strip.pixels.min())), max(greatest, float(strip.pixels.max()))
        return levels_between(least, greatest)


def _bicubic(rows: Rows, height: int, scale: int) -> Iterator[np.ndarray]:
    """Bicubic interpolation of a picture in bands."""
    for start in range(0, height, max(SIDES)):
        stop = min(height, start + max(SIDES))
        first, last = max(0, start - BICUBIC_REACH), min(height, stop + BICUBIC_REACH)
        enlarged = imresize_host(rows.between(first, last), scale=scale, kernel="bicubic", antialias=True)
        yield enlarged[scale * (start - first) : scale * (stop - first)]
