"""Scores networks and bicubic on image sets: `python -m sr_jax.evaluate --model WORKDIR --sets Set5,Set14 --data DIR`.

This file is the command line; `evaluation/` has what it does, `docs/evaluation.md` the protocols.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sr_jax.errors import InputError, exit_status
from sr_jax.system.places import cache_folder, data_root

DESCRIPTION = "Scores networks and bicubic interpolation on sets of images, to a published protocol."


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    model: Annotated[str | None, tyro.conf.arg(metavar="bicubic|WORKDIR|WEIGHTS")] = None
    """What to score: `bicubic`, the work directory of a training run, or a .safetensors file with its card."""
    compare: Annotated[tuple[str, ...], tyro.conf.arg(metavar="bicubic|WORKDIR|WEIGHTS ...")] = ()
    """Several of them side by side, with differences from the first and a paired test over the images."""
    sets: str = "photographs"
    """Sets, with commas: Set5, Set14, B100, Urban100, Manga109, photographs (the three held out), or folders of HR images."""
    scale: int | None = None
    """Super-resolution factor; by default that of the networks."""
    data: Path | None = None
    """Folder in which the sets lie. By default the environment variable SR_JAX_DATA, else datasets/ in the cache folder."""
    protocol: Literal["published", "papers", "rgb-uint8"] = "published"
    """How to score. `papers`: Y in floating point, as the published tables up to LapSRN and all published bicubic rows.
    `rgb-uint8`: 8-bit RGB in and out, as the tables since EDSR. `published`: `rgb-uint8` if a network reads RGB or LR must be
    RGB, else `papers`."""
    lr_source: Literal["computed", "files"] = "computed"
    """Where LR comes from: it is computed, or read from the LR files beside the set (with `rgb-uint8` alone)."""
    degradation: Literal["own", "training", "bicubic"] = "own"
    """How LR is computed. `own`: as in each run's own evaluation (`eval.degradation`); `training`: as it was trained;
    `bicubic`: by MATLAB's."""
    checkpoint: Literal["latest", "best"] = "latest"
    """Which checkpoint of a work directory."""
    parameters: Literal["ema", "raw"] = "ema"
    """The moving average of the parameters, or the parameters themselves."""
    out: Path | None = None
    """Folder for results.md, results.csv, results.json, provenance.json and sample sheets."""
    cache_dir: Path | None = None
    """Compiled programs and prepared images. By default sr_jax in the user's cache folder."""

    @property
    def models(self) -> tuple[str, ...]:
        """What is to be scored, in order."""
        return self.compare or ((self.model,) if self.model else ())

    @property
    def root(self) -> Path:
        """Where the sets lie."""
        return data_root(self.data, self.cache)

    @property
    def cache(self) -> Path:
        """The cache folder."""
        return cache_folder(self.cache_dir)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 all scored, 1 some images could not be, 2 bad input."""
    return exit_status(lambda: _evaluate(argv))


def _evaluate(argv: Sequence[str] | None) -> int:
    arguments = tyro.cli(
        Arguments,
        prog="python -m sr_jax.evaluate",
        description=DESCRIPTION,
        args=argv,
        use_underscores=True,
        config=(tyro.conf.FlagConversionOff,),
    )
    if bool(arguments.model) == bool(arguments.compare) or len(arguments.compare) == 1:
        raise InputError("give either --model, or --compare with several of bicubic, work directories and weights files")
    if len(set(arguments.compare)) < len(arguments.compare):
        raise InputError(f"--compare {' '.join(arguments.compare)}: names one twice")
    from sr_jax.runs import evaluate as scoring  # slow to import: --help and wrong options are answered without it

    return scoring.run(
        scoring.Settings(
            models=arguments.models,
            sets=[name.strip() for name in arguments.sets.split(",") if name.strip()],
            scale=arguments.scale,
            root=arguments.root,
            protocol=arguments.protocol,
            lr_source=arguments.lr_source,
            degradation=arguments.degradation,
            checkpoint=arguments.checkpoint,
            parameters=arguments.parameters,
            out=arguments.out.expanduser() if arguments.out else None,
            cache=arguments.cache,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
