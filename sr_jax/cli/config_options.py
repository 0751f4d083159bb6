"""`--config FILE` and `--config.KEY=VALUE`: the config of a command line."""

import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from sr_jax import config as configs
from sr_jax.cli.parsing import parse, take
from sr_jax.cli.values import check_values, shorten
from sr_jax.config import OwnLoss, workdir
from sr_jax.config.losses import LOSSES, Loss, own_losses, short_name
from sr_jax.config.network_registry import NETWORK_NAMES
from sr_jax.errors import InputError, option
from sr_jax.system.paths import AnyPath, to_path

NETWORK_KEY = "--config.model.name"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """The options of a command that reads a config: its file, and `--config.KEY=VALUE` for each of its keys."""

    config_file: Annotated[AnyPath | None, tyro.conf.arg(name="config", metavar="FILE", help_behavior_hint="")]
    """Config file: a Python file such as configs/x2.py, or a work directory, whose config is used.
    Without it, the defaults below are used."""
    config: configs.Config


T = TypeVar("T", bound=ConfigOptions)


def parse_with_config(into: type[T], argv: Sequence[str] | None, *, prog: str, description: str) -> T:
    """Reads a command line with a config. The keys of the config file are the defaults of `--config.KEY`.

    Raises:
      InputError: if the config file is missing or wrong, a key is unknown, or a value is of the wrong type or out of range.
    """
    argv = sys.argv[1:] if argv is None else argv
    given, _ = take(argv, "--config")
    name, argv = take(argv, NETWORK_KEY)  # the network decides which keys there are
    file = _find_file(given) if given else None
    base = _load(file) if file else configs.Config()
    if name is not None:
        networks = {base.model.name: type(base.model)()} | _default_networks() | configs.NETWORKS  # the first may be one's own
        base = dataclasses.replace(base, model=find_network(name, NETWORK_KEY, networks))
    options = parse(
        into,
        argv,
        prog=prog,
        description=f"{description} {NETWORK_KEY}=NAME chooses a network, and --help after it lists its keys.",
        defaults={"config_file": file, "config": base},
        registry=_make_registry(base),
    )
    return dataclasses.replace(options, config_file=file)


def _find_file(given: str) -> AnyPath:
    """The config file that `--config` names. A work directory stands for its config.json.

    Raises:
      InputError: if it is another folder, or cannot be the name of a file.
    """
    check_values(["--config", given], {})
    with option("--config"):
        path = to_path(given)
    if not path.is_dir():
        return path
    if not (path / workdir.CONFIG).is_file():
        raise InputError(f"--config {path}: this folder holds no {workdir.CONFIG}, so it is not a work directory; give a file")
    return path / workdir.CONFIG


def _load(file: AnyPath) -> configs.Config:
    try:
        return configs.load(file)
    except InputError as error:
        raise InputError(f"--config {error}") from error


def find_network(name: str, flag: str, networks: dict[str, Any]) -> Any:
    """Returns the sizes of a network by its name.

    Raises:
      InputError: if there is no such network; it names the flag and the nearest network.
    """
    if name not in networks:
        raise InputError(f"{flag}={shorten(name)}: {configs.no_such('network', shorten(name), list(configs.NETWORKS))}")
    return networks[name]


def find_network_or_file(name: str, flag: str) -> Any:
    """Returns the sizes of a published network, or the network of a config file or a work directory.

    Raises:
      InputError: if there is no such network or file, or the file is wrong; it names the flag and the nearest network.
    """
    if name not in configs.NETWORKS and (name.endswith((".py", ".json")) or Path(name).is_dir()):
        with option(flag):
            return configs.load(_find_file(name)).model
    return find_network(name, flag, configs.NETWORKS)


def _default_networks() -> dict[str, Any]:
    """Each class of networks with its default sizes, by the name that `config.model.name` has."""
    return {name: group() for name, group in configs.NETWORK_GROUPS.items()}


def _make_registry(base: configs.Config) -> ConstructorRegistry:
    """Says how tyro reads and shows the keys whose types it does not know.

    Args:
      base: the config of the file. Its losses that are one's own can be named on the command line, too.
    """
    registry = ConstructorRegistry()
    registry.primitive_rule(_read_degradation)
    registry.primitive_rule(_read_network_name)
    registry.primitive_rule(functools.partial(_read_loss, own_losses(base.loss)))
    return registry


_DEGRADATION: Any = get_args(configs.Degradation)[0]
_LOSS: Any = get_args(Loss)[0]


def _read_degradation(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """A degradation has a name on the command line. A list of stages can only be written in a config file."""
    if info.type != _DEGRADATION:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(configs.PRESETS) + "}",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, str | tuple),
        str_from_instance=_spell,
        choices=tuple(configs.PRESETS),
    )


def _spell(degradation: Any) -> list[str]:
    return [degradation if isinstance(degradation, str) else ",".join(stage.name for stage in degradation)]


def _read_network_name(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """The help shows the names of all networks, although the keys below it are those of the chosen one."""
    if not is_network_name(info.type):
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(configs.NETWORKS) + "}",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, str),
        str_from_instance=lambda name: [name],
    )


def _read_loss(own: Sequence[OwnLoss], info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """A loss is a name, or several names, each after its weight."""
    if info.type != _LOSS:
        return None
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="{" + ",".join(LOSSES) + "}|[WEIGHT NAME WEIGHT NAME ...]",
        instance_from_str=functools.partial(_loss_of_words, own),
        is_instance=lambda value: isinstance(value, str | tuple),
        str_from_instance=lambda loss: [loss] if isinstance(loss, str) else [f"{word}" for pair in loss for word in pair],
    )


def _loss_of_words(own: Sequence[OwnLoss], words: Sequence[str]) -> Any:
    """The value of `Config.loss`. The config checks it."""
    known = {name: loss for loss in own for name in (str(loss), short_name(loss))}
    if len(words) == 1:
        return known.get(words[0], words[0])
    if len(words) % 2:
        raise ValueError(f"{' '.join(words)} is not a list of pairs; write for example 1.0 l1 0.1 fft")
    try:
        weights = [float(word) for word in words[::2]]
    except ValueError:
        raise ValueError(f"{' '.join(words)} lacks a weight before a loss; write for example 1.0 l1 0.1 fft") from None
    return tuple((weight, known.get(name, name)) for weight, name in zip(weights, words[1::2], strict=True))


def is_network_name(annotation: Any) -> bool:
    """Whether a type is that of the key `name` of a network."""
    return any(annotation == Literal[name] for name in NETWORK_NAMES)
