"""Trains a network, or resumes its run: `python -m sr_jax.train --config configs/x2.py`.

This file reads the command line; `runs/train.py` is the run.
"""

import dataclasses
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from sr_jax import STARTED
from sr_jax.cli.config_options import ConfigOptions, parse_with_config
from sr_jax.cli.options import CacheDir, ClusterOptions
from sr_jax.config import workdir
from sr_jax.errors import InputError, exit_status, option, printable
from sr_jax.system.paths import AnyPath, to_path
from sr_jax.system.places import cache_folder

SUMMARY = "Train a network, or resume its run."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(ConfigOptions, ClusterOptions):
    """The options of this command."""

    workdir: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="DIR", help_behavior_hint="(default: runs/ and the name of the config file, or the folder of a config.json)"
        ),
    ] = None
    """Work directory, which may be a folder of a bucket, gs://BUCKET/FOLDER.
    Everything is written to it, and a run that it holds is resumed."""
    cache_dir: CacheDir = None
    stuck_after: Annotated[float, tyro.conf.arg(metavar="FACTOR")] = 100.0
    """How many times the median dispatch, and no less than a minute, a dispatch may take before the run ends as stuck."""
    wandb: Annotated[str | None, tyro.conf.arg(metavar="PROJECT", help_behavior_hint="")] = None
    """Log to this project of Weights & Biases, too. It needs the extra `wandb`. WANDB_MODE=offline sends nothing."""
    profile: Annotated[str | None, tyro.conf.arg(metavar="START:STOP", help_behavior_hint="")] = None
    """Record the steps from START to before STOP for XProf and Perfetto, into the folder `profile` of the work directory.
    Choose a few steps after the first ones, which compile."""

    @property
    def directory(self) -> AnyPath:
        """The work directory."""
        if self.workdir:
            with option("--workdir"):
                return to_path(self.workdir)
        if self.config_file and self.config_file.name == "config.json":  # that of a work directory
            return self.config_file.parent
        return Path("runs") / (self.config_file.stem if self.config_file else "default")


def steps_to_record(text: str, steps: int) -> range:
    """Returns the steps of START:STOP.

    Args:
      steps: the steps of the run.

    Raises:
      InputError: if the text is something else, or the run has no such step.
    """
    match = re.fullmatch(r"([0-9]{1,18}):([0-9]{1,18})", text)
    if not match:
        raise InputError(f"--profile {text}: give two steps as START:STOP, such as 100:110")
    first, stop = (int(number) for number in match.groups())
    if first >= stop:
        raise InputError(f"--profile {text}: START must be smaller than STOP")
    if first >= steps:
        raise InputError(f"--profile {text}: the run has only {steps:,} steps; give a START below that")
    return range(first, stop)


def check_project(project: str) -> None:
    """Checks that `--wandb` can work.

    Raises:
      InputError: if the package is missing, or no project can have this name.
    """
    found = importlib.util.find_spec("wandb")
    if found is None or found.origin is None:  # a folder that is called wandb would be found, too
        raise InputError("--wandb needs the package wandb; install it with pip install -e '.[wandb]'")
    if not project or len(project) > 128 or set(project) & set("/\\#?%:") or not project.isprintable():
        raise InputError(f"--wandb {printable(project)}: give the name of a project, without / \\ # ? % :")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 finished, 2 wrong input, 75 stopped by a signal and saved, another number anything else."""
    return exit_status(lambda: _train(argv))


def _train(argv: Sequence[str] | None) -> None:
    arguments = parse_with_config(Arguments, argv, prog="python -m sr_jax.train", description=SUMMARY)
    profile = steps_to_record(arguments.profile, arguments.config.steps) if arguments.profile is not None else range(0)
    if arguments.wandb is not None:
        check_project(arguments.wandb)
    directory = arguments.directory
    workdir.check(directory, arguments.config)
    if workdir.is_finished(directory, arguments.config):
        print((directory / workdir.RESULTS).read_text())
        print(f"{directory} holds this finished run, so nothing was computed. A larger --config.steps extends it.")
        return
    from sr_jax.runs import train  # slow to import, so --help, wrong options and finished runs are answered first

    with arguments.joined():
        train.train(
            arguments.config,
            directory,
            cache=cache_folder(arguments.cache_dir),
            began=STARTED,
            patience=arguments.stuck_after,
            wandb=arguments.wandb,
            profile=profile,
        )


if __name__ == "__main__":
    sys.exit(main())
