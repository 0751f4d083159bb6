"""Enlarges pictures: plans all, refuses what cannot work, then decodes, enlarges, encodes and writes one after another."""

import hashlib
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from sr_jax.assembly import likeness, strips, trained
from sr_jax.assembly.comparison import Comparer, Comparison
from sr_jax.assembly.known_blur import known_blur
from sr_jax.assembly.made_by import describe
from sr_jax.assembly.trained import Trained
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.assembly.videos import Videos, divided
from sr_jax.errors import InputError, TrainingError, listing, printable, writing
from sr_jax.pictures import metadata, names, several, write
from sr_jax.pictures.names import Source
from sr_jax.pictures.picture import Metadata, Picture
from sr_jax.pictures.pipeline import process
from sr_jax.pictures.plan import Job, Wishes, make_jobs
from sr_jax.pictures.preflight import check_disk, content_of, hash_of, without_done
from sr_jax.pictures.records import PARTIAL, Records
from sr_jax.pictures.report import MOST_LISTED, Report
from sr_jax.system.compilation import use_compilation_cache
from sr_jax.system.memory import free_memory, used_memory
from sr_jax.video.containers import SUFFIXES

SHARE = 0.8
"""The share of the free memory that is used if no bound is given."""
DEVICE_SHARE = 1 / 3
"""The share of the memory that a compiled program may use; the pictures use the rest."""
COMPILATION = 2**27
"""Bytes of memory by which a process grows while programs are compiled."""
WINDOWS = 4
"""Windows of each picture that --verify compares."""
TOLERANCE = 1e-4
"""Greatest difference between tiles and windows that is due to rounding [levels of 0 to 1]."""


class Settings(NamedTuple):
    """What is enlarged, and how: the options of the command."""

    inputs: Sequence[str]
    model: str
    out: Path | None
    """The folder of the results; None for standard output."""
    checkpoint: trained.Which
    scale: int | None
    outscale: float | None
    width: int | None
    height: int | None
    format: str | None
    quality: int | None
    codec: str | None
    bits: int | None
    alpha: Literal["network", "bicubic"]
    self_ensemble: bool
    kernel: str | None
    noise: float | None
    to_srgb: bool
    strip_metadata: bool
    memory: int | None
    """Bytes; None for what is free."""
    verify: bool
    overwrite: bool
    compare: bool
    hr: str | None
    dry_run: bool
    json: bool
    cache: Path


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


