"""How a group of keys becomes a network that configs, command lines and tables know; `networks.py` has the groups."""

import dataclasses
import functools
import operator
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, dataclass_transform, runtime_checkable

from pydantic import Field
from pydantic_core import core_schema

from sr_jax.config.groups import Kind, group
from sr_jax.config.names import nearest

T = TypeVar("T")

NETWORK_GROUPS: dict[str, Any] = {}
"""The groups by the name of their network: `{"fsrcnn": FSRCNNConfig, ...}`."""

NETWORKS: dict[str, Any] = {}
"""The networks in their named sizes, by the names that tables and command lines use."""


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
    return made


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
        _RefusesNames(),
        Kind("network", "FSRCNNConfig(d=56)"),
    ]


def title(network_config: Any) -> str:
    """The name of a published network; for other sizes the name of the group and the keys that differ from its defaults."""
    for name, published in NETWORKS.items():
        if published == network_config:
            return name
    values, defaults = dataclasses.asdict(network_config), dataclasses.asdict(type(network_config)())
    return f"{network_config.name}({', '.join(f'{key}={values[key]}' for key in values if values[key] != defaults[key])})"


class _RefusesNames:
    """Annotates the union, so that a config file in Python that gives only a name is told how to write the network."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        union = handler(source)
        checked = core_schema.no_info_before_validator_function(_refuse_name, union)
        return core_schema.json_or_python_schema(json_schema=union, python_schema=checked)


def _refuse_name(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    near = nearest(value, list(NETWORKS))
    if near is None:
        hint = f"write model=NETWORKS[NAME], where NAME is one of {', '.join(NETWORKS)}"
    else:
        kind = type(NETWORKS[near])
        spelling = f'model=NETWORKS["{near}"]' + (f" or {kind.__name__}()" if NETWORKS[near] == kind() else "")
        hint = f"write {spelling}" if near == value else f"did you mean {spelling}?"
    raise ValueError(f"this is a name, not a network; {hint}")
