"""Plans and enlarges all pictures of a command: decodes, computes, encodes and writes one after another."""

import hashlib
import itertools
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sr_jax.assembly import likeness, strips
from sr_jax.assembly.comparison import Comparer, Comparison
from sr_jax.assembly.trained import Trained
from sr_jax.assembly.upscale_settings import Limits, Settings
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.errors import InputError, writing
from sr_jax.pictures import metadata, several, write
from sr_jax.pictures.names import Source
from sr_jax.pictures.picture import Metadata, Picture
from sr_jax.pictures.pipeline import process
from sr_jax.pictures.plan import Job, make_jobs
from sr_jax.pictures.preflight import content_of, hash_of, without_done
from sr_jax.pictures.records import PARTIAL, Records
from sr_jax.pictures.report import Report


class Loaded(NamedTuple):
    """The decoded picture, the hash of its file, and when it was begun."""

    picture: Picture | None
    """None if it is read in strips."""
    following: Iterator[Picture]
    """Further frames or pages, which are decoded one after another while they are enlarged."""
    sha256: str
    began: float
    warning: str
    """Why it does not look like what the network was trained on; empty if it does."""


class Enlarged(NamedTuple):
    """A picture that is enlarged."""

    pictures: list[Picture]
    """The picture, all its frames, or the first of its pages. There is none if it was enlarged in strips."""
    file: Path | None
    """The file, if it is written already: that of pages, or of a picture in strips."""
    loaded: Loaded
    difference: float | None
    """The greatest difference of the first one from windows without tiles."""


class Encoded(NamedTuple):
    """The file of a result, with what belongs to its record."""

    data: bytes | Path
    enlarged: Enlarged
    comparison: Comparison | None


