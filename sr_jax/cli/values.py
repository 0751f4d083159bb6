"""Checks the words of a command line by the types of their options, so that a wrong one is named in plain words."""

import dataclasses
import os
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from sr_jax.errors import InputError

MOST_SHOWN = 60
"""Longer values are shortened in messages."""
MOST_BYTES = 255
"""File systems take no longer names."""


def types_of(into: Any, groups: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Returns the type of every flag, without the dashes.

    Args:
      into: the dataclass that declares the options.
      groups: the values of those fields that are groups of keys.
      renamed: the flags of fields whose flags have other names.
    """
    found = {}
    for name, kind in get_type_hints(into).items():
        found |= _types_in(groups[name], name) if name in groups else {renamed.get(name, name): kind}
    return found


def check_values(argv: Sequence[str], kinds: Mapping[str, Any]) -> None:
    """Checks the words that follow each flag. A word that is not among the choices of its option is not checked here.

    Raises:
      InputError: if a value is missing, has the wrong type, or cannot be part of the name of a file.
    """
    for flag, words in _values(argv):
        kind = kinds.get(flag)
        if (not words and not _is_list(kind) and kind is not bool) or "" in words:  # tyro knows which booleans have no value
            raise InputError(f"--{flag}: give a value" if flag else "an argument is empty; give a value, or leave it out")
        words = words if get_origin(kind) is tuple or not flag else words[:1]
        shown = (f"--{flag}=" if flag else "") + shorten(" ".join(words))
        if not all(word.isprintable() for word in words):
            raise InputError(f"{shown}: it has a line break or another character that cannot be printed")
        if any(len(os.fsencode(part)) > MOST_BYTES for word in words for part in Path(word).parts):
            raise InputError(f"{shown}: it is too long; the names of files have at most {MOST_BYTES} bytes")
        if expected := _expected(kind, words):
            raise InputError(f"{shown}: give {expected}")


def shorten(value: str) -> str:
    """Returns a value as a message shows it: in one line that is not too long."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in value)
    return printable if len(printable) <= MOST_SHOWN else f"{printable[: MOST_SHOWN - 3]}..."


def _types_in(group: Any, prefix: str) -> dict[str, Any]:
    found = {}
    for name, kind in get_type_hints(type(group)).items():
        value, flag = getattr(group, name, None), f"{prefix}.{name}"
        found |= _types_in(value, flag) if dataclasses.is_dataclass(value) else {flag: kind}
    return found


def _values(argv: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each flag, without the dashes, and the words after it. The flag of words at the beginning is empty."""
    flag, words = "", []
    for word in argv:
        if not word.startswith("--"):
            words.append(word)
            continue
        if flag or words:
            yield flag, words
        name, equals, value = word.partition("=")
        flag, words = name.removeprefix("--").replace("-", "_"), [value] if equals else []
    if flag or words:
        yield flag, words


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _expected(kind: Any, words: Sequence[str]) -> str | None:
    """What to give in place of words that are not of a type; None if they are, or the type is not one of numbers."""
    inner = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType) and inner[1:] == (type(None),):
        expected = None if words[0] == "None" else _expected(inner[0], words)
        return f"{expected}, or None" if expected else None
    if get_origin(kind) is tuple:
        is_wrong = any(_expected(inner[0], [word]) for word in words)
        if _is_list(kind):
            return _PLURAL[inner[0]] if is_wrong else None
        return f"{len(inner)} {_PLURAL.get(inner[0], 'values')}" if is_wrong or len(words) != len(inner) else None
    if kind in _SINGULAR:
        try:
            kind(words[0])
        except ValueError:
            return _SINGULAR[kind]
    return None


_SINGULAR = {int: "a whole number", float: "a number"}
_PLURAL = {int: "whole numbers", float: "numbers"}
