"""Config files: reading Python and JSON, writing JSON, and comparing two configs."""

import ast
import dataclasses
import difflib
import json
import sys
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sr_jax.config import own_code
from sr_jax.config.experiment import Config
from sr_jax.config.groups import explain, read_group
from sr_jax.config.losses import OwnLoss, check_loss, own_losses
from sr_jax.config.names import nearest
from sr_jax.config.network_registry import own_module, own_source
from sr_jax.config.own_code import Code, CodeError, Source
from sr_jax.errors import InputError
from sr_jax.system.files import parse_json
from sr_jax.system.paths import AnyPath, to_path

PACKAGE = "sr_jax.config"


def load(path: str | AnyPath) -> Config:
    """Reads a config file: Python that defines `config`, or the `config.json` of a work directory.

    A Python file may import others that lie beside it. Those of a `config.json` lie in the folder `code` beside it.

    Raises:
      InputError: if there is no such file, or it does not hold a valid Config.
    """
    path = to_path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a file")
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")], n=1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise InputError(f"{path}: no such file{hint}")
    code = Code(path.absolute().parent, entry=path.name)
    with own_code.refusing(str(path), code, lambda error: _hint(error, path)):
        if path.suffix == ".json":
            return from_json(path.read_bytes(), folder=path.parent)
        with own_code.importing(code):
            config = vars(own_code.import_file(code, path.name)).get("config")
    if not isinstance(config, Config):
        raise InputError(f"{path} must define `config = Config(...)`, but `config` is {config!r}")
    return config


def _hint(error: BaseException, path: AnyPath) -> str:
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
    if isinstance(error, ImportError) and error.name in sys.stdlib_module_names and (path.parent / f"{error.name}.py").exists():
        return f"; Python has a module {error.name}, so {error.name}.py needs another name"
    near = nearest(name, public, cutoff=0.6) if name else None
    return f"; did you mean {near}?" if near else ""


def _imported(path: AnyPath) -> list[str]:
    """The names that a Python file imports from `sr_jax.config`."""
    imports = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ImportFrom)]
    return [alias.name for node in imports if node.module == PACKAGE for alias in node.names]


def to_json(config: Config) -> str:
    """Returns every key of a config as JSON, which `from_json` reads.

    A network or a loss of one's own is written as `FILE:NAME`. A last key, `code`, then has the hashes of its files.

    Raises:
      InputError: if a network or a loss cannot be found again.
    """
    tree, files, source = dataclasses.asdict(config), code_of(config), own_source(config.model)
    if source:
        tree["model"]["name"] = f"{source.file}:{config.model.name}"
    if files:
        tree["code"] = {file: own_code.sha256(data) for file, data in files.items()}
    return json.dumps(tree, indent=2) + "\n"


def from_json(text: str | bytes, *, folder: AnyPath | None = None) -> Config:
    """Reads what `to_json` wrote. Keys that are missing have their defaults.

    Args:
      folder: the folder with the folder `code`, which holds the networks and losses that are the user's own.

    Raises:
      InputError: if it is not a valid config, or its code is missing or has changed.
    """
    content = parse_json(text, "the config")
    own = _take_own(content, folder) if "code" in content else {}
    try:
        config = TypeAdapter(Config).validate_json(json.dumps(content) if own else text)
    except ValidationError as error:
        raise InputError(explain(error, Config)) from error
    return dataclasses.replace(config, **own) if own else config


def code_of(config: Config) -> dict[str, bytes]:
    """Returns the files that define the networks and losses of a config that are the user's own, and those that these import.

    Raises:
      CodeError: if one is not defined in a file beside the config file.
    """
    own: list[tuple[str, Source | None]] = [(f"loss={loss}", loss.source) for loss in own_losses(config.loss)]
    if own_module(config.model):
        own.append((f"model={type(config.model).__name__}", own_source(config.model)))
    files_by_code: dict[Code, set[str]] = {}
    for what, source in own:
        if source is None:
            raise CodeError(
                f"{what} is defined in no file beside the config file, so a work directory could not keep it; move it there"
            )
        files_by_code.setdefault(source.code, set()).add(source.file)
    merged: dict[str, bytes] = {}
    for code, files in files_by_code.items():
        for file, data in code.needed(files).items():
            if merged.setdefault(file, data) != data:
                raise CodeError(f"two different files of your own are called {file}; rename one of them")
    return dict(sorted(merged.items()))


