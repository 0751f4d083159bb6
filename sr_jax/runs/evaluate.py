"""One evaluation, from the names of models and sets to the tables."""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tqdm import tqdm

from sr_jax import config as configs
from sr_jax.assembly import degradation as degradations
from sr_jax.assembly import evaluation_sets, trained
from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.methods import Column, put_first
from sr_jax.assembly.methods import columns as columns_of
from sr_jax.assembly.methods import titles as titles_of
from sr_jax.assembly.trained import Trained
from sr_jax.config import PRESETS
from sr_jax.config.experiment import MAX_SCALE
from sr_jax.errors import InputError, listing, option, printable, writing
from sr_jax.evaluation import report
from sr_jax.evaluation.evaluator import BICUBIC, Evaluator
from sr_jax.evaluation.protocol import KNOWN_BLUR, Protocol, Task, choose
from sr_jax.evaluation.report import Method
from sr_jax.evaluation.rows import Row, Stamp
from sr_jax.evaluation.sheets import write_sheets
from sr_jax.evaluation.tiles import PRECISION, TiledNetwork
from sr_jax.system import processes, provenance
from sr_jax.system.compilation import CompileClock, use_compilation_cache
from sr_jax.system.files import replace_text
from sr_jax.system.paths import AnyPath


class Settings(NamedTuple):
    """What is evaluated, and how."""

    models: Sequence[str]
    """`bicubic`, work directories and weights files, in the order of the tables."""
    sets: Sequence[str]
    scale: int | None
    """None for that of the networks."""
    data_root: Path
    """The folder in which the named sets lie."""
    protocol: str
    """The name of a protocol, or `published`."""
    lr_source: str
    """`computed` or `files`."""
    degradation: str
    """`own`, `training`, the name of a degradation, or the place of a config or a run whose degradation it is."""
    checkpoint: trained.Which
    parameters: trained.Parameters
    out: AnyPath | None
    """The folder for the results; None if nothing is written."""
    cache: Path
    """The folder for compiled programs and prepared images."""
    group: bool = False
    """Whether networks whose configs differ only in their seeds are one method."""
    against: str | None = None
    """The method with which the others are compared; None for the first."""


def run(settings: Settings) -> int:
    """Evaluates, prints and writes the results. Returns the exit status: 0 if all images were scored, 1 if some could not be.

    Raises:
      InputError: if a model, a set or a combination of options cannot be used, or no image can be scored.
    """
    began = time.monotonic()
    use_compilation_cache(settings.cache)
    networks = {
        name: trained.load(name, which=settings.checkpoint, parameters=settings.parameters, others=[BICUBIC])
        for name in settings.models
        if name != BICUBIC
    }
    columns = compared_columns(settings, networks)
    scale = common_scale(settings, networks)
    degradation = common_degradation(settings, networks, scale)
    channels = [one.network.about.channels for one in networks.values()]
    protocol = choose(settings.protocol, channels=channels, rgb_lr=degradation.why_rgb, option="--protocol ")
    if settings.out:
        with writing(f"--out {settings.out}:"):
            settings.out.mkdir(parents=True, exist_ok=True)  # this fails before the work, not after it

    tasks, bad = load_tasks(settings, protocol, degradation)
    stamp = Stamp(protocol.name, degradation.lr_source, PRECISION, "", provenance.commit())
    with CompileClock() as clock:
        rows = score(settings, protocol, networks, tasks, stamp)
    seconds = time.monotonic() - began

    methods = [Method(column.label, [rows[place] for place in column.places]) for column in columns]
    text = render(methods, protocol, scale, compare=len(settings.models) > 1)
    print(f"\n{text}")
    share = clock.seconds / seconds
    print(f"\n{len(tasks)} images in {seconds:.1f} s, {share:.0%} of that compiling {clock.programs} programs")
    if settings.out and processes.is_first():
        with writing(f"--out {settings.out}:"):
            write(settings, [row for of_model in rows.values() for row in of_model], text, protocol, degradation, networks, bad)
        samples = ", samples/" if networks else ""
        print(f"{settings.out} holds results.md, results.csv, results.json, provenance.json{samples}")
    if bad:
        print(f"\n{len(bad)} image(s) could not be scored; the means are without them:{listing(bad)}", file=sys.stderr)
    return 1 if bad else 0


