"""Trains a super-resolution network: `python -m sr_jax.train --config configs/x2.py`.

The same command in the same work directory goes on where it stopped. This file is the command line; the run is `loop.py`.
"""

import sys

from sr_jax import STARTED
from sr_jax.cli import options as cli
from sr_jax.errors import exit_status


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 finished, 1 a run that cannot go on, 2 bad input, 128 + n stopped by signal n."""
    return exit_status(lambda: _train(argv))


def _train(argv: list[str] | None) -> None:
    arguments = cli.parse(argv, prog="python -m sr_jax.train", description="Trains a super-resolution network.")
    from sr_jax.runs import train as loop  # slow to import: --help and wrong options are answered without it

    loop.train(arguments.config, arguments.directory, cache=arguments.cache, began=STARTED)


if __name__ == "__main__":
    sys.exit(main())
