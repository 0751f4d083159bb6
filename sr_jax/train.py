"""Trains a super-resolution network: `python -m sr_jax.train --config configs/x2.py`.

The same command in the same work directory goes on where it stopped. This file is the command line; the run is `loop.py`.
"""

import signal
import sys

from sr_jax import STARTED, cli
from sr_jax.errors import InputError, Interrupted, TrainingError


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 finished, 1 a run that cannot go on, 2 bad input, 128 + n stopped by signal n."""
    try:
        arguments = cli.parse(argv, prog="python -m sr_jax.train", description="Trains a super-resolution network.")
        from sr_jax import loop  # slow to import: --help and wrong options are answered without it

        loop.train(arguments.config, arguments.directory, cache=arguments.cache, began=STARTED)
    except (InputError, TrainingError, Interrupted) as error:
        print(f"error: {error}" if not isinstance(error, Interrupted) else error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
