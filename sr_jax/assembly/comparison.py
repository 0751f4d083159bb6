"""Compares results with bicubic interpolation, and with HR where it is given: the pages of `--compare`."""

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sr_jax import metrics
from sr_jax.errors import InputError
from sr_jax.pictures import metadata, names, read, references, strips
from sr_jax.pictures.compare import page, parts
from sr_jax.pictures.compare.page import Page, Score, View
from sr_jax.pictures.compare.parts import Slices
from sr_jax.pictures.depth import levels
from sr_jax.pictures.picture import CHANNELS, CMYK, Picture
from sr_jax.pictures.plan import Job
from sr_jax.system.files import sha256_of

MOST_SCORED = 2**22
"""Pixels of a result up to which all of them are scored. SSIM takes several hundred bytes for each."""
BYTES_PER_PIXEL = 150
"""Memory that a comparison takes for each pixel, with HR."""
PROTOCOL = "rgb-uint8"
LOSSY = ("jpeg", "webp", "avif", "heif", "gif")


class Comparison(NamedTuple):
    """A page, and the scores of the result on it."""

    html: bytes
    name: str
    """Its name in the folder of the results."""
    scores: dict[str, float]
    """PSNR [dB] and SSIM against HR of the result, and of bicubic interpolation; empty without HR."""


class Place(NamedTuple):
    """Where a part of a result lies, if only this part is at hand."""

    size: tuple[int, int]
    """Height and width of the whole result [pixels]."""
    corner: tuple[int, int]
    """Row and column of the part in it."""
    window: Slices
    """What is shown of the part. Around it lies what bicubic interpolation reads."""


class Comparer:
    """Makes the pages of a run.

    Args:
      jobs: the pictures that are enlarged.
      hr: a picture, or a folder of pictures, which `references.find` matches; None without HR.
      scale: the factor of the network.
      made_by: what makes the results, as in their records.

    Raises:
      InputError: if HR cannot be used.
    """

    def __init__(self, jobs: Sequence[Job], *, hr: str | None, scale: int, made_by: Mapping[str, Any]):
        self._hr = references.find(hr, jobs, scale=scale) if hr else {}
        without = [job for job in jobs if job not in self._hr] if hr else []
        self.note = f"{len(without)} of {len(jobs)} pictures have no HR, such as {without[0].source.label}" if without else ""
        """A line about pictures without HR, although some is given; may be empty."""
        self._scale, self._made_by = scale, dict(made_by)
        self._files = {job: self._file(job) for job in jobs}
        self._one_at_a_time = threading.Lock()

    @property
    def files(self) -> Mapping[Job, Mapping[str, dict[str, Any]]]:
        """The page of each picture by its name, with what makes it, as its record says."""
        return self._files

    def memory(self, job: Job) -> int:
        """Returns about how many bytes of memory a comparison takes."""
        return BYTES_PER_PIXEL * min(math.prod(job.size), MOST_SCORED)

    def __call__(self, job: Job, lr: Picture | Path | bytes, pictures: Sequence[Picture], file: bytes | Path) -> Comparison:
        """Compares a result.

        Args:
          lr: its input. If the result was made in strips, this is the file, or its bytes.
          pictures: the first of the enlarged pictures; none if they were made in strips.
          file: the file of the result or its bytes, which is shown as its format keeps it.

        Raises:
          InputError: if the file of HR is damaged.
          OSError: if it cannot be read.
        """
        with self._one_at_a_time:
            if not isinstance(lr, Picture):
                return self._in_strips(job, lr, file)
            sr = pictures[0]
            hr = next(read.decode_all(self._hr[job], str(self._hr[job]))) if job in self._hr else None
            shown = next(read.decode_all(file, str(job.output))) if job.format in LOSSY else sr
            kind = "frames" if job.header.is_animation else "pages"
            notes = [f"This is the first of {len(job.parts)} {kind}."] if len(job.parts) > 1 else []
            return self._compare(job, lr, shown, hr, notes=notes, place=None)

    def _in_strips(self, job: Job, source: Path | bytes, result: Path | bytes) -> Comparison:
        """Compares the middle of a result that was made in strips."""
        scale = self._scale
        inner = parts.middle(job.header.shape, scale=scale)
        outer = parts.around(inner, job.header.shape)
        corner = outer[0].start, outer[1].start
        large, notes, hr = parts.enlarged(outer, scale), [], None
        lr, sr = strips.part(source, job.source.label, outer), strips.part(result, str(job.output), large)
        if job in self._hr:
            try:
                hr = strips.part(self._hr[job], str(self._hr[job]), large)
            except InputError as error:
                notes.append(f"There is no HR: {error}")
        lr = metadata.to_srgb(lr) if job.to_srgb else lr
        place = Place(job.size, (large[0].start, large[1].start), parts.enlarged(inner, scale, corner=corner))
        return self._compare(job, lr, sr, hr, notes=notes, place=place)

    def _compare(
        self, job: Job, lr: Picture, sr: Picture, hr: Picture | None, *, notes: Sequence[str], place: Place | None
    ) -> Comparison:
        (name,) = self._files[job]
        made = compare(
            lr,
            sr,
            hr,
            scale=self._scale,
            title=f"{job.source.name.name} and {job.output.name}",
            method=str(self._made_by["model"]).removesuffix(".safetensors"),
            software=str(self._made_by["software"]),
            notes=notes,
            place=place,
        )
        return made._replace(name=name)

    def _file(self, job: Job) -> dict[str, dict[str, Any]]:
        hr = sha256_of(self._hr[job]) if job in self._hr else None
        return {str(names.page(job.output)): {**self._made_by, "compared_with": hr}}


