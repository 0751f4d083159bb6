"""Lists the published networks and what they cost: `python -m sr_jax.networks`."""

import argparse
import sys

from sr_jax.config import NETWORKS
from sr_jax.errors import exit_status


def main(argv: list[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sr_jax.networks", description="The published networks and their costs.")
    parser.add_argument("--model", nargs="+", metavar="NAME", help="only these networks")
    parser.add_argument("--scale", nargs="+", type=int, help="only these scales; by default 2 3 4")
    arguments = parser.parse_args(argv)
    names, scales = arguments.model or list(NETWORKS), arguments.scale or [2, 3, 4]
    asked_for_each = bool(arguments.model and arguments.scale)
    return exit_status(lambda: _list(names, scales, says_what_is_missing=asked_for_each))


def _list(names: list[str], scales: list[int], *, says_what_is_missing: bool) -> int:
    from sr_jax.runs import networks as run  # slow to import: --help and wrong options are answered without it

    return run.show(names, scales, says_what_is_missing=says_what_is_missing)


if __name__ == "__main__":
    sys.exit(main())