def compared_columns(settings: Settings, networks: dict[str, Trained]) -> list[Column]:
    """Returns the methods of the tables. If there is only one model, bicubic comes before it.

    Raises:
      InputError: if `--group` finds nothing to group, or `--against` names none of the methods.
    """
    with option("--group"):
        shown = columns_of(shown_models(settings), networks, by_seed=settings.group)
    if settings.against is None:
        return shown
    with option(f"--against {settings.against}"):
        return put_first(shown, settings.against, networks)


def shown_models(settings: Settings) -> list[str]:
    """Returns the models of the tables. If there is only one, bicubic comes before it."""
    return list(settings.models if len(settings.models) > 1 else dict.fromkeys((BICUBIC, *settings.models)))


def common_scale(settings: Settings, networks: dict[str, Trained]) -> int:
    """Returns the scale that the user gave, or else that of the networks.

    Raises:
      InputError: if there is neither, or a network has another scale.
    """
    scales = {name: one.config.scale for name, one in networks.items()}
    scale = next(iter(scales.values()), None) if settings.scale is None else settings.scale
    if scale is None:
        raise InputError("--model bicubic needs --scale, for example --scale 2")
    if scale < 2:
        raise InputError(f"--scale {scale}: must be at least 2")
    if scale > MAX_SCALE:
        raise InputError(f"--scale {scale}: must be at most {MAX_SCALE}")
    wrong = [f"{name} is for x{theirs}" for name, theirs in scales.items() if theirs != scale]
    if wrong:
        raise InputError(f"evaluating x{scale}, but {', '.join(wrong)}")
    return scale


def common_degradation(settings: Settings, networks: dict[str, Trained], scale: int) -> Degradation:
    """Returns the degradation that makes LR for all networks.

    Raises:
      InputError: if their degradations differ, the chosen one cannot be used, or a network must be told a blur that it does not
        tell.
    """
    told = [name for name, one in networks.items() if one.network.about.is_told]
    if settings.lr_source == "files":
        if settings.degradation != "own":
            raise InputError(f"--degradation {settings.degradation} does not apply to --lr_source files; leave one of them out")
        degradation = Degradation(PRESETS["bicubic"], scale=scale, lr_files=True)
        with option("--lr_source files"):
            for name in told:
                degradation.require_blur(name, advice="leave the option out")
        return degradation
    if settings.degradation in ("own", "training"):
        degradation = degradation_of_runs(settings.degradation, networks) or degradations.bicubic(scale)
    else:
        with option(f"--degradation {settings.degradation}"):
            degradation = degradations.named(settings.degradation, scale=scale)
    for name in told:
        degradation.require_blur(name, advice=f"for --degradation, {KNOWN_BLUR}")
    return degradation


def degradation_of_runs(way: Literal["own", "training"], networks: dict[str, Trained]) -> Degradation | None:
    """Returns the degradation that all runs have in evaluation; None if there are no runs.

    Raises:
      InputError: if their degradations differ.
    """
    by_run = {  # how a converted network was trained is unknown
        name: degradations.of_evaluation(one.config, way) for name, one in networks.items() if not one.is_converted
    }
    if len({one.stages for one in by_run.values()}) > 1:
        lines = listing(f"{name}: {one.spelling}" for name, one in by_run.items())
        names, run = ", ".join(PRESETS), next(name for name, one in by_run.items() if not one.is_bicubic)
        raise InputError(
            f"the networks are evaluated on different degradations; score all on one, by its name ({names}) or that of a run "
            f"or a config file, such as --degradation {run}:{lines}"
        )
    return next(iter(by_run.values()), None)


