"""Enlarges pictures and videos: plans all, refuses what cannot work, then enlarges one after another."""

import sys
import tempfile
from pathlib import Path

from sr_jax.assembly import trained
from sr_jax.assembly.known_blur import known_blur
from sr_jax.assembly.made_by import describe
from sr_jax.assembly.pictures import Pictures
from sr_jax.assembly.upscale_settings import Limits, Settings
from sr_jax.assembly.upscaler import Upscaler
from sr_jax.assembly.videos import Videos, divided
from sr_jax.errors import InputError, TrainingError, listing, printable, writing
from sr_jax.pictures import names
from sr_jax.pictures.names import Source
from sr_jax.pictures.preflight import check_disk
from sr_jax.pictures.records import Records
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


def run(settings: Settings, report: Report | None = None) -> int:
    """Enlarges pictures and videos, and prints a line for each. Returns the exit status: 0, or 1 if some could not be enlarged.

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
    limits = Limits(memory=round((1 - DEVICE_SHARE) * budget), windows=WINDOWS if settings.verify else 0)
    still, moving = divided(sources)
    pictures = Pictures(still, data, settings, one, limits, made_by=made_by)
    videos = Videos(moving, settings, one, limits, made_by=made_by)
    report_bad(pictures.bad | videos.bad, report, is_all=not pictures.jobs and not videos.jobs)
    if pictures.note:
        report.note(pictures.note)
    done = 0
    if records and settings.out:
        there = pictures.leave_out_done(records)
        done = len(there)
        for job in there + videos.leave_out_done(records):
            report.skipped(job)
        check_disk([*pictures.jobs, *videos.jobs], settings.out)
    if settings.dry_run:
        pictures.report(report)
        videos.report(report)
        return 1 if report.bad else 0

    upscaler = Upscaler(one, memory=round(DEVICE_SHARE * budget), greatest_side=pictures.greatest_side, known=known)
    pictures.prepare(upscaler)
    videos.prepare(upscaler)
    report_bad(pictures.bad, report, is_all=False)
    report.begin(pictures.jobs, done=done, why_whole=upscaler.why_whole)
    with writing(settings.place), records.locked() if records else tempfile.TemporaryDirectory() as folder:
        greatest = pictures.enlarge(upscaler, records, report, folder=Path(folder))
        if records:
            greatest = max(greatest, videos.enlarge(upscaler, records, report))
    report.end()
    if greatest > TOLERANCE:
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


def report_bad(bad: dict[str, str], report: Report, *, is_all: bool) -> None:
    """Reports what cannot be enlarged, with the reasons by label.

    Raises:
      InputError: if this is all there is.
    """
    if is_all:
        reasons = list(map(printable, bad.values()))
        raise InputError(reasons[0] if len(reasons) == 1 else f"nothing can be enlarged:{listing(reasons, most=MOST_LISTED)}")
    for label, reason in bad.items():
        report.failed(label, reason)
