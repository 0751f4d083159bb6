"""What one does with data from the command line: `python -m sr_jax.data preview --config configs/x2.py`."""

import sys

from sr_jax import subcommands

COMMANDS = {"preview": "sr_jax.preview"}


def main(argv: list[str] | None = None) -> int:
    return subcommands.run("python -m sr_jax.data", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main())
