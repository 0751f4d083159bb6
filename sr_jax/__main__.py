"""`python -m sr_jax` lists the commands; `python -m sr_jax COMMAND` and `sr-jax COMMAND` run one."""

import sys
from types import ModuleType

from sr_jax import convert, evaluate, kernels, networks, preview, train

COMMANDS: dict[str, ModuleType] = {
    "train": train,
    "evaluate": evaluate,
    "preview": preview,
    "networks": networks,
    "kernels": kernels,
    "convert": convert,
}


def main(argv: list[str] | None = None) -> int:
    """Runs the command that comes first among the arguments. Returns its exit status; 2 if there is no such command."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in COMMANDS:
        return COMMANDS[name].main(rest)
    if name not in ("-h", "--help"):
        print(f"error: there is no command {name!r}", file=sys.stderr)
        return 2
    print("usage: sr-jax COMMAND [--help]\n")
    for command, module in COMMANDS.items():
        print(f"  {command:10s}{(module.__doc__ or '').splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
