"""Shows the pairs of LR and HR patches of a training step: `python -m sr_jax.preview --config configs/x2.py`.

This file reads the command line; `runs/preview.py` makes the picture.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from sr_jax.cli.config_options import ConfigOptions, parse_with_config
from sr_jax.cli.options import CacheDir
from sr_jax.errors import exit_status
from sr_jax.system.places import cache_folder

SUMMARY = "Show the pairs of LR and HR patches that a training step sees."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(ConfigOptions):
    """The options of this command."""

    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("preview.png")
    """The picture, a PNG file."""
    count: Annotated[int, tyro.conf.arg(metavar="INT")] = 8
    """Number of pairs; at most data.batch are shown."""
    step: Annotated[int, tyro.conf.arg(metavar="INT")] = 0
    """Training step whose batch is shown."""
    cache_dir: CacheDir = None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 written, 2 bad input, 130 interrupted."""
    return exit_status(lambda: _preview(argv))


def _preview(argv: Sequence[str] | None) -> None:
    arguments = parse_with_config(Arguments, argv, prog="python -m sr_jax.preview", description=SUMMARY)
    from sr_jax.runs import preview  # slow to import, so --help and wrong options are answered first

    preview.preview(
        arguments.config,
        arguments.out.expanduser(),
        count=arguments.count,
        step=arguments.step,
        cache=cache_folder(arguments.cache_dir),
    )


if __name__ == "__main__":
    sys.exit(main())
