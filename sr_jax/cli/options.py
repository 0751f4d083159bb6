"""Command lines: `--config FILE`, typed overrides `--config.key=value`, and a few options of the machine."""

import argparse
import dataclasses
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import tyro
import tyro.constructors

from sr_jax import config as configs
from sr_jax.errors import InputError
from sr_jax.system.places import cache_folder


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    config_file: Annotated[Path | None, tyro.conf.arg(name="config", metavar="FILE")]
    """Config file: configs/x2.py, or the config.json of a work directory. Without it the defaults below."""
    config: configs.Config
    workdir: Path | None = None
    """Where everything is written, and resumed from. By default runs/ and the name of the config file, or the folder of a
    config.json."""
    cache_dir: Path | None = None
    """Compiled programs and prepared images. By default sr_jax in the user's cache folder."""

    @property
    def directory(self) -> Path:
        """The work directory."""
        if self.workdir:
            return self.workdir.expanduser()
        if self.config_file and self.config_file.name == "config.json":  # that of a work directory
            return self.config_file.parent
        return Path("runs") / (self.config_file.stem if self.config_file else "default")

    @property
    def cache(self) -> Path:
        """The cache folder."""
        return cache_folder(self.cache_dir)


@dataclasses.dataclass(frozen=True)
class PreviewArguments:
    """What the command line of the preview says."""

    config_file: Annotated[Path | None, tyro.conf.arg(name="config", metavar="FILE")]
    """Config file: configs/x2.py, or the config.json of a work directory. Without it the defaults below."""
    config: configs.Config
    out: Path = Path("preview.png")
    """The contact sheet, a PNG file."""
    count: Annotated[int, tyro.conf.arg(metavar="INT")] = 8
    """Pairs on the sheet; no more than data.batch."""
    step: Annotated[int, tyro.conf.arg(metavar="INT")] = 0
    """The training step whose batch is shown."""
    cache_dir: Path | None = None
    """Compiled programs and prepared images. By default sr_jax in the user's cache folder."""

    @property
    def cache(self) -> Path:
        """The cache folder."""
        return cache_folder(self.cache_dir)


NETWORK_KEY = "--config.model.name"

T = TypeVar("T", Arguments, PreviewArguments)


def parse(argv: Sequence[str] | None = None, *, prog: str, description: str, into: type[T] = Arguments) -> T:
    """Reads the command line; the keys of the config file are the defaults of the overrides.

    A value of the wrong type ends the program with status 2 and a message.

    Raises:
      InputError: if the config file is missing or wrong, or a key is unknown; it names the nearest right one.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    finder = argparse.ArgumentParser(prog=prog, add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS)
    finder.add_argument("--config", type=Path)
    path = finder.parse_known_args(argv)[0].config
    base = _with_network(configs.load(path) if path else configs.Config(), argv, prog)
    _check_keys(argv, list(configs.flat(base)))
    return tyro.cli(
        into,
        prog=prog,
        description=f"{description} {NETWORK_KEY}=NAME chooses a network; with --help after it, its keys are listed.",
        args=argv,
        default=into(path, base),
        use_underscores=True,
        config=(tyro.conf.FlagConversionOff, tyro.conf.AvoidSubcommands),
        registry=REGISTRY,
    )


def _with_network(base: configs.Config, argv: list[str], prog: str) -> configs.Config:
    """`--config.model.name NAME` exchanges the network for a published one, whose keys can then be overridden; it is taken out
    of `argv`."""
    finder = argparse.ArgumentParser(prog=prog, add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS)
    finder.add_argument(NETWORK_KEY, metavar="NAME")
    found, argv[:] = finder.parse_known_args(argv)
    name = getattr(found, NETWORK_KEY.removeprefix("--"))
    if name is None:
        return base
    if name in configs.NETWORK_GROUPS and name not in configs.NETWORKS:
        return dataclasses.replace(base, model=configs.NETWORK_GROUPS[name]())
    if name not in configs.NETWORKS:
        raise InputError(f"{NETWORK_KEY} {name}: {configs.no_such('network', name, list(configs.NETWORKS))}")
    return dataclasses.replace(base, model=configs.NETWORKS[name])


_DEGRADATION: Any = get_args(configs.Degradation)[0]
REGISTRY = tyro.constructors.ConstructorRegistry()
"""How the keys of a config that tyro cannot read alone are read and shown."""


@REGISTRY.primitive_rule
def _degradation(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """On the command line a degradation has a name; stages of one's own stand in a config file."""
    if info.type != _DEGRADATION:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(configs.PRESETS) + "}",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, str | tuple),
        str_from_instance=_spelled,
        choices=tuple(configs.PRESETS),
    )


@REGISTRY.primitive_rule
def _network_name(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """The help shows all names of networks, though the keys are those of one, which is chosen before they are read."""
    groups = [name for name in configs.NETWORK_GROUPS if info.type == Literal[name]]
    if not groups:
        return None

    def chosen(words: list[str]) -> str:
        if words != groups:
            raise ValueError("the network is chosen with --model NAME alone; these are its keys")
        return words[0]

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(configs.NETWORKS) + "}",
        instance_from_str=chosen,
        is_instance=lambda value: value in groups,
        str_from_instance=lambda name: [name],
    )


def _spelled(degradation: Any) -> list[str]:
    return [degradation if isinstance(degradation, str) else ",".join(stage.name for stage in degradation)]


def _check_keys(argv: Sequence[str], keys: list[str]) -> None:
    for argument in argv:
        key = argument.partition("=")[0].removeprefix("--config.")
        if not argument.startswith("--config.") or key in keys:
            continue
        if key == "model":
            raise InputError(f"--config.model: is a group of keys; a network is chosen with {NETWORK_KEY}=NAME")
        same_name = [k for k in keys if k.rpartition(".")[2] == key.rpartition(".")[2]]
        near = same_name or difflib.get_close_matches(key, keys, n=1, cutoff=0.4)
        hint = f"did you mean --config.{near[0]}?" if near else "--help lists all keys"
        raise InputError(f"--config.{key}: no such key; {hint}")
