"""One evaluation, from names to tables: models, sets, tasks, scores, reports."""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from sr_jax import build, figures, provenance, trained
from sr_jax.data import sources
from sr_jax.data.images import Bad, Image
from sr_jax.errors import InputError
from sr_jax.evaluation import report
from sr_jax.evaluation.evaluator import BICUBIC, Evaluator, Sample
from sr_jax.evaluation.protocol import PROTOCOLS, Protocol, Task
from sr_jax.evaluation.rows import Row, Stamp, unusable
from sr_jax.evaluation.upscale import PRECISION, Upscaler
from sr_jax.files import replace_text
from sr_jax.trained import Trained
from sr_jax.watch import CompileClock


class Settings(NamedTuple):
    """What is evaluated, and how."""

    models: Sequence[str]
    """`bicubic`, work directories, weights files."""
    sets: Sequence[str]
    scale: int | None
    root: Path
    """Folder in which the sets lie."""
    protocol: str
    lr_source: str
    checkpoint: trained.Which
    parameters: trained.Parameters
    out: Path | None
    cache: Path


class Loaded(NamedTuple):
    """The tasks of one set, and what could not be used."""

    tasks: list[Task]
    bad: list[str]
    lr_note: str
    """What is known of LR files."""


def run(settings: Settings) -> int:
    """Evaluates, prints and writes; returns the exit status: 0 all scored, 1 some images could not be.

    Raises:
      InputError: if a model, a set or a combination of options cannot be used, or no image can be scored.
    """
    began = time.monotonic()
    build.use_compilation_cache(settings.cache)
    protocol = PROTOCOLS[settings.protocol]
    if settings.lr_source == "files" and not protocol.takes_lr_files:
        raise InputError(
            f"--lr_source files: the protocol {protocol.name} computes LR in floating point; use --protocol rgb-uint8"
        )
    networks = {
        name: trained.load(name, which=settings.checkpoint, parameters=settings.parameters)
        for name in settings.models
        if name != BICUBIC
    }
    scale = common_scale(settings, networks)
    titles = method_names(networks)
    make_folder(settings.out)

    loaded = [load_set(name, settings, protocol, scale) for name in settings.sets]
    tasks = [task for part in loaded for task in part.tasks]
    bad = [line for part in loaded for line in part.bad]
    if not tasks:
        raise InputError(f"--sets {','.join(settings.sets)}: no image can be scored:{_listing(bad)}")
    print(f"protocol    {protocol.name}: {protocol.description.format(scale=scale)}")
    print(f"precision   {PRECISION}; PSNR and SSIM float64")
    print(f"code        {provenance.commit()}")
    for part in loaded:
        if part.lr_note:
            print(f"LR files    {part.lr_note}")

    clock = CompileClock()
    methods: list[list[Row]] = []
    with clock, progress(len(tasks) * (1 + len(networks))) as advance:
        stamp = Stamp(protocol.name, settings.lr_source, PRECISION, "", provenance.commit())
        evaluator = Evaluator(protocol, tasks, stamp=stamp, on_scored=advance)
        for name in settings.models:
            if name == BICUBIC:
                methods.append(evaluator.bicubic_rows)
                continue
            network = networks[name]
            upscaler = Upscaler(network.model, scale=scale)
            rows, samples = evaluator(upscaler, network.params, method=titles[name], weights=network.origin)
            methods.append(rows)
            if settings.out:
                write_samples(samples, settings.out / "samples" / titles[name].replace("/", "_"), method=titles[name])
    seconds = time.monotonic() - began

    shown = methods if len(settings.models) > 1 or BICUBIC in settings.models else [evaluator.bicubic_rows, *methods]
    text = render(shown, protocol, scale, compare=len(settings.models) > 1)
    print(f"\n{text}")
    share = clock.seconds / seconds
    print(f"\n{len(tasks)} images in {seconds:.1f} s, {share:.0%} of that compiling {clock.programs} programs")
    if settings.out:
        write(settings.out, shown, text, protocol, scale, networks, bad)
        print(
            f"{settings.out} holds results.md, results.csv, results.json, provenance.json" + (", samples/" if networks else "")
        )
    if bad:
        print(f"\n{len(bad)} image(s) could not be scored; the means are without them:{_listing(bad)}", file=sys.stderr)
    return 1 if bad else 0