def keep_code(directory: AnyPath, config: Config) -> None:
    """Copies the files of `code_of` to the folder `code` of a directory.

    Raises:
      InputError: if another file of the same name lies there.
    """
    own_code.write(directory / own_code.FOLDER, code_of(config))


def refuse_changed_code(directory: AnyPath, before: Config, now: Config) -> None:
    """Compares the code of a config with the copies that a work directory has for the config before.

    Raises:
      InputError: if a file has changed.
    """
    copies = code_of(before)
    if changed := [file for file, data in code_of(now).items() if data != copies.get(file, data)]:
        raise InputError(
            f"--workdir {directory}: {', '.join(changed)} changed since its run began; --config {directory} goes on with "
            f"the copy that it keeps in {own_code.FOLDER}/, or take another directory"
        )


def _take_own(content: dict[str, Any], folder: AnyPath | None) -> dict[str, Any]:
    """Takes the keys out of the JSON of a config whose values are the user's own, and returns these values."""
    hashes = content.pop("code")
    if not isinstance(hashes, dict) or not all(isinstance(value, str) for value in hashes.values()):
        raise InputError(f"code={hashes!r} must be an object with the hash of each file")
    if folder is None:
        raise InputError("it has code of its own, so it can only be read where the folder of that code lies")
    code = own_code.read(folder / own_code.FOLDER, hashes)
    own: dict[str, Any] = {}
    with own_code.refusing(f"{code.folder}", code), own_code.importing(code):
        model, loss = content.get("model"), content.get("loss")
        if isinstance(model, dict) and ":" in str(model.get("name")):
            file, name = content.pop("model")["name"].rsplit(":", 1)
            groups = [value for value in _values(code, file) if isinstance(value, type) and getattr(value, "name", 0) == name]
            if not groups:
                raise InputError(f"{file} has no network {name!r}")
            own["model"] = read_group(groups[0], {**model, "name": name})
        if any(":" in str(part) for part in (loss if isinstance(loss, list) else [loss])):
            own["loss"] = check_loss(_find_losses(code, content.pop("loss")))
    return own


def _find_losses(code: Code, value: Any) -> Any:
    """The loss of a config with functions in place of `FILE:NAME`."""
    if isinstance(value, list):
        return [_find_losses(code, item) for item in value]
    if not isinstance(value, str) or ":" not in value:
        return value
    file, name = value.rsplit(":", 1)
    if name not in _namespace(code, file):
        raise InputError(f"{file} has no loss {name!r}")
    return OwnLoss(name, _namespace(code, file)[name], Source(code, file))


def _values(code: Code, file: str) -> list[Any]:
    return list(_namespace(code, file).values())


def _namespace(code: Code, file: str) -> dict[str, Any]:
    if not code.has_file(file):
        raise InputError(f"{file} is not among the files of its code")
    return vars(own_code.import_file(code, file))


def differences(before: Config, now: Config) -> dict[str, tuple[Any, Any]]:
    """Returns the keys in which two configs differ, with both values. Configs of different networks have different keys."""
    a, b = flat(before), flat(now)
    missing = "(no such key)"
    keys = [*b, *(key for key in a if key not in b)]
    return {key: (a.get(key, missing), b.get(key, missing)) for key in keys if a.get(key) != b.get(key)}


def flat(config: Config) -> dict[str, Any]:
    """Returns the value of every key; keys of groups are joined by dots."""
    return _flatten(dataclasses.asdict(config), "")


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for key, value in tree.items():
        pairs |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return pairs
