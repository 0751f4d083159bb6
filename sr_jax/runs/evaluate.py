"""One evaluation, from names to tables: models, sets, tasks, scores, reports."""

import contextlib
import dataclasses
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from sr_jax.build import network as build
from sr_jax.evaluation import sheets as figures
from sr_jax.system import provenance
from sr_jax.build import evaluation_sets as tasks
from sr_jax.build import trained
from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.data import sources
from sr_jax.data.images import Bad, Image
from sr_jax.errors import InputError, listing, writing
from sr_jax.evaluation import report
from sr_jax.evaluation.evaluator import BICUBIC, Evaluator, Sample
from sr_jax.evaluation.protocol import Protocol, Task, choose
from sr_jax.evaluation.rows import Row, Stamp, unusable
from sr_jax.evaluation.tiles import PRECISION, Upscaler
from sr_jax.system.files import replace_text
from sr_jax.build.trained import Trained
from sr_jax.training.monitor import CompileClock


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
    degradation: str
    checkpoint: trained.Which
    parameters: trained.Parameters
    out: Path | None
    cache: Path


class Loaded(NamedTuple):
    """The tasks of one set, and what could not be used."""

    title: str
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
    networks = {
        name: trained.load(name, which=settings.checkpoint, parameters=settings.parameters)
        for name in settings.models
        if name != BICUBIC
    }
    scale = common_scale(settings, networks)
    degraded_by = common_degradation(settings, networks)
    protocol = choose(
        settings.protocol,
        channels=[network.network.about.channels for network in networks.values()],
        rgb_lr="LR comes from files" if settings.lr_source == "files" else tasks.rgb_lr(degraded_by),
        option="--protocol ",
    )
    if settings.out:
        with writing(f"--out {settings.out}:"):
            settings.out.mkdir(parents=True, exist_ok=True)  # better found out now than after the work
    prepared, bad = load_sets(settings, protocol, scale, degraded_by)
    lr_source = lr_source_of(settings, degraded_by)
    with CompileClock() as clock:
        methods = evaluate(settings, protocol, scale, networks, prepared, lr_source=lr_source)
    seconds = time.monotonic() - began

    text = render(methods, protocol, scale, compare=len(settings.models) > 1)
    print(f"\n{text}")
    share = clock.seconds / seconds
    print(f"\n{len(prepared)} images in {seconds:.1f} s, {share:.0%} of that compiling {clock.programs} programs")
    if settings.out:
        with writing(f"--out {settings.out}:"):
            write(settings.out, methods, text, protocol, scale, networks, bad)
        samples = ", samples/" if networks else ""
        print(f"{settings.out} holds results.md, results.csv, results.json, provenance.json{samples}")
    if bad:
        print(f"\n{len(bad)} image(s) could not be scored; the means are without them:{listing(bad)}", file=sys.stderr)
    return 1 if bad else 0


def evaluate(
    settings: Settings,
    protocol: Protocol,
    scale: int,
    networks: dict[str, Trained],
    prepared: Sequence[Task],
    *,
    lr_source: str,
) -> list[list[Row]]:
    """The rows of each model, in their order; bicubic stands before a single network, though it was not asked for."""
    titles = method_names(networks)
    rows_of: dict[str, list[Row]] = {}
    with progress(len(prepared) * (1 + len(networks))) as advance:
        stamp = Stamp(protocol.name, lr_source, PRECISION, "", provenance.commit())
        evaluator = Evaluator(protocol, prepared, stamp=stamp, on_scored=advance)
        rows_of[BICUBIC] = evaluator.bicubic_rows
        for number, (name, network) in enumerate(networks.items(), 1):
            upscaler = Upscaler(network.network.apply, scale=scale)
            about = network.network.about
            rows_of[name], samples = evaluator(
                upscaler,
                network.params,
                method=titles[name],
                weights=network.origin,
                channels=about.channels,
                is_told=about.is_told,
            )
            if settings.out:
                with writing(f"--out {settings.out}:"):
                    write_samples(samples, settings.out / "samples" / folder_name(number, name), method=titles[name])
    shown = settings.models if len(settings.models) > 1 else dict.fromkeys((BICUBIC, *settings.models))
    return [rows_of[name] for name in shown]


def load_sets(settings: Settings, protocol: Protocol, scale: int, degraded_by: Config | None) -> tuple[list[Task], list[str]]:
    """All images, prepared, and why others cannot be scored. Says what is about to be done.

    Raises:
      InputError: if a set is unknown or missing, two have one title, or no image is left.
    """
    if not settings.sets:
        raise InputError("--sets: names no set; give for example --sets Set5,Set14")
    loaded = [load_set(name, settings, protocol, scale, degraded_by) for name in settings.sets]
    for (name, part), (other, later) in itertools.combinations(zip(settings.sets, loaded, strict=True), 2):
        if part.title == later.title:  # their rows could not be told apart
            raise InputError(f"--sets: {name} and {other} are both called {part.title}; leave one out, or rename its folder")
    prepared = [task for part in loaded for task in part.tasks]
    bad = [line for part in loaded for line in part.bad]
    if not prepared:
        raise InputError(f"--sets {','.join(settings.sets)}: no image can be scored:{listing(bad)}")
    print(f"protocol    {protocol.name}: {protocol.describe(scale=scale, lr_source=lr_source_of(settings, degraded_by))}")
    print(f"precision   {PRECISION}; PSNR and SSIM float64")
    print(f"code        {provenance.commit()}")
    for part in loaded:
        if part.lr_note:
            print(f"LR files    {part.lr_note}")
    return prepared, bad