class Pictures:
    """The pictures of a command.

    Args:
      data: the bytes of those that are not files.
      made_by: what makes the results.

    Attributes:
      jobs: what can be done.
      bad: why the rest cannot, by the labels of the pictures.

    Raises:
      InputError: if two results would have one name, or HR cannot be used.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        data: Mapping[Source, bytes],
        settings: Settings,
        one: Trained,
        limits: Limits,
        *,
        made_by: dict[str, Any],
    ):
        self._data, self._settings, self._one, self._limits, self._made_by = data, settings, one, limits, made_by
        self._scale = one.config.scale
        self._notes: dict[Job, str] = {}
        planned = make_jobs(sources, settings.wishes, label=settings.label(one), scale=self._scale, data=dict(data))
        self.bad = planned.bad
        self.jobs = self._fitted(planned.jobs)
        self._comparer = None
        if settings.compare and self.jobs:
            self._comparer = Comparer(self.jobs, hr=settings.hr, scale=self._scale, made_by=made_by)

    @property
    def note(self) -> str:
        """A line about all pictures; may be empty."""
        return self._comparer.note if self._comparer else ""

    @property
    def greatest_side(self) -> int:
        """The side of the largest tiles with which all pictures in strips fit into the memory [LR pixels]."""
        return strips.greatest_side(self.jobs, scale=self._scale, most=self._limits.memory)

    def leave_out_done(self, records: Records) -> list[Job]:
        """Leaves out those whose results are there already, and returns them.

        Raises:
          InputError: if a result would replace an input, or a file that may not be replaced.
        """
        assert self._settings.out
        todo, self._notes = without_done(
            self.jobs,
            records,
            out=self._settings.out,
            files=self._files,
            data=self._data,
            overwrite=self._settings.overwrite,
        )
        done = [job for job in self.jobs if job not in todo]
        self.jobs = todo
        return done

    def report(self, report: Report) -> None:
        """Prints what would be done."""
        report.planned(self.jobs, self._notes)

    def prepare(self, upscaler: Upscaler) -> None:
        """Chooses the tiles. Pictures in strips that the network cannot do become bad."""
        ways = self._ways()
        upscaler.prepare([part.header for part in ways], [*ways.values()])
        refused = strips.refused(self.jobs, upscaler)
        self.jobs = [job for job in self.jobs if job not in refused]
        self.bad = {job.source.label: reason for job, reason in refused.items()}

    def enlarge(self, upscaler: Upscaler, records: Records | None, report: Report, *, folder: Path) -> float:
        """Enlarges the pictures. Returns the greatest difference from windows without tiles.

        Args:
          records: those of the results; None for standard output.
          folder: where parts of results are written.

        Raises:
          NotFiniteError: if the network is broken.
          OSError: if a result cannot be written.
        """
        greatest, steps = 0.0, _Steps(self, upscaler, report, folder)
        todo = {"load": steps.load, "compute": steps.compute, "save": steps.encode}
        for job, result in process(self.jobs, **todo, size=self._memory, most=self._limits.memory):
            if not isinstance(result, Encoded):
                report.failed(job.source.label, _reason_of(job, result))
                report.advance(job)
                continue
            loaded, difference, page = result.enlarged.loaded, result.enlarged.difference, result.comparison
            if records:
                self._write(records, job, result)
            else:
                _to_standard_output(result.data)
            report.done(
                job,
                seconds=time.monotonic() - loaded.began,
                note=self._notes.get(job, ""),
                difference=difference,
                warning=loaded.warning,
                extra={"compare": page.name, **page.scores} if page else {},
            )
            greatest = max(greatest, difference or 0)
        return greatest

    def _fitted(self, jobs: Sequence[Job]) -> list[Job]:
        """Those jobs for which the memory suffices, some of them in strips. The others become bad."""
        fitted = []
        mend = "raise --memory" if self._settings.memory else "free some memory"
        for job in jobs:
            options = {"scale": self._scale, "self_ensemble": self._settings.self_ensemble, "most": self._limits.memory}
            try:
                fitted.append(strips.fitted(job, job.source.path or self._data[job.source], mend=mend, **options))
            except InputError as error:
                self.bad[job.source.label] = str(error)
        return fitted

    def _ways(self) -> dict[Job, Way]:
        """How each picture, frame and page is enlarged."""
        alpha, self_ensemble = self._settings.alpha, self._settings.self_ensemble
        return {part: Way(part.dtype, part.size, alpha, self_ensemble) for job in self.jobs for part in job.parts}

    def _files(self, job: Job) -> dict[str, dict[str, Any]]:
        """The files of a result by their names, with what makes them."""
        return {str(job.output): self._made_by, **(self._comparer.files[job] if self._comparer else {})}

    def _memory(self, job: Job) -> int:
        compared = self._comparer.memory(job) if self._comparer else 0
        return strips.memory(job, scale=self._scale, self_ensemble=self._settings.self_ensemble) + compared

    def _write(self, records: Records, job: Job, result: Encoded) -> None:
        contents: dict[str, bytes | Path] = {str(job.output): result.data}
        if result.comparison:
            contents[result.comparison.name] = result.comparison.html
        origin = {"input_name": job.source.label, "input_sha256": result.enlarged.loaded.sha256}
        for name, made_by in self._files(job).items():
            records.write(name, contents[name], made_by=made_by, **origin)


class _Steps:
    """What is done with each picture."""

    def __init__(self, pictures: Pictures, upscaler: Upscaler, report: Report, folder: Path):
        self._jobs, self._data, self._one = pictures.jobs, pictures._data, pictures._one
        self._settings, self._made_by, self._comparer = pictures._settings, pictures._made_by, pictures._comparer
        self._upscaler, self._folder, self._windows = upscaler, folder, pictures._limits.windows
        self._ways = pictures._ways()
        self._common = strips.Common(upscaler, self._about, self._windows, self._settings.place, report.progress)

    def load(self, job: Job) -> Loaded:
        began = time.monotonic()
        if job.in_strips:
            return Loaded(None, iter([]), hash_of(job.source, self._data), began, "")
        content = content_of(job.source, self._data)
        pictures = several.decoded(job, content)
        first = next(pictures)
        warning = likeness.warning(first, content, self._one)
        return Loaded(first, pictures, hashlib.sha256(content).hexdigest(), began, warning)

    def compute(self, job: Job, loaded: Loaded) -> Enlarged:
        if loaded.picture is None:
            target, source = self._partial(job), job.source.path or self._data[job.source]
            difference = strips.enlarge(job, source, self._ways[job], target, self._common, sha256=loaded.sha256)
            return Enlarged([], target, loaded, difference)
        results = self._results(job, itertools.chain([loaded.picture], loaded.following), loaded.sha256)
        windows = self._windows
        differences = self._upscaler.differences(loaded.picture, seed=0, count=windows) if windows else []
        difference = max(differences, default=None)
        if not job.pages:
            return Enlarged([*results], None, loaded, difference)
        target, first = self._partial(job), next(results)
        with writing(self._settings.place), target.open("w+b") as file:
            write.write_pages(file, itertools.chain([first], results), raw_bytes=job.raw_bytes)
        return Enlarged([first], target, loaded, difference)

    def encode(self, job: Job, enlarged: Enlarged) -> Encoded:
        file: bytes | Path = enlarged.file or write.encode_all(
            enlarged.pictures, job.format, quality=self._settings.quality, plays=job.header.plays
        )
        if self._comparer is None:
            return Encoded(file, enlarged, None)
        lr = enlarged.loaded.picture or job.source.path or self._data[job.source]
        return Encoded(file, enlarged, self._comparer(job, lr, enlarged.pictures, file))

    def _results(self, job: Job, pictures: Iterator[Picture], sha256: str) -> Iterator[Picture]:
        for part, picture in zip(job.parts, pictures, strict=True):
            enlarged = self._upscaler(picture, self._ways[part])
            yield enlarged._replace(metadata=self._about(part, enlarged.metadata, sha256))

    def _partial(self, job: Job) -> Path:
        return self._folder / f"{self._jobs.index(job)}{PARTIAL}"

    def _about(self, job: Job, given: Metadata, sha256: str) -> Metadata:
        made = {**self._made_by, "input_sha256": sha256}
        return metadata.of_result(given, size=job.size, made_by=made, strip=self._settings.strip_metadata)


def _to_standard_output(data: bytes | Path) -> None:
    if isinstance(data, bytes):
        sys.stdout.buffer.write(data)
    else:
        with data.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def _reason_of(job: Job, error: BaseException) -> str:
    """Why a picture could not be enlarged, with its name."""
    if isinstance(error, MemoryError):
        return f"{job.source.label}: there is too little memory; free some, or divide the picture"
    if isinstance(error, OSError):
        return f"{job.source.label}: cannot be read ({error.strerror or error})"
    return str(error) if job.source.label in str(error) else f"{job.source.label}: {error}"
