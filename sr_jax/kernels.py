"""Draws the kernel that a network predicts: `python -m sr_jax.kernels --model WORKDIR --image FILE --out DIR`.

This file reads the command line; `runs/kernels.py` draws.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from sr_jax.cli.options import MODEL, CacheDir
from sr_jax.cli.parsing import parse
from sr_jax.errors import exit_status
from sr_jax.system.places import cache_folder

SUMMARY = "Plot the kernel of a DeconvSR for an LR image, with its transfer function and its inverse."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The options of this command."""

    model: Annotated[str, tyro.conf.arg(metavar=MODEL)]
    """Trained DeconvSR with a predicted or static kernel: a name of the zoo, the work directory of a run,
    a .safetensors file with its card, or hf://USER/REPOSITORY@REVISION."""
    image: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """LR image."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("kernels")
    """Folder for the picture, IMAGE-kernel.png, and the kernel, IMAGE-kernel.npy, which a KernelFile stage can read.
    With mode=literal the kernel is not a blur, and there is only the picture."""
    cache_dir: CacheDir = None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 drawn, 2 bad input, 130 interrupted."""
    return exit_status(lambda: _draw(argv))


def _draw(argv: Sequence[str] | None) -> None:
    arguments = parse(Arguments, argv, prog="python -m sr_jax.kernels", description=SUMMARY)
    from sr_jax.runs import kernels  # slow to import, so --help and wrong options are answered first

    kernels.draw(arguments.model, arguments.image.expanduser(), arguments.out.expanduser(), cache_folder(arguments.cache_dir))


if __name__ == "__main__":
    sys.exit(main())
