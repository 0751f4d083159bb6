"""Prepares the images of a config before it is trained: `python -m sr_jax.prepare --config configs/x2.py`.

This file reads the command line; `runs/prepare.py` prepares.
"""

import dataclasses
import sys
from collections.abc import Sequence

from sr_jax.cli.config_options import ConfigOptions, parse_with_config
from sr_jax.cli.options import CacheDir
from sr_jax.errors import exit_status
from sr_jax.system.places import cache_folder

SUMMARY = "Prepare the images that training with a config needs."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(ConfigOptions):
    """The options of this command."""

    cache_dir: CacheDir = None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 prepared, 1 failed, 2 wrong input, 75 stopped by a signal: the same command goes on."""
    return exit_status(lambda: _prepare(argv))


def _prepare(argv: Sequence[str] | None) -> None:
    arguments = parse_with_config(Arguments, argv, prog="python -m sr_jax.prepare", description=SUMMARY)
    from sr_jax.runs import prepare  # slow to import, so --help and wrong options are answered first

    prepare.prepare(arguments.config, cache=cache_folder(arguments.cache_dir))


if __name__ == "__main__":
    sys.exit(main())
