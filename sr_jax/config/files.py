"""Config files: Python or JSON, and what differs between two of them."""

import dataclasses
import difflib
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sr_jax.config.experiment import Config
from sr_jax.config.groups import explain, nearest
from sr_jax.errors import InputError

PACKAGE = "sr_jax.config"


def load(path: str | Path) -> Config:
    """Reads a config file: Python that defines `config`, or the `config.json` of a work directory.

    Raises:
      InputError: if there is no such file, or what it holds is not a valid Config.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"--config {path}: is a folder, not a file")
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")], n=1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise InputError(f"--config {path}: no such file{hint}")
    try:
        if path.suffix == ".json":
            return from_json(path.read_text())
        config = runpy.run_path(str(path)).get("config")
    except Exception as error:  # whatever the user's file raises
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        raise InputError(f"--config {path}: {kind}{error}{_nearest_import(error)}") from error
    if not isinstance(config, Config):
        raise InputError(f"--config {path} must define `config = Config(...)`, but `config` is {config!r}")
    return config


def _nearest_import(error: Exception) -> str:
    """What of `sr_jax.config` was meant by a name that Python did not find there."""
    said = rf"(cannot import name|name|module '{PACKAGE}' has no attribute) '(\w+)'( from '{PACKAGE}'| is not defined|$)"
    found = re.match(said, str(error)) if isinstance(error, ImportError | NameError | AttributeError) else None
    if found is None:
        return ""
    near = nearest(found[2], sys.modules[PACKAGE].__all__, cutoff=0.6)
    return f"; did you mean {near}?" if near else ""


def to_json(config: Config) -> str:
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def from_json(text: str) -> Config:
    """Reads what `to_json` wrote.

    Raises:
      InputError: if it is no valid config.
    """
    try:
        return TypeAdapter(Config).validate_json(_as_written(text))
    except ValidationError as error:
        raise InputError(explain(error, Config)) from error


def _as_written(text: str) -> str:
    """The config of a run that was begun when its evaluation could only be on bicubic LR says so."""
    try:
        plain = json.loads(text)
        if {"sets", "every", "protocol"} <= plain["eval"].keys():
            plain["eval"].setdefault("degradation", "bicubic")
    except (ValueError, KeyError, TypeError, AttributeError):
        return text  # the validation will say what is wrong with it
    return json.dumps(plain)


def differences(ours: Config, theirs: Config) -> list[str]:
    """The keys in which two configs differ, each as a line `key: ours, theirs`."""
    a, b = flat(ours), flat(theirs)
    missing = "(no such key)"  # where the models differ, so do their keys
    keys = [*a, *(key for key in b if key not in a)]
    return [f"{key}: {a.get(key, missing)}, {b.get(key, missing)}" for key in keys if a.get(key) != b.get(key)]


def flat(config: Config) -> dict[str, Any]:
    """Every key, with dots, and its value."""
    return _flatten(dataclasses.asdict(config), "")


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for key, value in tree.items():
        pairs |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return pairs