def common_scale(settings: Settings, networks: dict[str, Trained]) -> int:
    """The scale asked for, or that of all the networks.

    Raises:
      InputError: if there is none, or the networks are for others.
    """
    scales = {name: network.config.scale for name, network in networks.items()}
    scale = next(iter(scales.values()), None) if settings.scale is None else settings.scale
    if scale is None:
        raise InputError("--model bicubic needs --scale, for example --scale 2")
    if scale < 1:
        raise InputError(f"--scale {scale}: must be at least 1")
    wrong = [f"{name} is for x{theirs}" for name, theirs in scales.items() if theirs != scale]
    if wrong:
        raise InputError(f"evaluating x{scale}, but {', '.join(wrong)}")
    return scale


def method_names(networks: dict[str, Trained]) -> dict[str, str]:
    """What each network is called in tables: its model's name, or where it is from if two are of the same model."""
    names = [network.config.model.name for network in networks.values()]
    return {place: name if names.count(name) == 1 else place for (place, _), name in zip(networks.items(), names, strict=True)}


def load_set(name: str, settings: Settings, protocol: Protocol, scale: int) -> Loaded:
    """Reads and prepares the images of a set; those that cannot be used are named, and left out.

    Raises:
      InputError: if the set is unknown or missing, or lacks LR files that are asked for.
    """
    where = {"scale": scale, "root": settings.root, "cache": settings.cache / "prepared"}
    where |= {"option": "--sets", "root_option": "--data"}
    images = sources.open_hr(name, **where)
    lrs: Iterator[Image | Bad | None] = iter(lambda: None, 0)
    if settings.lr_source == "files":
        lrs = iter(sources.open_lr(name, **where))
    tasks, bad, equal = [], [], 0
    for image, lr in zip(images, lrs, strict=False):
        reason = _why_not(image, lr, scale)
        if reason or isinstance(image, Bad) or isinstance(lr, Bad):
            bad.append(f"{images.title}: {reason}")
            continue
        tasks.append(protocol.task(image, set=images.title, scale=scale, lr=None if lr is None else lr.pixels))
        if lr is not None:
            computed = protocol.task(image, set=images.title, scale=scale, lr=None).lr
            equal += computed.shape == lr.pixels.shape and bool((computed == lr.pixels).all())
    note = (
        f"{images.title}: {equal} of {len(tasks)} equal MATLAB's bicubic byte for byte" if settings.lr_source == "files" else ""
    )
    return Loaded(tasks, bad, note)


def render(methods: Sequence[Sequence[Row]], protocol: Protocol, scale: int, *, compare: bool) -> str:
    """The report in Markdown."""
    parts = [
        f"x{scale}, protocol {protocol.name} ({protocol.description.format(scale=scale)}), code {provenance.commit()}",
        report.table(methods),
        report.means(methods),
        *([report.comparisons(methods)] if compare else []),
    ]
    return "\n\n".join(parts)


def write(
    out: Path,
    methods: Sequence[Sequence[Row]],
    text: str,
    protocol: Protocol,
    scale: int,
    networks: dict[str, Trained],
    bad: Sequence[str],
) -> None:
    """Writes results and what made them."""
    rows = [row for rows in methods for row in rows]
    made = {
        "protocol": {"name": protocol.name, "description": protocol.description.format(scale=scale), "shave": scale},
        "precision": PRECISION,
        **provenance.describe(),
        "not_scored": list(bad),
        "networks": {
            name: {"weights": network.origin, "config": dataclasses.asdict(network.config)}
            for name, network in networks.items()
        },
    }
    missing = f"\n\nNot scored:{_listing(bad)}" if bad else ""
    report.write(out, rows, f"# Results\n\n{text}{missing}\n")
    replace_text(out / "provenance.json", json.dumps(made, indent=1) + "\n")


def write_samples(samples: Sequence[Sample], folder: Path, *, method: str) -> None:
    """Sample sheets of the first images of each set."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheet in figures.sample_sheets(samples, method=method):
        figures.save_png(sheet, folder / f"{name}.png")


def make_folder(out: Path | None) -> None:
    """Raises:
    InputError: if the folder cannot be made; better now than after the work.
    """
    try:
        if out:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror}); give another folder") from None


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal, nothing elsewhere."""
    with tqdm(total=total, unit="image", leave=False, dynamic_ncols=True, disable=None) as bar:

        def advance() -> None:
            bar.update()

        yield advance


def _why_not(image: Image | Bad, lr: Image | Bad | None, scale: int) -> str | None:
    if isinstance(image, Bad):
        return image.reason
    if isinstance(lr, Bad):
        return lr.reason
    return unusable(image, scale=scale) or (sources.check_pair(image, lr, scale=scale) if lr else None)


def _listing(lines: Sequence[Any]) -> str:
    return "".join(f"\n  {line}" for line in lines)
