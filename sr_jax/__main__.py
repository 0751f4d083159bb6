"""`python -m sr_jax` lists the commands. `sr-jax COMMAND ...` does the same as `python -m sr_jax.COMMAND ...`."""

import difflib
import sys
from collections.abc import Sequence
from types import ModuleType

from sr_jax import convert, doctor, evaluate, kernels, networks, prepare, preview, train, upscale
from sr_jax.errors import InputError, exit_status

COMMANDS: dict[str, ModuleType] = {
    "train": train,
    "evaluate": evaluate,
    "upscale": upscale,
    "preview": preview,
    "prepare": prepare,
    "networks": networks,
    "kernels": kernels,
    "convert": convert,
    "doctor": doctor,
}

SYNONYMS = {"models": "networks", "list": "networks", "data": "preview", "score": "evaluate", "test": "evaluate"}
"""Commands that do not exist, some of which once did, and those that are likely meant."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that the first argument names. Returns its exit status, or 2 if there is no such command."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in COMMANDS:
        return COMMANDS[name].main(rest)
    return exit_status(lambda: _list(name))


def _list(name: str) -> None:
    if name not in ("-h", "--help"):
        near = [SYNONYMS[name]] if name in SYNONYMS else difflib.get_close_matches(name.lower(), COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
        raise InputError(f"there is no command {name!r}; {hint}")
    print("usage: sr-jax COMMAND ..., or python -m sr_jax.COMMAND ...\n\ncommands:")
    for name, command in COMMANDS.items():
        print(f"  {name:<10}{command.SUMMARY}")
    print("\nsr-jax COMMAND --help lists the options of a command.")


if __name__ == "__main__":
    sys.exit(main())