def load_tasks(settings: Settings, protocol: Protocol, degradation: Degradation) -> tuple[list[Task], list[str]]:
    """Loads all sets, prepares their images, and prints how they will be scored.

    Returns:
      the tasks, and a line for each image that cannot be scored.

    Raises:
      InputError: if a set is unknown or missing, two sets have the same title, or no image is left.
    """
    if not settings.sets:
        raise InputError("--sets: names no set; give for example --sets Set5 Set14")
    with option("--sets"):
        opened = evaluation_sets.open_sets(
            settings.sets,
            scale=degradation.scale,
            root=settings.data_root,
            cache=settings.cache,
            lr_files=degradation.lr_files,
        )
    loaded = [evaluation_sets.load_set(one, scale=degradation.scale) for one in opened]
    bad = [printable(f"{one.title}: {reason}") for one in loaded for reason in one.reasons.values()]
    tasks = [task for one in loaded for task in evaluation_sets.make_tasks(protocol, one, degradation)]
    if not tasks:
        raise InputError(f"--sets {' '.join(settings.sets)}: no image can be scored:{listing(bad)}")
    print(f"protocol    {protocol.name}: {protocol.describe(scale=degradation.scale, lr_source=degradation.lr_source)}")
    if not degradation.is_bicubic and not degradation.lr_files:
        print(f"degradation {degradation.spelling}")
    print(f"precision   {PRECISION}; PSNR and SSIM float64")
    print(f"code        {provenance.commit()}")
    for one in loaded if degradation.lr_files else ():
        print(f"LR files    {evaluation_sets.matlab_lr_note(protocol, one, scale=degradation.scale)}")
    return tasks, bad


def score(
    settings: Settings, protocol: Protocol, networks: dict[str, Trained], tasks: Sequence[Task], stamp: Stamp
) -> dict[str, list[Row]]:
    """Returns the rows of each model of the tables."""
    titles = titles_of(networks)
    rows_of: dict[str, list[Row]] = {}
    with progress(len(tasks) * (1 + len(networks))) as advance:
        with option("--sets"):
            evaluator = Evaluator(protocol, tasks, stamp=stamp, on_scored=advance)
        rows_of[BICUBIC] = evaluator.bicubic_rows
        for number, (name, one) in enumerate(networks.items(), 1):
            tiled = TiledNetwork(one.network.apply, one.network.about, scale=one.config.scale)
            rows_of[name], samples = evaluator(tiled, one.network.params, method=titles[name], weights=one.origin)
            if settings.out and processes.is_first():
                with writing(f"--out {settings.out}:"):
                    folder = settings.out / "samples" / folder_name(number, name)
                    for _ in write_sheets(samples, folder, method=titles[name]):
                        pass
    return {name: rows_of[name] for name in shown_models(settings)}


def render(methods: Sequence[Method], protocol: Protocol, scale: int, *, compare: bool) -> str:
    """Returns the report in Markdown."""
    lr_source = methods[0].rows[0].lr_source
    conditions = f"x{scale}, protocol {protocol.name} ({protocol.describe(scale=scale, lr_source=lr_source)})"
    tables = report.tables(methods, compare=compare)
    return "\n\n".join([f"{conditions}, code {provenance.commit()}", *tables])


def write(
    settings: Settings,
    rows: Sequence[Row],
    text: str,
    protocol: Protocol,
    degradation: Degradation,
    networks: dict[str, Trained],
    bad: Sequence[str],
) -> None:
    """Writes the results and their provenance to `--out`."""
    assert settings.out
    sources: dict[str, Any] = {
        "protocol": {
            "name": protocol.name,
            "description": protocol.describe(scale=degradation.scale, lr_source=rows[0].lr_source),
            "shave": degradation.scale,
        },
        "degradation": {"chosen": settings.degradation, "stages": degradation.spelling},
        "precision": PRECISION,
        **provenance.describe(),
        "not_scored": list(bad),
        "networks": {
            name: {"weights": one.origin, "config": json.loads(configs.to_json(one.config))} for name, one in networks.items()
        },
    }
    missing = f"\n\nNot scored:{listing(bad)}" if bad else ""
    report.write(settings.out, rows, f"# Results\n\n{text}{missing}\n")
    replace_text(settings.out / "provenance.json", json.dumps(sources, indent=1) + "\n")


def folder_name(number: int, model: str) -> str:
    """Returns a short name for the folder of a model's samples."""
    return f"{number}-{re.sub(r'[^a-zA-Z0-9_.-]', '_', Path(model).name)[:60]}"


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Shows a progress bar on a terminal, and nothing elsewhere or in the other processes of a run."""
    disable = None if processes.is_first() else True
    with tqdm(total=total, unit="image", leave=False, dynamic_ncols=True, disable=disable) as bar:

        def advance() -> None:
            bar.update()

        yield advance
