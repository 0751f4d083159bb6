"""Plans and enlarges all videos of a command. PyAV is imported only if there are videos."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sr_jax.assembly.trained import Trained
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.errors import InputError, NotFiniteError
from sr_jax.pictures.names import Source
from sr_jax.pictures.plan import Wishes
from sr_jax.pictures.preflight import without_done
from sr_jax.pictures.records import Records
from sr_jax.pictures.report import Report
from sr_jax.video.containers import is_video, missing

if TYPE_CHECKING:
    from sr_jax.video.plan import VideoJob


@runtime_checkable
class Options(Protocol):
    """The options of the command that videos share with pictures."""

    @property
    def out(self) -> Path | None: ...
    @property
    def codec(self) -> str | None: ...
    @property
    def quality(self) -> int | None: ...
    @property
    def self_ensemble(self) -> bool: ...
    @property
    def strip_metadata(self) -> bool: ...
    @property
    def overwrite(self) -> bool: ...


def divided(sources: Sequence[Source]) -> tuple[list[Source], list[Source]]:
    """Returns the pictures, and the videos."""
    videos = [source for source in sources if is_video(source.name)]
    return [source for source in sources if source not in videos], videos


class Videos:
    """The videos of a command.

    Args:
      label: the name of the model in names of files.
      windows: windows of some frames that are also computed without tiles.
      most: bytes of memory that frames may take.

    Attributes:
      jobs: what can be done.
      bad: why the rest cannot, by the labels of the videos.

    Raises:
      InputError: if two results would have one name, or there is no folder for them.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        options: Options,
        wishes: Wishes,
        one: Trained,
        *,
        label: str,
        windows: int,
        most: int,
    ):
        self._options, self._out, self._windows = options, options.out, windows
        self._notes: dict[VideoJob, str] = {}
        self.jobs: list[VideoJob] = []
        self.bad: dict[str, str] = {}
        if not sources:
            return
        if reason := missing():
            self.bad = {source.label: f"{source.label}: {reason}" for source in sources}
            return
        if options.out is None:
            raise InputError(f"--out -: {sources[0].label} is a video, and videos are written to a folder; name one")
        from sr_jax.video.plan import make_jobs

        channels, scale = one.network.about.channels, one.config.scale
        encoder = {"codec": options.codec, "quality": options.quality}
        planned = make_jobs(sources, wishes, **encoder, label=label, scale=scale, channels=channels, most=most)
        self.jobs, self.bad = planned.jobs, planned.bad

    def leave_out_done(self, records: Records, *, made_by: dict[str, Any]) -> "list[VideoJob]":
        """Leaves out those whose results are there already, and returns them.

        Args:
          made_by: what makes the results.

        Raises:
          InputError: if a result would replace an input, or a file that may not be replaced.
        """
        todo: list[VideoJob] = []
        assert self._out
        for job in self.jobs:
            made = _made_by(job, made_by)
            jobs, notes = without_done([job], records, out=self._out, made_by=made, data={}, overwrite=self._options.overwrite)
            todo += jobs
            self._notes |= notes
        done = [job for job in self.jobs if job not in todo]
        self.jobs = todo
        return done

    def prepare(self, upscaler: Upscaler) -> None:
        """Chooses the tiles for the frames."""
        ways = [Way("float32", job.size, self_ensemble=self._options.self_ensemble) for job in self.jobs]
        upscaler.prepare([job.header for job in self.jobs], ways)

    def report(self, report: Report) -> None:
        """Prints what would be done."""
        report.planned(self.jobs, self._notes)
        for job in self.jobs:
            report.warn(job, job.warnings)

    def enlarge(self, upscaler: Upscaler, records: Records, report: Report, *, made_by: dict[str, Any]) -> float:
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

        options = self._options
        for job in self.jobs:
            began, made = time.monotonic(), _made_by(job, made_by)
            report.warn(job, job.warnings)
            try:
                outcome = video_upscaler.enlarge(
                    job,
                    upscaler,
                    self_ensemble=options.self_ensemble,
                    windows=self._windows,
                    records=records,
                    made_by=made,
                    comment=None if options.strip_metadata else f"sr_jax: {json.dumps(made, sort_keys=True)}",
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


def _made_by(job: "VideoJob", made_by: dict[str, Any]) -> dict[str, Any]:
    return {**made_by, "video": job.encoded_as}
