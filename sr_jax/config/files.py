"""Config files: reading Python and JSON, writing JSON, and comparing two configs."""

import ast
import dataclasses
import difflib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sr_jax.config.experiment import Config
from sr_jax.config.groups import explain
from sr_jax.config.names import nearest
from sr_jax.errors import InputError

PACKAGE = "sr_jax.config"


def load(path: str | Path) -> Config:
    """Reads a config file: Python that defines `config`, or the `config.json` of a work directory.

    Raises:
      InputError: if there is no such file, or it does not hold a valid Config.
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
        raise InputError(f"--config {path}: {kind}{error}{_hint(error, path)}") from error
    if not isinstance(config, Config):
        raise InputError(f"--config {path} must define `config = Config(...)`, but `config` is {config!r}")
    return config


def _hint(error: Exception, path: Path) -> str:
    """Names what `sr_jax.config` has in place of a name that Python did not find there."""
    public = sys.modules[PACKAGE].__all__
    match error:
        case NameError():
            name = error.name
        case AttributeError() if error.obj is sys.modules[PACKAGE]:
            name = error.name
        case ImportError() if error.name == PACKAGE:  # which name it was, only Python 3.12 and later say
            name = next((name for name in _imported(path) if name not in (*public, "*")), None)
        case _:
            name = None
    near = nearest(name, public, cutoff=0.6) if name else None
    return f"; did you mean {near}?" if near else ""


def _imported(path: Path) -> list[str]:
    """The names that a Python file imports from `sr_jax.config`."""
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return [alias.name for node in imports if node.module == PACKAGE for alias in node.names]


def to_json(config: Config) -> str:
    """Returns every key of a config as JSON, which `from_json` reads."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def from_json(text: str) -> Config:
    """Reads what `to_json` wrote. Keys that are missing have their defaults.

    Raises:
      InputError: if it is not a valid config.
    """
    try:
        return TypeAdapter(Config).validate_json(text)
    except ValidationError as error:
        raise InputError(explain(error, Config)) from error


def differences(ours: Config, theirs: Config) -> list[str]:
    """Returns the keys in which two configs differ, each as a line `key: ours, theirs`."""
    a, b = flat(ours), flat(theirs)
    missing = "(no such key)"  # configs of different networks have different keys
    keys = [*a, *(key for key in b if key not in a)]
    return [f"{key}: {a.get(key, missing)}, {b.get(key, missing)}" for key in keys if a.get(key) != b.get(key)]


def flat(config: Config) -> dict[str, Any]:
    """Returns the value of every key; keys of groups are joined by dots."""
    return _flatten(dataclasses.asdict(config), "")


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for key, value in tree.items():
        pairs |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return pairs
