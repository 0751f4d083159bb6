"""Draws the kernel that a network predicts: `python -m sr_jax.kernels --model WORKDIR --image FILE --out DIR`."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from sr_jax.errors import exit_status
from sr_jax.system.places import cache_folder

DESCRIPTION = "Draws the kernel that a network predicts of an LR image, its transfer function, and that of its inverse."


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    model: Annotated[str, tyro.conf.arg(metavar="WORKDIR|WEIGHTS")]
    """A network with a predicted or static kernel (DeconvSR): the work directory of a training run, or a .safetensors file."""
    image: Path
    """An LR image."""
    out: Path = Path("kernels")
    """Folder for IMAGE-kernel.png and, unless the network has mode=literal, whose kernel G is no blur, IMAGE-kernel.npy, which
    data.degradation can take for a blur."""
    cache_dir: Path | None = None
    """Compiled programs. By default sr_jax in the user's cache folder."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, 2 after bad input, 130 if interrupted."""
    return exit_status(lambda: _draw(argv))


def _draw(argv: Sequence[str] | None) -> None:
    prog = "python -m sr_jax.kernels"
    arguments = tyro.cli(Arguments, prog=prog, description=DESCRIPTION, args=argv, use_underscores=True)
    from sr_jax.runs import kernels as run  # slow to import: --help and wrong options are answered without it

    run.draw(arguments.model, arguments.image.expanduser(), arguments.out.expanduser(), cache_folder(arguments.cache_dir))


if __name__ == "__main__":
    sys.exit(main())
