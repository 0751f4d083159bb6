"""Frozen groups of keys, which say in one line what is wrong with a value."""

import dataclasses
import difflib
import functools
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, dataclass_transform

import pydantic.dataclasses
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from sr_jax.errors import InputError

T = TypeVar("T")

STAGES: dict[str, Any] = {}
"""The groups of which a list of stages may hold any, by the name that tells them apart: degradations.py."""

NETWORK_GROUPS: dict[str, Any] = {}
"""The groups of which a model may be any, by their names: networks.py."""

PUBLISHED: dict[str, Any] = {}
"""The networks that have names of their own, by these: networks.py."""


def _listed(value: Any) -> Any:
    """One name as a list of one; None, as older files have it, as an empty list."""
    return (value,) if isinstance(value, str) else tuple(value or ()) if isinstance(value, list | None) else value


def _named(value: str) -> str:
    if not value:
        raise ValueError("an empty name")
    return value


Name = Annotated[str, AfterValidator(_named)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def group(cls: type[T]) -> type[T]:
    """A frozen dataclass that checks types and ranges when it is made, and says in one line what is wrong."""
    made = pydantic.dataclasses.dataclass(cls, frozen=True, kw_only=True, config={"strict": True, "extra": "forbid"})
    checked_init = made.__init__

    @functools.wraps(checked_init)
    def __init__(self: Any, **values: Any) -> None:
        try:
            checked_init(self, **values)
        except ValidationError as error:
            raise InputError(explain(error, made)) from None

    made.__init__ = __init__
    return made  # pyright: ignore[reportReturnType]


def explain(error: ValidationError, group: type) -> str:
    """A pydantic error as one line: for each wrong key what would be right.

    A tuple is also said to be too short when its items are wrong; then only these count.
    """
    details = error.errors()
    around = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    return "; ".join(_explain_one(detail, group) for detail in details if detail["loc"] not in around)


def _explain_one(detail: Any, group: Any) -> str:
    path, owner = "", group
    for part in detail["loc"]:
        owner, fields = group, {field.name: field.type for field in dataclasses.fields(group)}
        if isinstance(part, int):
            path += f"[{part}]"
        elif part in STAGES | NETWORK_GROUPS and part not in fields:  # which member of a union
            group = (STAGES | NETWORK_GROUPS)[part]
        elif part not in ("preset", "stages"):  # which kind of degradation
            path += f".{part}" if path else part
            group = fields[part] if dataclasses.is_dataclass(fields.get(part)) else group
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            names = [field.name for field in dataclasses.fields(owner)]
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
            return f"{owner.__name__} has no key {path!r}; {hint}"
        case "missing":
            return f"{owner.__name__} needs {path!r}"
        case "union_tag_invalid":
            kind, members = ("network", NETWORK_GROUPS) if path == "model" else ("stage", STAGES)
            return f"{path}: {no_such(kind, detail['ctx']['tag'], list(members))}"
        case "model_attributes_type" if path == "model" and isinstance(detail["input"], str) and detail["input"]:
            return f"{path}={detail['input']!r} is a name, not a network; {_written(detail['input'])}"
        case "union_tag_not_found" | "dataclass_type" | "model_attributes_type" if path == "model":
            return f"{path}={detail['input']!r} is no network, such as FSRCNNConfig(d=56)"
        case "union_tag_not_found":
            return f"{path}={detail['input']!r} is no stage of a degradation, such as Jpeg(quality=(30, 95))"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}={detail['input']!r}: {message[0].lower()}{message[1:]}" if path else message


def _written(name: str) -> str:
    """How a network is written in a config file that gives only its name."""
    near = nearest(name, list(PUBLISHED))
    if near is None:
        return f"write model=NETWORKS[NAME], where there are {', '.join(PUBLISHED)}"
    group = type(PUBLISHED[near])
    made = f" or {group.__name__}()" if PUBLISHED[near] == group() else ""
    wanted = "write" if name == near else "did you mean"
    return f'{wanted} model=NETWORKS["{near}"]{made}{"" if name == near else "?"}'


def nearest(name: str, names: Sequence[str], *, cutoff: float = 0.3) -> str | None:
    """The known name that is most like an unknown one, whatever the case of either; None: none is like it."""
    wanted, folded = name.lower(), {known.lower(): known for known in names}
    misspelt, alike = (difflib.get_close_matches(wanted, folded, n=1, cutoff=least) for least in (max(0.8, cutoff), cutoff))
    near = misspelt or [known for known in folded if wanted.startswith(known)] or alike  # edsr, of edsr-baseline
    return folded[near[0]] if near else None


def no_such(kind: str, name: str, names: list[str]) -> str:
    """What to say of an unknown name."""
    near = nearest(name, names)
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"
    return f"there is no {kind} {name!r}; {hint}"
