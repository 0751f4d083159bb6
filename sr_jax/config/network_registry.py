"""How a group of keys becomes a network that configs, command lines and tables know; `networks.py` has the groups."""

import dataclasses
import functools
import inspect
import operator
from collections.abc import Callable
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeVar,
    dataclass_transform,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from pydantic import Field
from pydantic_core import core_schema

from sr_jax.config import own_code
from sr_jax.config.groups import Kind, group
from sr_jax.config.names import nearest
from sr_jax.config.own_code import Source
from sr_jax.errors import InputError

T = TypeVar("T")

NETWORK_GROUPS: dict[str, Any] = {}
"""The groups by the name of their network: `{"fsrcnn": FSRCNNConfig, ...}`."""

NETWORKS: dict[str, Any] = {}
"""The networks in their named sizes, by the names that tables and command lines use."""

NETWORK_NAMES: set[str] = set()
"""The names of all groups, also of those that are the user's own."""


@runtime_checkable
class NetworkGroup(Protocol):
    """Any of the groups, for type checkers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def network(cls: type[T]) -> type[T]:
    """Makes a group and registers it. Its default sizes have its own name."""
    made: Any = group(cls)
    defaults = made()
    NETWORK_GROUPS[defaults.name] = made
    NETWORKS[defaults.name] = defaults
    NETWORK_NAMES.add(defaults.name)
    return made


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def keys_of(module: type) -> Callable[[type[T]], type[T]]:
    """Makes the group of keys of a network of one's own, which a config file can use as `Config(model=...)`.

    Args:
      module: the network, an `nnx.Module` with an attribute `about`. It is made with `scale`, the keys of the group, and `rngs`
        as keywords.

    Raises:
      InputError: if the group lacks a name or a default, or its keys are not the options of the network.
    """
    if not all(hasattr(getattr(module, "about", None), fact) for fact in ("name", "channels", "scales")):
        raise InputError(
            f"keys_of({getattr(module, '__name__', module)}): give the class of a network, which has an attribute "
            "`about = About(name=..., channels=..., scales=...)`"
        )

    def decorate(cls: type[T]) -> type[T]:
        cls.__annotations__ = get_type_hints(cls, include_extras=True)  # pydantic could not find some that are strings
        _check_own(cls, module)
        made: Any = group(cls)
        made.__module_class__, made.__source__ = module, own_code.source_of(cls.__module__)
        if made.__source__:
            own_code.keep_findable(made, made.__source__)
        defaults = {field.name: getattr(made(), field.name) for field in dataclasses.fields(made)}
        NETWORK_NAMES.add(made(**defaults).name)  # pydantic checks only values that are given
        return made

    return decorate


def own_module(network_config: Any) -> type | None:
    """Returns the class of a network of one's own; None for a network of the package."""
    return getattr(type(network_config), "__module_class__", None)


def own_source(network_config: Any) -> Source | None:
    """Returns where a network of one's own is defined, if that is a file that a config file imports."""
    return getattr(type(network_config), "__source__", None)


def _check_own(cls: type, module: type) -> None:
    keys, name = cls.__annotations__, getattr(cls, "name", None)
    if get_origin(keys.get("name")) is not Literal or keys["name"] != Literal[name]:
        raise InputError(f'{cls.__name__} needs a name, which tells it from other networks: name: Literal["my-net"] = "my-net"')
    if name in NETWORK_GROUPS:
        raise InputError(f"{cls.__name__}: there is a network {name!r} already; give yours another name")
    if bare := [key for key in keys if not hasattr(cls, key)]:
        raise InputError(f"{cls.__name__}: the keys {', '.join(bare)} have no defaults; give them some")
    options = inspect.signature(module).parameters
    if any(option.kind is option.VAR_KEYWORD for option in options.values()):
        return
    wanted = ["scale", *(key for key in keys if key != "name"), "rngs"]
    if set(options) != set(wanted):
        raise InputError(
            f"{module.__name__}.__init__ takes {', '.join(options)}, but with the keys of {cls.__name__} it is called with "
            f"{', '.join(wanted)}; make them the same"
        )


def publish(sizes: dict[str, NetworkGroup]) -> None:
    """Names several sizes of one group, in this order. They replace the entry of its default sizes."""
    for name in {size.name for size in sizes.values()}:
        del NETWORKS[name]
    NETWORKS.update(sizes)


def tagged_union() -> Any:
    """The type of `Config.model`: any of the groups registered so far, told apart by their key `name`."""
    return Annotated[
        functools.reduce(operator.or_, NETWORK_GROUPS.values()),
        Field(discriminator="name"),
        _TakesOwn(),
        Kind("network", "FSRCNNConfig(d=56)"),
    ]


def title(network_config: Any) -> str:
    """The name of a published network; for other sizes the name of the group and the keys that differ from its defaults."""
    for name, published in NETWORKS.items():
        if published == network_config:
            return name
    values, defaults = dataclasses.asdict(network_config), dataclasses.asdict(type(network_config)())
    return f"{network_config.name}({', '.join(f'{key}={values[key]}' for key in values if values[key] != defaults[key])})"


class _TakesOwn:
    """Annotates the union, so that a config file in Python may also give a network of its own.

    A file that gives only a name is told how to write the network.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        union = handler(source)
        checked = core_schema.no_info_wrap_validator_function(_accept_own_and_refuse_names, union)
        return core_schema.json_or_python_schema(json_schema=union, python_schema=checked)


def _accept_own_and_refuse_names(value: Any, handler: Callable[[Any], Any]) -> Any:
    if own_module(value):
        return value
    if not isinstance(value, str) or not value:
        return handler(value)
    near = nearest(value, list(NETWORKS))
    if near is None:
        hint = f"write model=NETWORKS[NAME], where NAME is one of {', '.join(NETWORKS)}"
    else:
        kind = type(NETWORKS[near])
        spelling = f'model=NETWORKS["{near}"]' + (f" or {kind.__name__}()" if NETWORKS[near] == kind() else "")
        hint = f"write {spelling}" if near == value else f"did you mean {spelling}?"
    raise ValueError(f"this is a name, not a network; {hint}")
