"""Converts weights of other implementations: `python -m sr_jax.convert SOURCE --network fsrcnn --scale 2 --out w.safetensors`.

With `--to torch` it converts the other way. This file reads the command line; `runs/convert.py` converts.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveTypeInfo, UnsupportedTypeAnnotationError

from sr_jax.cli.config_options import find_network_or_file, is_network_name
from sr_jax.cli.parsing import parse, take
from sr_jax.config import NETWORKS
from sr_jax.errors import InputError, exit_status

SUMMARY = "Convert weights from, or to, other implementations."
DESCRIPTION = f"""{SUMMARY} Without --to torch, the result is a .safetensors file with a card, which all commands read.
Every tensor must fit the network exactly; otherwise nothing is written. No code in a file is ever run.
--help after --network NAME lists the network's sizes."""
NETWORK_NAMES = "{" + ",".join(NETWORKS) + "}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The options of this command."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Weights in a .safetensors, .npz, .pth, .pt, .pth.tar or .ckpt file: a state dict, a checkpoint or a whole pickled
    module; or in a .mat file of MatConvNet. With --to torch: a model of this project, named as for `upscale`."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """File to write: .safetensors, with a card beside it. Only an earlier conversion is replaced.
    With --to torch: .safetensors without a card, .npz, or .pth (this needs PyTorch)."""
    network_name: Annotated[str | None, tyro.conf.arg(name="network", metavar=NETWORK_NAMES, help_behavior_hint="")] = None
    """Network that the weights belong to; `python -m sr_jax.networks` describes them. Not needed with --to torch.
    A config file or a work directory stands for its network, which may be one of your own."""
    network: Any  # a group of keys; tyro takes the type of the value, which may be one's own
    """Sizes in which the network differs from the published one that --network names."""
    scale: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    """Super-resolution factor of the weights. Not needed with --to torch."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Implementation whose names the tensors have, such as yjn870/FSRCNN-pytorch.
    By default the one that fits; with --to torch the first one that is known of the network."""
    to: Literal["sr_jax", "torch"] = "sr_jax"
    """Direction: to this project, or to another implementation."""


REGISTRY = ConstructorRegistry()


@REGISTRY.primitive_rule
def _hide_network_name(info: PrimitiveTypeInfo) -> UnsupportedTypeAnnotationError | None:
    """Hides the key `name` of the sizes, because --network chooses the network: tyro shows no key that it cannot read."""
    return UnsupportedTypeAnnotationError(()) if is_network_name(info.type) else None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 converted, 2 bad input, in which case nothing is written, 130 interrupted."""
    return exit_status(lambda: _convert(argv))


def _convert(argv: Sequence[str] | None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    name, _ = take(argv, "--network")
    arguments = parse(
        Arguments,
        argv,
        prog="python -m sr_jax.convert",
        description=DESCRIPTION,
        defaults={"network": find_network_or_file(name or "fsrcnn", "--network")},
        renamed={"--model": "--network", "--network.name": "--network"},
        registry=REGISTRY,
    )
    source, out, scale = arguments.source, arguments.out.expanduser(), arguments.scale
    if arguments.to == "sr_jax" and (name is None or scale is None):
        raise InputError("give --network and --scale, for example --network fsrcnn --scale 2: the file does not tell them")
    if name is None and any(word.startswith("--network.") for word in argv):
        raise InputError("--network.* are sizes of the network that --network names: give --network too, or leave them out")
    from sr_jax.runs import convert  # slow to import, so --help and wrong options are answered first

    if arguments.to == "sr_jax" and scale is not None:
        convert.to_ours(
            Path(source).expanduser(), network_config=arguments.network, scale=scale, layout=arguments.layout, out=out
        )
    else:
        sizes = arguments.network if name else None
        convert.to_torch(source, network_config=sizes, scale=scale, layout=arguments.layout, out=out)


if __name__ == "__main__":
    sys.exit(main())
