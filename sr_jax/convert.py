"""Converts weights of other implementations: `python -m sr_jax.convert SOURCE --model fsrcnn --scale 2 --out w.safetensors`.

And back, with `--to torch`. This file is the command line; `conversion/` has what it does.
"""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sr_jax import config as configs
from sr_jax.cli import options as cli
from sr_jax.errors import InputError, exit_status

DESCRIPTION = """Converts weights of other implementations to a .safetensors file and its card, which all commands take.
A file whose tensors are not exactly those of the network is refused, and nothing is written. The command never runs code
that a file holds."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """A state dict in a .pth, .pt, .pth.tar or .ckpt file (this needs PyTorch: pip install -e '.[torch]'), a .safetensors or an
    .npz file, alone or as checkpoints wrap it. With --to torch: our .safetensors file with its card, or a work directory."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """What is written: a .safetensors file and its card; of what is there already, only an earlier conversion is replaced. With
    --to torch a .pth file (this needs PyTorch), or a .safetensors file without a card, for safetensors.torch.load_file, or an
    .npz file."""
    network: configs.NetworkConfig
    """Sizes in which the network differs from the published one that --model names."""
    model: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Whose weights they are, such as fsrcnn or edsr-baseline: one of those of `python -m sr_jax.models list`. Its sizes
    are listed by --help after it. Not needed with --to torch."""
    scale: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Super-resolution factor they are for. Not needed with --to torch."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Whose names the tensors have, such as yjn870/FSRCNN-pytorch. By default the layout that fits; with --to torch the first
    of the network."""
    to: Literal["sr_jax", "torch"] = "sr_jax"
    """The direction: to this project's weights, or to those of another implementation."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 converted, 2 bad input; then nothing is written."""
    return exit_status(lambda: _convert(argv))


def _convert(argv: Sequence[str] | None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    arguments = tyro.cli(
        functools.partial(Arguments, network=_published(argv)),
        prog="python -m sr_jax.convert",
        description=DESCRIPTION,
        args=argv,
        use_underscores=True,
        config=(tyro.conf.FlagConversionOff, tyro.conf.AvoidSubcommands),
        registry=cli.REGISTRY,
    )
    source, out, model, scale = arguments.source.expanduser(), arguments.out.expanduser(), arguments.model, arguments.scale
    if arguments.to == "sr_jax" and (model is None or scale is None):
        raise InputError("give --model and --scale, for example --model fsrcnn --scale 2: no file says for sure what it is of")
    if model is None and any(word.startswith("--network.") for word in argv or sys.argv[1:]):
        raise InputError("--network.* are sizes of the network that --model names: give --model too, or leave them out")
    if arguments.to == "torch" and not source.exists():
        bicubic = "; bicubic interpolation has no weights" if str(source) == "bicubic" else ""
        raise InputError(f"{source}: no such work directory or weights file{bicubic}")
    from sr_jax.runs import convert as commands  # slow to import: --help and wrong options are answered without it

    if arguments.to == "sr_jax" and scale is not None:
        commands.to_ours(source, network=arguments.network, scale=scale, layout=arguments.layout, out=out)
    else:
        network = arguments.network if model else None
        commands.to_torch(source, network=network, scale=scale, layout=arguments.layout, out=out)


def _published(argv: Sequence[str]) -> configs.NetworkConfig:
    """The network that `--model` names, whose keys can then be overridden."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS)
    finder.add_argument("--model", default="fsrcnn")
    name = finder.parse_known_args(argv)[0].model
    if name not in configs.NETWORKS:
        raise InputError(f"--model {name}: {configs.no_such('network', name, list(configs.NETWORKS))}")
    return configs.NETWORKS[name]


if __name__ == "__main__":
    sys.exit(main())