def run(settings: Settings, report: Report | None = None) -> int:
    """Enlarges pictures, and prints a line for each. Returns the exit status: 0, or 1 if some could not be enlarged.

    Args:
      report: prints the lines, if others are wanted than the settings say.

    Raises:
      InputError: if the model, an option or no picture can be used, or a result would replace a file.
      TrainingError: if the disk is full.
    """
    use_compilation_cache(settings.cache)
    one = trained.load(settings.model, which=settings.checkpoint, parameters="ema")
    scale = one.config.scale
    if settings.scale not in (None, scale):
        raise InputError(f"--scale {settings.scale}: {settings.model} enlarges by {scale}; --outscale resizes its result")
    known = known_blur(one.network.about, scale=scale, kernel=settings.kernel, noise=settings.noise)
    if known and settings.self_ensemble:
        raise InputError(
            f"--self_ensemble: {one.network.about.name} is told which pixel of each cell the blur leaves, and in a picture "
            "that is turned this is another one; leave the option out"
        )
    made_by = describe(settings._asdict(), one)

    report = report or Report(as_json=settings.json, to_stderr=settings.out is None)
    records = Records(settings.out) if settings.out else None
    sources, data = find_sources(settings, records, report)
    budget = memory_budget(settings)
    pictures, moving = divided(sources)
    limits = {"windows": WINDOWS if settings.verify else 0, "most": round((1 - DEVICE_SHARE) * budget)}
    videos = Videos(moving, settings, wishes_of(settings), one, label=label_of(settings, one), **limits)
    jobs = plan(settings, pictures, data, one, report, budget=budget, videos=videos)
    comparer = Comparer(jobs, hr=settings.hr, scale=scale, made_by=made_by) if settings.compare else None
    if comparer and comparer.note:
        report.note(comparer.note)
    todo, notes = jobs, {}
    if records and settings.out:
        options = {"made_by": made_by, "overwrite": settings.overwrite, "pages": comparer.files if comparer else None}
        todo, notes = without_done(jobs, records, out=settings.out, data=data, **options)
        for job in [job for job in jobs if job not in todo] + videos.leave_out_done(records, made_by=made_by):
            report.skipped(job)
        check_disk([*todo, *videos.jobs], settings.out)
    if settings.dry_run:
        report.planned(todo, notes)
        videos.report(report)
        return 1 if report.bad else 0

    side = strips.greatest_side(todo, scale=scale, most=round((1 - DEVICE_SHARE) * budget))
    upscaler = Upscaler(one, memory=round(DEVICE_SHARE * budget), greatest_side=side, known=known)
    ways = {part: Way(part.dtype, part.size, settings.alpha, settings.self_ensemble) for job in todo for part in job.parts}
    upscaler.prepare([part.header for part in ways], [*ways.values()])
    videos.prepare(upscaler)
    done = len(jobs) - len(todo)
    for job, reason in strips.refused(todo, upscaler).items():
        todo.remove(job)
        report.failed(job.source.label, reason)
    report.begin(todo, done=done, why_whole=upscaler.why_whole)

    def load(job: Job) -> Loaded:
        began = time.monotonic()
        if job.in_strips:
            return Loaded(None, iter([]), hash_of(job.source, data), began, "")
        content = content_of(job.source, data)
        pictures = several.decoded(job, content)
        first = next(pictures)
        warning = likeness.warning(first, content, one)
        return Loaded(first, pictures, hashlib.sha256(content).hexdigest(), began, warning)

    def compute(job: Job, loaded: Loaded) -> Enlarged:
        if loaded.picture is None:
            target, source = partial(job), job.source.path or data[job.source]
            difference = strips.enlarge(job, source, ways[job], target, common, sha256=loaded.sha256)
            return Enlarged([], target, loaded, difference)
        parts = zip(job.parts, itertools.chain([loaded.picture], loaded.following), strict=True)
        results = (described(part, upscaler(picture, ways[part]), loaded.sha256) for part, picture in parts)
        differences = upscaler.differences(loaded.picture, seed=0, count=WINDOWS) if settings.verify else []
        difference = max(differences, default=None)
        if not job.pages:
            return Enlarged([*results], None, loaded, difference)
        target, first = partial(job), next(results)
        with writing(place), target.open("w+b") as file:
            write.write_pages(file, itertools.chain([first], results), raw_bytes=job.raw_bytes)
        return Enlarged([first], target, loaded, difference)

    def partial(job: Job) -> Path:
        return Path(folder) / f"{todo.index(job)}{PARTIAL}"

    def described(job: Job, picture: Picture, sha256: str) -> Picture:
        return picture._replace(metadata=about(job, picture.metadata, sha256))

    def about(job: Job, given: Metadata, sha256: str) -> Metadata:
        made = {**made_by, "input_sha256": sha256}
        return metadata.of_result(given, size=job.size, made_by=made, strip=settings.strip_metadata)

    def encode(job: Job, enlarged: Enlarged) -> Encoded:
        file: bytes | Path = enlarged.file or write.encode_all(
            enlarged.pictures, job.format, quality=settings.quality, plays=job.header.plays
        )
        if comparer is None:
            return Encoded(file, enlarged, None)
        lr = enlarged.loaded.picture or job.source.path or data[job.source]
        return Encoded(file, enlarged, comparer(job, lr, enlarged.pictures, file))

    is_exact, place = True, f"--out {settings.out or '-'}"
    common = strips.Common(upscaler, about, WINDOWS if settings.verify else 0, place, report.progress)
    with writing(place), records.locked() if records else tempfile.TemporaryDirectory() as folder:
        size = {job: strips.memory(job, scale=scale, self_ensemble=settings.self_ensemble) for job in todo}
        size = {job: bytes_ + (comparer.memory(job) if comparer else 0) for job, bytes_ in size.items()}
        steps = {"load": load, "compute": compute, "save": encode}
        for job, result in process(todo, **steps, size=size.__getitem__, most=round((1 - DEVICE_SHARE) * budget)):
            if not isinstance(result, Encoded):
                report.failed(job.source.label, reason_of(job, result))
                report.advance(job)
                continue
            loaded, difference, page = result.enlarged.loaded, result.enlarged.difference, result.comparison
            if records:
                origin = {"input_name": job.source.label, "input_sha256": loaded.sha256}
                records.write(str(job.output), result.data, made_by=made_by, **origin)
                if page and comparer:
                    records.write(page.name, page.html, made_by=comparer.files[job][page.name], **origin)
            elif isinstance(result.data, bytes):
                sys.stdout.buffer.write(result.data)
            else:
                with result.data.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
            report.done(
                job,
                seconds=time.monotonic() - loaded.began,
                note=notes.get(job, ""),
                difference=difference,
                warning=loaded.warning,
                extra={"compare": page.name, **page.scores} if page else {},
            )
            is_exact = is_exact and (difference or 0) <= TOLERANCE
        if records:
            is_exact = videos.enlarge(upscaler, records, report, made_by=made_by) <= TOLERANCE and is_exact
    report.end()
    if not is_exact:
        raise TrainingError("tiles differ from windows by more than rounding; please report this with the model")
    return 1 if report.bad else 0


