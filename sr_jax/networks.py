"""Lists the zoo, and the published networks with what they cost: `python -m sr_jax.networks --network fsrcnn edsr --scale 2 4`.

This file reads the command line; `runs/networks.py` computes the costs.
"""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from sr_jax.cli.parsing import parse
from sr_jax.config import NETWORKS
from sr_jax.errors import exit_status

SUMMARY = "List the zoo, and the networks with their parameters, multiply-adds and receptive fields."
SCALES = (2, 3, 4)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The options of this command."""

    network: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="(default: all)")] = ()
    """Names of the networks to list, as this command prints them without options.
    A config file or a trained network stands for its network, which may be one of your own."""
    scale: Annotated[tuple[int, ...], tyro.conf.arg(metavar="INT ...", help_behavior_hint="(default: 2 3 4)")] = ()
    """Super-resolution factors to list."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 listed, 2 bad input, 130 interrupted."""
    return exit_status(lambda: _list(argv))


def _list(argv: Sequence[str] | None) -> int:
    arguments = parse(Arguments, argv, prog="python -m sr_jax.networks", description=SUMMARY, renamed={"--model": "--network"})
    from sr_jax.runs import networks  # slow to import, so --help and wrong options are answered first

    names, scales = list(arguments.network or NETWORKS), list(arguments.scale or SCALES)
    if not arguments.network and not arguments.scale:
        networks.show_zoo()
    return networks.show(names, scales, says_what_is_missing=bool(arguments.network and arguments.scale))


if __name__ == "__main__":
    sys.exit(main())