def compare(
    lr: Picture,
    sr: Picture,
    hr: Picture | None,
    *,
    scale: int,
    title: str,
    method: str,
    software: str,
    notes: Sequence[str] = (),
    place: Place | None = None,
) -> Comparison:
    """Makes the page of one result.

    Args:
      scale: the factor of the network, which is the width of the border that is not scored [pixels].
      title, method, software, notes: what the page says.
      place: where the pictures lie, if they are parts.
    """
    (h, w), size = lr.pixels.shape[:2], sr.pixels.shape[:2]
    window = place.window if place else parts.window(lr, size)
    whole = (slice(0, size[0]), slice(0, size[1]))
    is_multiple = size[0] % h == 0 and size[1] % w == 0
    region = window if place or (math.prod(size) > MOST_SCORED and is_multiple) else whole
    ours = levels(lr.pixels)
    pictures = {"input": parts.shown(parts.cut(lr, parts.divided(window, (h, w), size)), ours)} if is_multiple else {}
    pictures |= {"bicubic": parts.bicubic(lr, size, region, ours), "sr": parts.shown(parts.cut(sr, region), ours)}
    if hr is not None:
        theirs = ours if hr.pixels.dtype.kind == "f" else levels(hr.pixels)
        pictures["hr"] = parts.shown(parts.cut(parts.cut(hr, whole), region), theirs)
        if pictures["hr"].shape[-1] != pictures["sr"].shape[-1]:
            pictures = {name: np.broadcast_to(one, (*one.shape[:2], 3)) for name, one in pictures.items()}
    scores = _scores(pictures, shave=scale, method=method)
    if region is whole:
        pictures |= {name: pictures[name][window] for name in ("bicubic", "sr", "hr") if name in pictures}
    views, legend = _views(pictures, scores, method=method, profiles={"hr": hr and hr.metadata.icc}, icc=lr.metadata.icc)
    what = "of the part that is shown" if region is window and window != whole else "of the whole picture"
    protocol = f"Scores {what} against HR, by the protocol {PROTOCOL}: 8-bit RGB and its Y (BT.601), without {scale} pixels "
    all_of_it = place or Place(size, (0, 0), window)
    given = [n * small // large for n, small, large in zip(all_of_it.size, (h, w), size, strict=True)]
    made = Page(
        title,
        f"{given[1]}×{given[0]} → {all_of_it.size[1]}×{all_of_it.size[0]} pixels, {method}, {software}",
        pictures["sr"].shape[:2],
        views,
        scores,
        f"{protocol}at each border.",
        legend,
        [*notes, *_notes(lr, sr, hr, all_of_it, is_detailed=place is None)],
    )
    figures = {
        f"{prefix}{name}": value
        for prefix, row in zip(("bicubic_", ""), scores, strict=False)
        for name, value in zip(("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"), row.figures, strict=True)
    }
    return Comparison(page.to_html(made), "", figures)


def _scores(pictures: Mapping[str, np.ndarray], *, shave: int, method: str) -> list[Score]:
    """The scores of bicubic interpolation and of the result; none without HR, or if the picture is too small."""
    hr = pictures.get("hr")
    if hr is None or min(hr.shape[:2]) < metrics.SSIM_WINDOW + 2 * shave:
        return []
    hr = metrics.shave(hr, shave)
    rows = []
    for name, title in (("bicubic", "bicubic"), ("sr", method)):
        sr = metrics.shave(pictures[name], shave)
        y, y_hr = metrics.luma(sr), metrics.luma(hr)
        # one channel after another, which takes less memory; the mean over channels is the same
        channels = [metrics.ssim(sr[..., i : i + 1], hr[..., i : i + 1]) for i in range(hr.shape[-1])]
        rows.append(
            Score(title, (metrics.psnr(y, y_hr), metrics.ssim(y, y_hr), metrics.psnr(sr, hr), float(np.mean(channels))))
        )
    return rows


def _views(
    pictures: Mapping[str, np.ndarray],
    scores: Sequence[Score],
    *,
    method: str,
    profiles: Mapping[str, bytes | None],
    icc: bytes | None,
) -> tuple[list[View], page.Legend]:
    titles = {"input": "input", "bicubic": "bicubic", "sr": method, "hr": "HR"}
    decibels = {name: f"{row.figures[0]:.2f} dB" for name, row in zip(("bicubic", "sr"), scores, strict=False)}

    def profile(name: str) -> bytes | None:
        chosen = profiles.get(name, icc)
        kind = b"GRAY" if pictures[name].shape[-1] == 1 else b"RGB "
        return chosen if chosen is not None and chosen[16:20] == kind else None

    views = [
        View(name, titles[name], decibels.get(name, ""), page.png(pixels, icc=profile(name)))
        for name, pixels in pictures.items()
    ]
    luma = {name: metrics.luma(pixels) for name, pixels in pictures.items() if name != "input"}
    if "hr" not in pictures:
        difference = luma["sr"] - luma["bicubic"]
        high = page.top([difference])
        shown = page.coloured(difference, page.DIFFERENCE, low=-float(high), high=float(high))
        view = View("difference", f"{method} − bicubic", "not an error", page.png(shown, icc=None), is_error=True)
        return [*views, view], page.difference_legend(high, method=method)
    errors = {name: np.abs(luma[name] - luma["hr"]) for name in ("bicubic", "sr")}
    high = page.top([*errors.values()])
    for name, error in errors.items():
        shown = page.coloured(error, page.ERROR, low=0.0, high=float(high))
        views.append(View(f"error-{name}", f"error of {titles[name]}", "", page.png(shown, icc=None), is_error=True))
    return views, page.error_legend(high)


def _notes(lr: Picture, sr: Picture, hr: Picture | None, place: Place, *, is_detailed: bool) -> list[str]:
    rows, columns = place.window
    notes = []
    if (rows.stop - rows.start, columns.stop - columns.start) != place.size:
        top, left = (part.start + first for part, first in zip(place.window, place.corner, strict=True))
        height, width = rows.stop - rows.start, columns.stop - columns.start
        which = "with the most detail" if is_detailed else "in the middle"
        notes.append(
            f"The result has {place.size[1]:,}×{place.size[0]:,} pixels. This page shows the {width:,}×{height:,} {which}, "
            f"from column {left:,} and row {top:,}."
        )
    if hr is not None and hr.pixels.shape[:2] != sr.pixels.shape[:2]:
        notes.append("HR is cut to the size of the result at the right and at the bottom.")
    if sr.alpha is not None:
        notes.append("Transparent pixels are shown over white.")
    if sr.pixels.dtype != np.uint8:
        notes.append("The page shows 8 bits of each sample; the result has more.")
    if lr.space == CHANNELS:
        notes.append(f"The mean of the {lr.pixels.shape[-1]} channels is shown.")
    if lr.space == CMYK:
        notes.append("Colours are converted from CMYK without a profile.")
    return notes