def find_sources(settings: Settings, records: Records | None, report: Report) -> tuple[list[Source], dict[Source, bytes]]:
    """Returns the pictures, and the bytes of one that comes from standard input. Results of earlier runs are not pictures."""
    found = names.find(settings.inputs, leave_out=settings.out, also=SUFFIXES)
    results = {path.resolve() for path in records.outputs()} if records else set()
    report.left_out([path for path in found.others if path.resolve() not in results])
    sources = [source for source in found.sources if source.path is None or source.path.resolve() not in results]
    if not sources:
        raise InputError("there is nothing to enlarge: all these pictures are results of this command")
    if settings.out is None and len(sources) > 1:
        raise InputError(f"--out -: standard output takes one picture, not {len(sources)}; give a folder")
    return sources, {source: sys.stdin.buffer.read() for source in sources if source.path is None}


def memory_budget(settings: Settings) -> int:
    """Returns how many bytes of memory the work may take.

    Raises:
      InputError: if the user allows less than this process already uses.
    """
    if settings.memory is None:
        return round(SHARE * free_memory())
    used = used_memory()
    if settings.memory <= used + COMPILATION:
        raise InputError(
            f"--memory: {settings.memory / 2**20:,.0f} MiB are too few; this process uses {used / 2**20:,.0f} MiB before it "
            f"begins, and takes {COMPILATION / 2**20:,.0f} MiB for its programs and some more for pictures"
        )
    return settings.memory - used - COMPILATION


def plan(
    settings: Settings,
    sources: Sequence[Source],
    data: dict[Source, bytes],
    one: Trained,
    report: Report,
    *,
    budget: int,
    videos: Videos,
) -> list[Job]:
    """Returns which pictures can be enlarged, and reports what cannot, also among the videos.

    Raises:
      InputError: if nothing can be done, or two results would have one name.
    """
    scale = one.config.scale
    planned = make_jobs(sources, wishes_of(settings), label=label_of(settings, one), scale=scale, data=data)
    bad, jobs, most = planned.bad | videos.bad, [], round((1 - DEVICE_SHARE) * budget)
    for job in planned.jobs:
        source, mend = job.source.path or data[job.source], "raise --memory" if settings.memory else "free some memory"
        try:
            fit = {"scale": scale, "self_ensemble": settings.self_ensemble, "most": most, "mend": mend}
            jobs.append(strips.fitted(job, source, **fit))
        except InputError as error:
            bad[job.source.label] = str(error)
    if not jobs and not videos.jobs:
        reasons = list(map(printable, bad.values()))
        raise InputError(reasons[0] if len(reasons) == 1 else f"nothing can be enlarged:{listing(reasons, most=MOST_LISTED)}")
    for label, reason in bad.items():
        report.failed(label, reason)
    return jobs


def wishes_of(settings: Settings) -> Wishes:
    return Wishes(settings.format, settings.bits, settings.outscale, settings.width, settings.height, settings.to_srgb)


def label_of(settings: Settings, one: Trained) -> str:
    """Returns the name of the model in names of files."""
    return names.model_label(settings.model, network=one.config.model.name, scale=one.config.scale)


def reason_of(job: Job, error: BaseException) -> str:
    """Returns why a picture could not be enlarged, with its name."""
    if isinstance(error, MemoryError):
        return f"{job.source.label}: there is too little memory; free some, or divide the picture"
    if isinstance(error, OSError):
        return f"{job.source.label}: cannot be read ({error.strerror or error})"
    return str(error) if job.source.label in str(error) else f"{job.source.label}: {error}"
