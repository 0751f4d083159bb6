"""Plans and enlarges all videos of a command. PyAV is imported only if there are videos."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sr_jax.assembly.trained import Trained
from sr_jax.assembly.upscale_settings import Limits, Settings
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.errors import InputError, NotFiniteError
from sr_jax.pictures.names import Source
from sr_jax.pictures.preflight import without_done
from sr_jax.pictures.records import Records
from sr_jax.pictures.report import Report
from sr_jax.video.containers import is_video, missing

if TYPE_CHECKING:
    from sr_jax.video.plan import VideoJob


def divided(sources: Sequence[Source]) -> tuple[list[Source], list[Source]]:
    """Returns the pictures, and the videos."""
    videos = [source for source in sources if is_video(source.name)]
    return [source for source in sources if source not in videos], videos


class Videos:
    """The videos of a command.

    Args:
      made_by: what makes the results.

    Attributes:
      jobs: what can be done.
      bad: why the rest cannot, by the labels of the videos.

    Raises:
      InputError: if two results would have one name, or there is no folder for them.
    """

    def __init__(self, sources: Sequence[Source], settings: Settings, one: Trained, limits: Limits, *, made_by: dict[str, Any]):
        self._settings, self._out, self._windows, self._made_by = settings, settings.out, limits.windows, made_by
        self._notes: dict[VideoJob, str] = {}
        self.jobs: list[VideoJob] = []
        self.bad: dict[str, str] = {}
        if not sources:
            return
        if reason := missing():
            self.bad = {source.label: f"{source.label}: {reason}" for source in sources}
            return
        if settings.out is None:
            raise InputError(f"--out -: {sources[0].label} is a video, and videos are written to a folder; name one")
        from sr_jax.video.plan import make_jobs

        planned = make_jobs(
            sources,
            settings.wishes,
            codec=settings.codec,
            quality=settings.quality,
            label=settings.label(one),
            scale=one.config.scale,
            channels=one.network.about.channels,
            most=limits.memory,
        )
        self.jobs, self.bad = planned.jobs, planned.bad

    def leave_out_done(self, records: Records) -> "list[VideoJob]":
        """Leaves out those whose results are there already, and returns them.

        Raises:
          InputError: if a result would replace an input, or a file that may not be replaced.
        """
        assert self._out
        todo, self._notes = without_done(
            self.jobs,
            records,
            out=self._out,
            files=lambda job: {str(job.output): self._made_by_of(job)},
            data={},
            overwrite=self._settings.overwrite,
        )
        done = [job for job in self.jobs if job not in todo]
        self.jobs = todo
        return done

    def prepare(self, upscaler: Upscaler) -> None:
        """Chooses the tiles for the frames."""
        ways = [Way("float32", job.size, self_ensemble=self._settings.self_ensemble) for job in self.jobs]
        upscaler.prepare([job.header for job in self.jobs], ways)

    def report(self, report: Report) -> None:
        """Prints what would be done."""
        report.planned(self.jobs, self._notes)
        for job in self.jobs:
            report.warn(job, job.warnings)

    def enlarge(self, upscaler: Upscaler, records: Records, report: Report) -> float:
        """Enlarges the videos one after another. Returns the greatest difference from windows without tiles.

        Raises:
          Interrupted: by Ctrl-C. What is done is kept.
          NotFiniteError: if the network is broken.
          OSError: if a result cannot be written.
        """
        greatest = 0.0
        if not self.jobs:
            return greatest
        from sr_jax.assembly import video_upscaler

        settings = self._settings
        for job in self.jobs:
            began, made = time.monotonic(), self._made_by_of(job)
            report.warn(job, job.warnings)
            try:
                outcome = video_upscaler.enlarge(
                    job,
                    upscaler,
                    self_ensemble=settings.self_ensemble,
                    windows=self._windows,
                    records=records,
                    made_by=made,
                    comment=None if settings.strip_metadata else f"sr_jax: {json.dumps(made, sort_keys=True)}",
                    report=report,
                )
            except NotFiniteError:
                raise
            except (InputError, MemoryError) as error:
                reason = "there is too little memory" if isinstance(error, MemoryError) else str(error)
                report.failed(job.source.label, reason if job.source.label in reason else f"{job.source.label}: {reason}")
                continue
            greatest = max(greatest, outcome.difference or 0)
            report.warn(job, outcome.warnings)
            report.video_done(
                job,
                frames=outcome.frames,
                done=outcome.done,
                seconds=time.monotonic() - began,
                note=self._notes.get(job, ""),
                difference=outcome.difference,
            )
        return greatest

    def _made_by_of(self, job: "VideoJob") -> dict[str, Any]:
        return {**self._made_by, "video": job.encoded_as}
