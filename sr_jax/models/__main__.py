"""What one does with networks from the command line.

python -m sr_jax.models list
python -m sr_jax.models kernels --model WORKDIR --image FILE --out DIR
"""

import sys

from sr_jax import subcommands

COMMANDS = {"list": "sr_jax.inventory", "kernels": "sr_jax.kernels"}


def main(argv: list[str] | None = None) -> int:
    return subcommands.run("python -m sr_jax.models", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main())
