"""Says what happens to each picture: lines or JSON, a bar of progress on a terminal, and a summary."""

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Protocol, TypeVar, runtime_checkable

from tqdm import tqdm

from sr_jax.errors import listing, printable
from sr_jax.pictures.names import Source
from sr_jax.pictures.plan import Job

MOST_LISTED = 10
MOST_WARNINGS = 3
MEGA = 1e6


@runtime_checkable
class Shown(Protocol):
    """A picture or a video with its result."""

    @property
    def source(self) -> Source: ...
    @property
    def output(self) -> PurePath: ...
    @property
    def size(self) -> tuple[int, int]: ...


J = TypeVar("J", bound=Shown)


class Report:
    """The messages of one run.

    Args:
      as_json: whether each picture gets a line of JSON on standard output.
      to_stderr: whether lines go to standard error, because standard output takes a picture.
      is_quiet: whether nothing is printed, and failures are only kept.
    """

    def __init__(self, *, as_json: bool, to_stderr: bool, is_quiet: bool = False):
        self._as_json, self._to_stderr, self._is_quiet = as_json, to_stderr, is_quiet
        self.bad: dict[str, str] = {}
        """The pictures that could not be enlarged, by their labels, with the reasons."""
        self._bar: tqdm | None = None
        self._began = time.monotonic()
        self._count, self._pixels, self._videos, self._warnings = 0, 0, 0, 0
        self._seen: dict[Job, int] = {}
        """Pixels of pictures in progress that the bar counts already."""

    def left_out(self, others: Sequence[Path]) -> None:
        """Names files that are not pictures."""
        if others and not self._as_json:
            self._print(
                f"{len(others)} other file(s) are left out:{listing(map(printable, map(str, others)), most=MOST_LISTED)}"
            )

    def failed(self, label: str, reason: str) -> None:
        """Names a picture that cannot be enlarged."""
        self.bad[label] = reason
        if self._as_json:
            self._line({"input": label, "status": "failed", "reason": reason})
        else:
            self._print(f"not enlarged: {printable(reason)}", to_stderr=True)

    def planned(self, jobs: Sequence[J], notes: Mapping[J, str]) -> None:
        """Prints what would be done."""
        for job in jobs:
            self._say(job, {"status": "planned"}, f" ({notes[job]})" if notes.get(job) else "")

    def skipped(self, job: Shown) -> None:
        """Says that a result is there already."""
        if self._as_json:
            self._say(job, {"status": "there"}, "")

    def begin(self, jobs: Sequence[Job], *, done: int, why_whole: str | None) -> None:
        """Begins with the computation."""
        if done and not self._as_json:
            self._print(f"{done} of {done + len(jobs)} results are there already, of the same input, model and options")
        if why_whole and not self._as_json:
            self._print(f"pictures are computed whole, without tiles: {why_whole}")
        total = sum(_pixels(job) for job in jobs) / MEGA
        is_long = len(jobs) > 1 or any(job.in_strips for job in jobs)
        hidden = None if is_long and not self._as_json else True
        form = "{percentage:3.0f}% {bar} {n:.1f} of {total:.1f} MP, {remaining} left, {rate_fmt}{postfix}"
        self._bar = tqdm(total=total, unit="MP", leave=False, dynamic_ncols=True, disable=hidden, bar_format=form)
        self._began = time.monotonic()

    def progress(self, job: Job, pixels: int) -> None:
        """Moves the bar by a part of a picture; backwards if the number of pixels is negative."""
        self._seen[job] = self._seen.get(job, 0) + pixels
        if self._bar is not None:
            self._bar.update(pixels / MEGA)

    def done(
        self, job: Job, *, seconds: float, note: str, difference: float | None, warning: str, extra: Mapping[str, Any]
    ) -> None:
        """Says that a result is written.

        Args:
          warning: why the picture does not look like what the network was trained on; may be empty.
          extra: more fields of its line of JSON.
        """
        self._count += 1
        self._pixels += _pixels(job)
        values: dict[str, Any] = {"status": "enlarged", "seconds": round(seconds, 3)}
        text = f", {note}" if note else ""
        if difference is not None:
            values["difference"] = difference
            where = "" if len(job.parts) == 1 else f" in the first {'frame' if job.header.is_animation else 'page'}"
            text += f", greatest difference from windows without tiles{where} {difference:.1e}"
        if "psnr_y" in extra:
            text += f", {extra['psnr_y']:.2f} dB (bicubic {extra['bicubic_psnr_y']:.2f} dB)"
        if warning:
            values["warning"] = warning
            self._warn(job, warning)
        finite = {name: None if value == math.inf else value for name, value in extra.items()}  # JSON has no infinity
        self._say(job, {**values, **finite}, text)
        self.advance(job)

    @contextlib.contextmanager
    def frames(self, total: int, *, done: int, name: str) -> Iterator[Callable[[], object]]:
        """Shows how far a video is, and yields what moves the bar by one frame.

        Args:
          total: how many frames there are; 0 if this is unknown.
          done: frames that an earlier run enlarged.
        """
        if self._bar is not None:
            self._bar.close()  # the pictures are done
        if done and not self._as_json:
            self._print(f"{printable(name)}: goes on after {done:,} frames")
        form = "{percentage:3.0f}% {bar} {n} of {total} frames, {remaining} left, {rate_fmt}"
        hidden = True if self._as_json else None
        with tqdm(
            total=total or None,
            initial=done,
            unit=" frames",
            leave=False,
            dynamic_ncols=True,
            disable=hidden,
            bar_format=form if total else None,
        ) as bar:
            yield bar.update

    def warn(self, job: Shown, warnings: Sequence[str]) -> None:
        """Says what is not kept, or will look wrong."""
        for warning in warnings:
            if self._as_json:
                self._line({"input": job.source.label, "status": "warning", "reason": warning})
            else:
                self._print(f"warning: {printable(job.source.label)}: {printable(warning)}", to_stderr=True)

    def video_done(self, job: Shown, *, frames: int, done: int, seconds: float, note: str, difference: float | None) -> None:
        """Says that the result of a video is written.

        Args:
          done: frames that an earlier run enlarged.
        """
        self._videos += 1
        height, width = job.size
        if self._as_json:
            values = {"input": job.source.label, "output": str(job.output), "width": width, "height": height}
            values |= {"status": "enlarged", "frames": frames, "seconds": round(seconds, 3)}
            self._line(values if difference is None else {**values, "difference": difference})
            return
        text = f"{frames:,} frames" + (f", of which {done:,} were there," if done else "")
        text += f" in {seconds:.1f} s" + (f", {note}" if note else "")
        if difference is not None:
            text += f", greatest difference from windows without tiles {difference:.1e}"
        self._print(f"{printable(job.source.label)} -> {printable(str(job.output))} {width}x{height}, {text}")

    def advance(self, job: Job) -> None:
        """Moves the bar by one picture."""
        if self._bar is not None:
            rate = self._count / max(1e-9, time.monotonic() - self._began)
            self._bar.set_postfix_str(f"{rate:.2f} images/s", refresh=False)
            self._bar.update((_pixels(job) - self._seen.pop(job, 0)) / MEGA)

    def end(self) -> None:
        """Prints the summary."""
        if self._bar is not None:
            self._bar.close()
        seconds = max(1e-9, time.monotonic() - self._began)
        if self._count > 1 and not self._as_json:
            rates = f"{self._count / seconds:.2f} images/s, {self._pixels / MEGA / seconds:.2f} megapixels/s of input"
            self._print(f"{self._count} pictures in {seconds:.1f} s: {rates}")
        if self._warnings > MOST_WARNINGS and not self._as_json:
            more = self._warnings - MOST_WARNINGS
            self._print(f"warning: {more} more picture(s) are unlike LR of the training, too; --json names all", to_stderr=True)
        if self.bad and self._count + self._videos and not self._as_json:
            reasons = listing(map(printable, self.bad.values()), most=MOST_LISTED)
            self._print(f"{len(self.bad)} input(s) could not be enlarged:{reasons}", to_stderr=True)

    def _warn(self, job: Job, warning: str) -> None:
        self._warnings += 1
        if self._warnings <= MOST_WARNINGS and not self._as_json:
            self._print(f"warning: {printable(job.source.label)}: {warning}", to_stderr=True)

    def _say(self, job: Shown, values: dict[str, Any], text: str) -> None:
        height, width = job.size
        if isinstance(job, Job) and job.in_strips:
            values, text = {**values, "in_strips": True}, f", in strips{text}"
        if isinstance(job, Job) and len(job.parts) > 1:
            values = {"frames" if job.header.is_animation else "pages": len(job.parts), **values}
            text = f", {len(job.parts)} {'frames' if job.header.is_animation else 'pages'}{text}"
        if self._as_json:
            self._line({"input": job.source.label, "output": str(job.output), "width": width, "height": height, **values})
        elif self._bar is None or self._bar.disable:
            self._print(f"{printable(job.source.label)} -> {printable(str(job.output))} {width}x{height}{text}")

    def _line(self, values: dict[str, Any]) -> None:
        if self._is_quiet:
            return
        print(json.dumps(values), flush=True)

    def note(self, text: str) -> None:
        """Prints a line that is not about one picture."""
        if not self._as_json:
            self._print(text)

    def _print(self, text: str, *, to_stderr: bool = False) -> None:
        if self._is_quiet:
            return
        tqdm.write(text, file=sys.stderr if to_stderr or self._to_stderr else sys.stdout)


def _pixels(job: Job) -> int:
    return sum(part.header.height * part.header.width for part in job.parts)
