"""What one does with networks from the command line.

python -m sr_jax.models list
python -m sr_jax.models kernels --model WORKDIR --image FILE --out DIR
"""

import importlib
import sys

COMMANDS = {"list": "sr_jax.inventory", "kernels": "sr_jax.kernels"}
"""The module of each command, imported when it is asked for."""


def main(argv: list[str] | None = None) -> int:
    """Hands the arguments on to the command that comes first among them, and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        return importlib.import_module(COMMANDS[argv[0]]).main(argv[1:])
    known = ", ".join(COMMANDS)
    asked = argv[:1] in (["-h"], ["--help"])
    if argv and not asked:
        print(f"error: there is no command {argv[0]!r}", file=sys.stderr)
    print(f"usage: python -m sr_jax.models COMMAND [--help]; commands: {known}", file=sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