def lr_source_of(settings: Settings, degraded_by: Config | None) -> str:
    """Where LR is from, for stamps."""
    return "files" if settings.lr_source == "files" else tasks.lr_source(degraded_by)


def common_scale(settings: Settings, networks: dict[str, Trained]) -> int:
    """The scale asked for, or that of all the networks.

    Raises:
      InputError: if there is none, or the networks are for others.
    """
    scales = {name: network.config.scale for name, network in networks.items()}
    scale = next(iter(scales.values()), None) if settings.scale is None else settings.scale
    if scale is None:
        raise InputError("--model bicubic needs --scale, for example --scale 2")
    if scale < 2:
        raise InputError(f"--scale {scale}: must be at least 2")
    wrong = [f"{name} is for x{theirs}" for name, theirs in scales.items() if theirs != scale]
    if wrong:
        raise InputError(f"evaluating x{scale}, but {', '.join(wrong)}")
    return scale


def common_degradation(settings: Settings, networks: dict[str, Trained]) -> Config | None:
    """The config by whose degradation LR is made for all the networks; None for bicubic reduction, or LR files.

    Raises:
      InputError: if theirs differ, or LR files do not say what a network must be told.
    """
    if settings.lr_source == "files":
        if told := [name for name, network in networks.items() if network.network.about.is_told]:
            raise InputError(
                f"--lr_source files: {', '.join(told)} must be told each image's kernel and noise, which LR files do not say; "
                "leave the option out"
            )
        return None
    of_runs = {name: network for name, network in networks.items() if not network.is_converted}  # of others it is not known
    ways = {name: tasks.degraded_by(network.config, settings.degradation) for name, network in of_runs.items()}
    titles = {name: ", ".join(stage.name for stage in by.stages) if by else "bicubic" for name, by in ways.items()}
    if len({str(by.stages) if by else "bicubic" for by in ways.values()}) > 1:
        lines = listing(f"{name}: {title}" for name, title in titles.items())
        raise InputError(f"the networks are evaluated on different degradations; use --degradation bicubic:{lines}")
    return next(iter(ways.values()), None)


def method_names(networks: dict[str, Trained]) -> dict[str, str]:
    """What each network is called in tables: its model's name, or where it is from if two are of the same model."""
    names = [configs.title(network.config.model) for network in networks.values()]
    return {place: name if names.count(name) == 1 else place for (place, _), name in zip(networks.items(), names, strict=True)}


def load_set(name: str, settings: Settings, protocol: Protocol, scale: int, degraded_by: Config | None) -> Loaded:
    """Reads and prepares the images of a set; those that cannot be used are named, and left out.

    Raises:
      InputError: if the set is unknown or missing, or lacks LR files that are asked for.
    """
    where = {"scale": scale, "root": settings.root, "cache": settings.cache / "prepared"}
    where |= {"option": "--sets", "root_option": "--data"}
    images = sources.open_hr(name, **where)
    lrs = sources.open_lr(name, **where) if settings.lr_source == "files" else itertools.repeat(None)
    good, prepared, bad, equal = [], [], [], 0
    for image, lr in zip(images, lrs, strict=False):
        reason = _why_not(image, lr, scale)
        if reason or isinstance(image, Bad) or isinstance(lr, Bad):
            bad.append(f"{images.title}: {reason}")
            continue
        good.append(image)
        if lr is not None:
            prepared.append(protocol.task(image, set=images.title, scale=scale, lr=lr.pixels))
            computed = protocol.task(image, set=images.title, scale=scale, lr=None).lr
            equal += computed.shape == lr.pixels.shape and bool((computed == lr.pixels).all())
    if settings.lr_source == "files":
        note = f"{images.title}: {equal} of {len(good)} equal MATLAB's bicubic byte for byte"
        return Loaded(images.title, prepared, bad, note)
    prepared = list(tasks.make(protocol, good, set=images.title, scale=scale, degraded_by=degraded_by))
    return Loaded(images.title, prepared, bad, "")


def render(methods: Sequence[Sequence[Row]], protocol: Protocol, scale: int, *, compare: bool) -> str:
    """The report in Markdown."""
    parts = [
        f"x{scale}, protocol {protocol.name} ({protocol.describe(scale=scale, lr_source=methods[0][0].lr_source)}), code "
        f"{provenance.commit()}",
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
        "protocol": {
            "name": protocol.name,
            "description": protocol.describe(scale=scale, lr_source=rows[0].lr_source),
            "shave": scale,
        },
        "precision": PRECISION,
        **provenance.describe(),
        "not_scored": list(bad),
        "networks": {
            name: {"weights": network.origin, "config": dataclasses.asdict(network.config)}
            for name, network in networks.items()
        },
    }
    missing = f"\n\nNot scored:{listing(bad)}" if bad else ""
    report.write(out, rows, f"# Results\n\n{text}{missing}\n")
    replace_text(out / "provenance.json", json.dumps(made, indent=1) + "\n")


def folder_name(number: int, model: str) -> str:
    """A short name for what belongs to the number-th model."""
    return f"{number}-{re.sub(r'[^a-zA-Z0-9_.-]', '_', Path(model).name)[:60]}"


def write_samples(samples: Sequence[Sample], folder: Path, *, method: str) -> None:
    """Sample sheets of the first images of each set."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheet in figures.sample_sheets(samples, method=method):
        figures.save_png(sheet, folder / f"{name}.png")


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
