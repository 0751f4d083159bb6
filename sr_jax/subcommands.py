"""The first word after `python -m sr_jax.models` or `sr_jax.data`: which of their commands is meant."""

import importlib
import sys
from collections.abc import Mapping


def run(program: str, commands: Mapping[str, str], argv: list[str] | None) -> int:
    """Hands the other arguments on to the command that comes first among them, and returns its exit status.

    Args:
      program: as one calls it.
      commands: the module of each command, imported when it is asked for, whose `main` takes the arguments.
      argv: None: those of the process.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in commands:
        return importlib.import_module(commands[argv[0]]).main(argv[1:])
    is_asked = argv[:1] in (["-h"], ["--help"])
    if argv and not is_asked:
        print(f"error: there is no command {argv[0]!r}", file=sys.stderr)
    print(f"usage: {program} COMMAND [--help]; commands: {', '.join(commands)}", file=sys.stderr)
    return 0 if is_asked else 2
