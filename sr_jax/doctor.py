"""Says what a run would meet here: `python -m sr_jax.doctor --workdir DIR`. Start it as you would start the run.

This file reads the command line; `runs/doctor.py` looks.
"""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from sr_jax.cli.options import CacheDir, ClusterOptions, DataRoot
from sr_jax.cli.parsing import parse
from sr_jax.errors import exit_status, option
from sr_jax.system.paths import to_path
from sr_jax.system.places import cache_folder, data_root

SUMMARY = "Print the cluster, the devices and the folders that a run would have here, and what to mend."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(ClusterOptions):
    """The options of this command."""

    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: none is tried)")] = None
    """Work directory of the run. All processes try to write in it and to see what the others wrote."""
    data_root: DataRoot = None
    cache_dir: CacheDir = None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 nothing to mend, 1 something to mend, 2 wrong input."""
    return exit_status(lambda: _look(argv))


def _look(argv: Sequence[str] | None) -> int:
    arguments = parse(Arguments, argv, prog="python -m sr_jax.doctor", description=SUMMARY)
    from sr_jax.runs import doctor  # slow to import, so --help and wrong options are answered first

    cache = cache_folder(arguments.cache_dir)
    with option("--workdir"):
        workdir = to_path(arguments.workdir) if arguments.workdir else None
    with arguments.joined():
        return doctor.look(workdir, data_root(arguments.data_root, cache), cache)


if __name__ == "__main__":
    sys.exit(main())
