"""Reads a command line into the dataclass that declares its options. Every error is one line, raised as an `InputError`."""

import contextlib
import dataclasses
import difflib
import functools
import io
import itertools
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import tyro

from sr_jax.cli.values import check_values, shorten, types_of
from sr_jax.config import find_key
from sr_jax.errors import InputError

T = TypeVar("T")

SHARED_FLAGS = {"config_file": "config", "network_name": "network"}
"""Flags that share their names with groups of keys (--config FILE, --config.KEY=VALUE), by the fields of their values."""


def parse(
    into: type[T],
    argv: Sequence[str] | None,
    *,
    prog: str,
    description: str,
    defaults: Mapping[str, Any] | None = None,
    renamed: Mapping[str, str] | None = None,
    registry: tyro.constructors.ConstructorRegistry | None = None,
) -> T:
    """Reads the options that a dataclass declares. With `--help` it prints them and exits with status 0.

    Args:
      into: the dataclass.
      argv: the arguments; None: those of this process.
      prog: the command, as `--help` shows it.
      description: what the command does, as `--help` shows it.
      defaults: values of fields that the class has no defaults for. A group of keys needs one.
      renamed: flags that have another name now, and this name.
      registry: how tyro reads values of types that it does not know.

    Raises:
      InputError: if an option is unknown or missing, or its value has the wrong type or is out of range.
    """
    argv = sys.argv[1:] if argv is None else argv
    groups = {name: value for name, value in (defaults or {}).items() if dataclasses.is_dataclass(value)}
    _check_flags(argv, into, groups, renamed or {})
    asks_for_help = bool({"-h", "--help"} & {*argv})
    if not asks_for_help:
        check_values(argv, types_of(into, groups, SHARED_FLAGS))
    printed = io.StringIO()
    try:
        with (
            contextlib.redirect_stderr(printed),
            contextlib.nullcontext() if asks_for_help else _wide_terminal(),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", ".* does not match any type in Union")  # a network of the user's own
            return tyro.cli(
                functools.partial(into, **defaults or {}),
                prog=prog,
                description=description,
                args=argv,
                use_underscores=True,
                config=(tyro.conf.FlagConversionOff, tyro.conf.AvoidSubcommands, tyro.conf.SuppressFixed),
                registry=registry,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise InputError(_plain(_in_one_line(printed.getvalue()), groups)) from None


def take(argv: Sequence[str], flag: str) -> tuple[str | None, list[str]]:
    """Returns the value of a flag and the other arguments. If the flag is given more than once, its last value counts.

    Raises:
      InputError: if the flag has no value.
    """
    value, rest, words = None, [], iter(argv)
    for word in words:
        name, equals, given = word.partition("=")
        if name != flag:
            rest.append(word)
            continue
        value = given if equals else next(words, "")
        if not value or value.startswith("--"):
            raise InputError(f"{flag}: give a value")
    return value, rest


@contextlib.contextmanager
def _wide_terminal() -> Iterator[None]:
    """tyro breaks lines, and words that are longer than a line, at the width of the terminal that COLUMNS gives."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100000"
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def _check_flags(argv: Sequence[str], into: Any, values: Mapping[str, Any], renamed: Mapping[str, str]) -> None:
    """Answers an unknown flag with the nearest known one."""
    fields = [field.name for field in dataclasses.fields(into)]
    groups = {name: _keys(value) for name, value in values.items()}
    options = ["help", *(SHARED_FLAGS.get(name, name) for name in fields if name not in groups)]
    known = {*options, *(f"{group}.{key}" for group, keys in groups.items() for key in keys)}
    flags = [word.partition("=")[0].removeprefix("--").replace("-", "_") for word in argv if word.startswith("--")]
    for flag in flags:
        if f"--{flag}" in renamed:
            raise InputError(f"--{flag} is called {renamed[f'--{flag}']}")
        if flag in known or flag.startswith("tyro_"):  # tyro's own flags write completions for shells
            continue
        group, _, key = flag.partition(".")
        if key and group in groups:
            raise InputError(f"--{flag}: {_hint_for_key(group, key, groups[group])}")
        raise InputError(f"--{flag}: no such option; {_hint_for_option(flag, options, groups)}")


def _keys(group: Any) -> list[str]:
    """The keys of a group and, with dots, those of the groups in it."""
    keys = []
    for field in dataclasses.fields(group):
        value = getattr(group, field.name)
        keys += [f"{field.name}.{key}" for key in _keys(value)] if dataclasses.is_dataclass(value) else [field.name]
    return keys


def _hint_for_key(group: str, word: str, keys: list[str]) -> str:
    if word == "model":
        return f"is a group of keys; a network is chosen with --{group}.model.name=NAME"
    if any(key.startswith(f"{word}.") for key in keys):
        return "is a group of keys; --help lists them"
    outer = word.rpartition(".")[0]
    siblings = [key.rpartition(".")[2] for key in keys if key.rpartition(".")[0] == outer]
    there_are = f"--{group}.{outer} has the keys {', '.join(siblings)}" if outer and siblings else "--help lists all keys"
    return f"no such key; {_suggest(group, word, keys) or there_are}"


def _hint_for_option(flag: str, options: list[str], groups: Mapping[str, list[str]]) -> str:
    if near := difflib.get_close_matches(flag, options, n=1, cutoff=0.75):
        return f"did you mean --{near[0]}?"
    hints = [_suggest(group, flag, keys) for group, keys in groups.items()]
    return next(filter(None, hints), "--help lists all options")


def _suggest(group: str, word: str, keys: list[str]) -> str:
    """The key of a group that an unknown word stands for; nothing if no key is like it."""
    key, note = find_key(word, keys)
    key = "model.name" if key == "model" else key
    if key not in keys:
        return note
    return f"did you mean --{group}.{key}?{f' {note[0].upper()}{note[1:]}' if note else ''}"


def _in_one_line(box: str) -> str:
    """The message of an error that tyro prints in a box: a title, the message, a rule, and where to find help.

    Rows of the message that are indented deeply are the help of an option, and are left out.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)  # on a terminal it has colours
    rows = [row.strip("│╭╮╰╯").rstrip() for row in plain.splitlines()]
    rows = [row for row in rows if row]
    from_message = itertools.dropwhile(_is_rule, rows[1:])
    message = list(itertools.takewhile(lambda row: not _is_rule(row), from_message)) or rows
    text = " ".join(row.strip() for row in message if _indent(row) < _indent(message[0]) + 8)
    text = text.removeprefix("Error parsing ")
    return text[:1].lower() + text[1:]


def _plain(text: str, groups: Mapping[str, Any]) -> str:
    """A message of tyro in this project's words: `--FLAG=VALUE: what would be right`."""
    if match := re.fullmatch(r"invalid choice '(.*)' for argument '(--[\w.]+)'\. Expected one of \((.*?),?\)\.", text):
        value, flag, choices = match.groups()
        words = re.findall("'(.*?)'", choices)
        return f"{flag}={shorten(value)}: give one of {', '.join(words)}"
    if match := re.fullmatch(r"(\w+)((?:\.\w+)*): (.*)", text):  # a group of keys refused a value of one of its keys
        name, inner, message = match.groups()
        if name in groups:
            keys = _keys(functools.reduce(getattr, inner.split(".")[1:], groups[name]))
            begins_with_key = re.match(r"[\w.]+", message)
            return f"--{text if not begins_with_key or begins_with_key[0] not in keys else f'{name}{inner}.{message}'}"
    if match := re.fullmatch(r"unrecognized options: (\S+).*", text):
        word = match[1]
        is_config = "config" in groups and (word.endswith((".py", ".json")) or os.path.isdir(word))
        return f"{shorten(word)}: " + (
            f"did you mean --config {word}?" if is_config else "this is not an option; --help lists all"
        )
    return text


def _is_rule(row: str) -> bool:
    return not row.strip(" ─-")


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())
