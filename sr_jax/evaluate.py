"""Scores networks on sets of images: `python -m sr_jax.evaluate --model WORKDIR --sets Set5 Set14 --data_root DIR`.

This file reads the command line; `runs/evaluate.py` is the evaluation, and `docs/evaluation.md` describes the protocols.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sr_jax.cli.options import MODEL, CacheDir, ClusterOptions, DataRoot, Switch
from sr_jax.cli.parsing import parse
from sr_jax.errors import InputError, exit_status, option
from sr_jax.system.paths import to_path
from sr_jax.system.places import cache_folder, data_root

SUMMARY = "Score networks and bicubic interpolation on sets of images, by a published protocol."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(ClusterOptions):
    """The options of this command."""

    model: Annotated[str | None, tyro.conf.arg(metavar=f"bicubic|{MODEL}", help_behavior_hint="")] = None
    """What to score: `bicubic`, a name of the zoo (`python -m sr_jax.networks` lists them), the work directory of a run,
    a .safetensors file with its card, or a repository of the Hugging Face Hub (hf://USER/REPOSITORY@REVISION)."""
    compare: Annotated[tuple[str, ...], tyro.conf.arg(metavar=f"bicubic|{MODEL} ...", help_behavior_hint="")] = ()
    """Several of these side by side. Give either --model or --compare.
    The report adds the differences from one of them, and a paired test over the images."""
    group: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """With --compare: networks whose configs differ only in `seed` are one method, with mean and standard deviation."""
    against: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: the first)")] = None
    """With --compare: the method from which the differences are taken, named as after --compare or as in the tables."""
    sets: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SET ...")] = ("photographs",)
    """Sets of images: named sets (Set5, Set14, B100, Urban100, Manga109, DIV2K), folders of HR images,
    or `photographs` (three photographs that come with scikit-image)."""
    scale: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: that of the networks)")] = None
    """Super-resolution factor. It must be given where only bicubic is scored."""
    data_root: DataRoot = None
    protocol: Literal["published", "papers", "rgb-uint8"] = "published"
    """How to score. `papers`: Y in floating point, as in the published tables up to LapSRN and in all published bicubic rows.
    `rgb-uint8`: 8-bit RGB in and out, as in the tables since EDSR.
    `published`: `rgb-uint8` if a network reads RGB or LR must be RGB, else `papers`."""
    lr_source: Literal["computed", "files"] = "computed"
    """Where LR comes from: it is computed, or read from the LR files of the set (only with `rgb-uint8`)."""
    degradation: Annotated[str, tyro.conf.arg(metavar="own|training|NAME|CONFIG|MODEL")] = "own"
    """How LR is computed. `own`: as `eval.degradation` in each network's config says. `training`: as the networks were trained.
    `bicubic`, `classical` or `real-esrgan`: by this degradation.
    A config file, or a model as for --model: by the degradation with which this network was trained."""
    checkpoint: Literal["latest", "best"] = "latest"
    """Which checkpoint of a work directory."""
    parameters: Literal["ema", "raw"] = "ema"
    """The moving average of the parameters, or the parameters themselves."""
    out: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: nothing is written)")] = None
    """Folder for results.md, results.csv, results.json, provenance.json and sample sheets."""
    cache_dir: CacheDir = None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 all images were scored, 1 some could not be, 2 bad input, 130 interrupted."""
    return exit_status(lambda: _evaluate(argv))


def _evaluate(argv: Sequence[str] | None) -> int:
    arguments = parse(Arguments, argv, prog="python -m sr_jax.evaluate", description=SUMMARY, renamed={"--data": "--data_root"})
    with option("--out"):
        out = to_path(arguments.out) if arguments.out else None
    models, sets, cache = _models(arguments), _sets(arguments), cache_folder(arguments.cache_dir)
    from sr_jax.runs import evaluate  # slow to import, so --help and wrong options are answered first

    with arguments.joined():
        return evaluate.run(
            evaluate.Settings(
                models=models,
                sets=sets,
                scale=arguments.scale,
                data_root=data_root(arguments.data_root, cache),
                protocol=arguments.protocol,
                lr_source=arguments.lr_source,
                degradation=arguments.degradation,
                checkpoint=arguments.checkpoint,
                parameters=arguments.parameters,
                out=out,
                cache=cache,
                group=arguments.group,
                against=arguments.against,
            )
        )


def _models(arguments: Arguments) -> tuple[str, ...]:
    """What is scored, in order."""
    model, compare = arguments.model, arguments.compare
    if bool(model) == bool(compare) or len(compare) == 1:
        raise InputError("give either --model, or --compare with several models or bicubic")
    if len(set(compare)) < len(compare):
        raise InputError(f"--compare {' '.join(compare)}: names one twice")
    if model and (arguments.group or arguments.against):
        raise InputError(f"{'--group' if arguments.group else '--against'} is for --compare")
    return compare or (model or "",)


def _sets(arguments: Arguments) -> list[str]:
    """The names of the sets, which were once separated by commas."""
    joined = [name for name in arguments.sets if "," in name and not Path(name).expanduser().exists()]
    if joined:
        names = " ".join(arguments.sets).replace(",", " ").split() or ["Set5", "Set14"]
        raise InputError(f"separate sets by spaces: --sets {' '.join(names)}")
    return list(arguments.sets)


if __name__ == "__main__":
    sys.exit(main())
