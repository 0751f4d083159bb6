"""Frozen groups of keys that say in one line what is wrong with a value."""

import dataclasses
import functools
import json
import os
import types
from typing import Annotated, Any, NamedTuple, TypeVar, Union, dataclass_transform, get_args, get_origin

import pydantic.dataclasses
from pydantic import AfterValidator, BeforeValidator, Field, Tag, TypeAdapter, ValidationError

from sr_jax.config.names import no_such
from sr_jax.config.synonyms import find_key
from sr_jax.errors import InputError

T = TypeVar("T")


class Kind(NamedTuple):
    """Annotates a union of groups, so that messages can name what is wanted."""

    noun: str
    """What a member of the union is called."""
    example: str
    """How a config file writes one."""


def _as_tuple(value: Any) -> Any:
    """One name as a tuple of one, and a list, such as JSON has, as a tuple."""
    match value:
        case str():
            return (value,)
        case list():
            return tuple(value)
        case _:
            return value


def _check_name(value: str) -> str:
    if not value:
        raise ValueError("an empty name")
    if not value.isprintable():
        raise ValueError("it has a line break or another character that cannot be printed")
    if any(len(os.fsencode(part)) > MOST_BYTES for part in value.split("/")):
        raise ValueError(f"it is too long; the names of files have at most {MOST_BYTES} bytes")
    return value


Name = Annotated[str, AfterValidator(_check_name)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(gt=0, lt=2**31)]
"""Steps and other things that compiled programs count in 32 bits."""
Positive = Annotated[float, Field(gt=0, le=1e38, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e38, allow_inf_nan=False)]

MOST_BYTES = 255
"""File systems take no longer names."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def group(cls: type[T]) -> type[T]:
    """Makes a frozen dataclass that checks types and ranges of its keys.

    Creating one raises an `InputError` that says in one line what is wrong.
    """
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


def read_group(kind: type[T], values: dict[str, Any]) -> T:
    """Returns a group with values that come from JSON, where tuples are lists.

    Raises:
      InputError: if they are not valid.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as error:
        raise InputError(explain(error, kind)) from error


def explain(error: ValidationError, root: type) -> str:
    """Returns a pydantic error as one line that says for each wrong key what would be right.

    If items of a tuple are wrong, pydantic also reports the tuple as too short; only the items are reported here.
    """
    details = error.errors()
    parents = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    return "; ".join(_explain_one(detail, _locate(detail["loc"], root)) for detail in details if detail["loc"] not in parents)


def members(annotation: Any) -> dict[str, Any]:
    """Returns the members of a tagged union by their tags, or nothing if the annotation is not such a union.

    A group's tag is the default of its key `name`; other members carry a pydantic `Tag`.
    """
    union, _ = _split(annotation)
    if get_origin(union) not in (Union, types.UnionType):
        return {}
    found = {}
    for member in get_args(union):
        plain, metadata = _split(member)
        tags = [extra.tag for extra in metadata if isinstance(extra, Tag)]
        if dataclasses.is_dataclass(plain) and "name" in (keys := _annotations(plain)):
            tags = get_args(keys["name"])
        found |= dict.fromkeys(tags, member)
    return found


class _Place(NamedTuple):
    """Where in a config pydantic found an error."""

    path: str
    """The key, with dots and indices: data.degradation[0].sigma."""
    owner: type
    """The group that has the key, or lacks it."""
    annotation: Any
    """The type of the key's value; None if the group has no such key."""


def _locate(loc: tuple[int | str, ...], root: type) -> _Place:
    path, owner, annotation = "", root, root
    for part in loc:
        if isinstance(part, int):
            path, annotation = f"{path}[{part}]", _item(annotation, part)
        elif part in (choices := members(annotation)):
            annotation = choices[part]  # pydantic reports which member of a union was tried
        else:
            owner = _split(annotation)[0]
            path, annotation = f"{path}.{part}" if path else part, _annotations(owner).get(part)
    return _Place(path, owner, annotation)


def _explain_one(detail: Any, place: _Place) -> str:
    path, owner, annotation = place
    kind = next((extra for extra in _split(annotation)[1] if isinstance(extra, Kind)), None)
    match detail["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{owner.__name__} has no key {path!r}; {_hint(path, owner)}"
        case "missing":
            return f"{owner.__name__} needs {path!r}"
        case "union_tag_invalid" if kind:
            return f"{path}: {no_such(kind.noun, detail['ctx']['tag'], list(members(annotation)))}"
        case "union_tag_not_found" | "dataclass_type" | "model_attributes_type" if kind:
            return f"{path}={detail['input']!r} is not a {kind.noun}, such as {kind.example}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}={detail['input']!r}: {message[0].lower()}{message[1:]}" if path else message


def _hint(path: str, owner: type) -> str:
    """What to write in place of a key that a group does not have."""
    keys, groups = _nested_keys(owner), _groups(owner)
    key, note = find_key(path, keys)
    if not key:
        return note or f"it has {', '.join(_annotations(owner))}"
    outer, _, inner = key.partition(".")
    if outer in groups:
        key = f"{outer}={groups[outer].__name__}({inner}=...)"
    elif key in keys:
        key = repr(key)
    return f"did you mean {key}?{f' {note[0].upper()}{note[1:]}' if note else ''}"


def _split(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type and the metadata that `Annotated` adds to it."""
    return (annotation.__origin__, annotation.__metadata__) if get_origin(annotation) is Annotated else (annotation, ())


def _item(annotation: Any, index: int) -> Any:
    """The type of an item of a tuple."""
    items = get_args(_split(annotation)[0])
    return items[0] if items[1:] == (...,) else items[index]


def _annotations(group: Any) -> dict[str, Any]:
    return {field.name: field.type for field in dataclasses.fields(group)}


def _groups(owner: Any) -> dict[str, type]:
    """The keys of a group that are groups themselves."""
    return {key: kind for key, kind in _annotations(owner).items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)}


def _nested_keys(owner: Any) -> list[str]:
    """All keys of a group and, with dots, those of the groups in it."""
    nested = [f"{key}.{inner}" for key, kind in _groups(owner).items() for inner in _nested_keys(kind)]
    return [key for key in _annotations(owner) if key not in _groups(owner)] + nested
