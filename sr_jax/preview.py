"""Draws the pairs of LR and HR that a training step sees: `python -m sr_jax.preview --config configs/x2.py`."""

import sys

from sr_jax.cli import options
from sr_jax.errors import exit_status


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0, 2 after bad input, 130 if interrupted."""
    return exit_status(lambda: _preview(argv))


def _preview(argv: list[str] | None) -> None:
    what = "Draws the pairs of LR and HR that a training step sees."
    arguments = options.parse(argv, prog="python -m sr_jax.preview", description=what, into=options.PreviewArguments)
    from sr_jax.runs import preview as run  # slow to import: --help and wrong options are answered without it

    run.preview(arguments.config, arguments.out.expanduser(), count=arguments.count, step=arguments.step, cache=arguments.cache)


if __name__ == "__main__":
    sys.exit(main())
