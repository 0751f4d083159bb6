"""A user's own Python files: importing them from the folder of a config file, and from the copies in a work directory.

The files are imported under their usual names, but they leave nothing behind in `sys.modules`. So two work directories may hold
different files of one name.
"""

import contextlib
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, NamedTuple

from sr_jax.errors import InputError
from sr_jax.system.files import replace_bytes
from sr_jax.system.paths import AnyPath

FOLDER = "code"
"""Where a work directory keeps the files, and where they lie beside a weights file."""

_RESERVED = {*sys.stdlib_module_names, "sr_jax"}
"""Modules that a user's file never replaces."""


class CodeError(InputError):
    """A user's own file is missing, has changed, or raises something."""


class Code:
    """The Python files of one folder, as far as they have been imported.

    Args:
      folder: the folder.
      contents: the only files that can be imported, by their names in the folder; None: all files that lie there.
      entry: the name of the config file, which a work directory need not keep for its own sake.
    """

    def __init__(self, folder: AnyPath, contents: dict[str, bytes] | None = None, *, entry: str = ""):
        self.folder, self.entry = folder, entry
        self.contents = contents or {}
        """The files that count, as they were when they were read."""
        self.modules: dict[str, ModuleType] = {}
        """The imported modules by the names of their files."""
        self._is_closed = contents is not None

    def read(self, file: str) -> bytes:
        """Returns a file, which is read only once."""
        if file not in self.contents:
            self.contents[file] = (self.folder / file).read_bytes()
        return self.contents[file]

    def has_file(self, file: str) -> bool:
        """Returns whether a file can be imported."""
        return file in self.contents or (not self._is_closed and (self.folder / file).is_file())

    def has_folder(self, name: str) -> bool:
        """Returns whether a folder can be imported as a package without `__init__.py`."""
        is_known = any(file.startswith(f"{name}/") for file in self.contents)
        return is_known or (not self._is_closed and any((self.folder / name).glob("**/*.py")))

    def needed(self, files: set[str]) -> dict[str, bytes]:
        """Returns the contents of these files and of all others that were imported, except the config file itself."""
        return {file: data for file, data in self.contents.items() if file != self.entry or file in files}


class Source(NamedTuple):
    """Where a network or a loss of one's own is defined."""

    code: Code
    file: str
    """The name of the file in the folder of the code, with slashes."""


def sha256(data: bytes) -> str:
    """Hash of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def source_of(module: str) -> Source | None:
    """Returns where a module that is being imported comes from; None if it is not a user's own file."""
    loader = getattr(sys.modules.get(module), "__loader__", None)
    return Source(loader.code, loader.file) if isinstance(loader, _Loader) else None


def keep_findable(cls: type, source: Source) -> None:
    """Lets `inspect` find the text of a class when its module has left `sys.modules`: --help reads the comments of keys."""
    alias = f"{cls.__module__} in {source.code.folder}"
    sys.modules[alias] = sys.modules[cls.__module__]
    cls.__module__ = alias


def find_name(value: Any) -> tuple[str, Source] | None:
    """Returns the name that a value has at the top of one of the files that are being imported, and this file.

    A file other than the config file is preferred.
    """
    if not _ACTIVE:
        return None
    code = _ACTIVE[-1]
    for file, module in sorted(code.modules.items(), key=lambda item: item[0] == code.entry):
        for name, other in vars(module).items():
            if other is value:
                return name, Source(code, file)
    return None


def is_importing() -> bool:
    """Returns whether a user's file is being imported."""
    return bool(_ACTIVE)


@contextlib.contextmanager
def importing(code: Code) -> Iterator[None]:
    """Lets the files of a folder import each other. Afterwards `sys.modules` is as before."""
    hidden = {name: module for name, module in list(sys.modules.items()) if _is_shadowed(name.partition(".")[0], code)}
    for name in hidden:
        del sys.modules[name]
    finder = _Finder(code)
    sys.meta_path.insert(0, finder)
    _ACTIVE.append(code)
    try:
        yield
    finally:
        _ACTIVE.pop()
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            loader = getattr(module, "__loader__", None)
            is_ours = isinstance(loader, _Loader) and loader.code is code and name == module.__name__
            if is_ours or name in finder.namespaces:
                del sys.modules[name]
        sys.modules.update(hidden)


def import_file(code: Code, file: str) -> ModuleType:
    """Imports one file. Call it inside `importing`."""
    if file in code.modules:
        return code.modules[file]
    for parent in reversed(PurePosixPath(file).parents[:-1]):
        if code.has_file(package := f"{parent}/__init__.py") and package != file:
            import_file(code, package)
    spec = _spec(code, file, _module_name(code, file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    _loader(spec).exec_module(module)
    return module


@contextlib.contextmanager
def refusing(what: str, code: Code | None, hint: Callable[[BaseException], str] = lambda _: "") -> Iterator[None]:
    """Turns whatever a user's file raises into a CodeError of one line. Ctrl-C stays what it is.

    Args:
      what: the file, or what it defines, as the message names it.
      code: the user's files; the message says in which line of them the error was raised.
      hint: what the message adds for an error.
    """
    try:
        yield
    except InputError as error:
        raise CodeError(f"{what}: {error}{hint(error)}") from error
    except SystemExit as error:
        raise CodeError(f"{what}: it calls sys.exit({error.code!r}){_line(error, code)}; remove this call") from error
    except Exception as error:
        where = "" if isinstance(error, SyntaxError) else _line(error, code)
        message = " ".join(str(error).split())
        raise CodeError(f"{what}: {type(error).__name__}: {message}{where}{hint(error)}") from error


def read(folder: AnyPath, hashes: dict[str, str]) -> Code:
    """Reads the copies that a work directory keeps. Equal files are one Code, so that they are imported once.

    Args:
      folder: the folder of the copies.
      hashes: the hash of each file by its name.

    Raises:
      CodeError: if a file is missing, or is not the one with that hash.
    """
    contents = {}
    for file, expected in hashes.items():
        path = folder / file
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise CodeError(f"its code {file} is not a file in {folder}")
        try:
            contents[file] = path.read_bytes()
        except OSError:
            raise CodeError(
                f"its code {path} is missing; copy the folder {FOLDER} along with it, or restore the file"
            ) from None
        if sha256(contents[file]) != expected:
            raise CodeError(f"its code {path} is not the file that it was made with; restore the file")
    return _COPIES.setdefault(tuple(sorted(hashes.items())), Code(folder, contents))


def write(folder: AnyPath, contents: dict[str, bytes]) -> None:
    """Writes copies of files.

    Raises:
      CodeError: if another file of the same name lies there.
    """
    for file, data in contents.items():
        path = folder / file
        if path.exists() and path.read_bytes() != data:
            raise CodeError(f"{path} is the code of another network or loss; take another folder")
    for file, data in contents.items():
        path = folder / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_bytes(path, data)


class _Loader(Loader):
    """Runs a file as it was when it was first read, and writes no bytecode."""

    def __init__(self, code: Code, file: str):
        self.code, self.file = code, file

    def create_module(self, spec: ModuleSpec) -> None:
        del spec

    def exec_module(self, module: ModuleType) -> None:
        data = self.code.read(self.file)
        self.code.modules[self.file] = module
        exec(compile(data, str(self.code.folder / self.file), "exec", dont_inherit=True), vars(module))


class _Finder(MetaPathFinder):
    """Finds modules in the folder of a user's code before Python looks elsewhere."""

    def __init__(self, code: Code):
        self.code = code
        self.namespaces: set[str] = set()

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None, /) -> ModuleSpec | None:
        del target
        if fullname.partition(".")[0] in _RESERVED or (path is not None and not self._is_ours(fullname.rpartition(".")[0])):
            return None
        name = fullname.replace(".", "/")
        for file in (f"{name}/__init__.py", f"{name}.py"):
            if self.code.has_file(file):
                return _spec(self.code, file, fullname)
        if not self.code.has_folder(name) or (path is None and _is_installed(fullname)):
            return None
        self.namespaces.add(fullname)
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(self.code.folder / name)]
        return spec

    def _is_ours(self, package: str) -> bool:
        return package in self.namespaces or isinstance(getattr(sys.modules.get(package), "__loader__", None), _Loader)


_ACTIVE: list[Code] = []
"""What is being imported; the last one is the innermost."""

_COPIES: dict[tuple[tuple[str, str], ...], Code] = {}
"""The copies that have been read, by the names and hashes of their files."""


def _spec(code: Code, file: str, name: str) -> ModuleSpec:
    path = code.folder / file
    places = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(code, file), submodule_search_locations=places)
    assert spec is not None
    return spec


def _loader(spec: ModuleSpec) -> Loader:
    assert spec.loader is not None
    return spec.loader


def _module_name(code: Code, file: str) -> str:
    """The name under which other files import this one. A config file has a name that no other module has."""
    parts = PurePosixPath(file.removesuffix("/__init__.py")).with_suffix("").parts
    is_usual = file != code.entry and parts[0] not in _RESERVED and all(part.isidentifier() for part in parts)
    return ".".join(parts) if is_usual else f"<{file}>"


def _is_shadowed(name: str, code: Code) -> bool:
    """Whether the folder has a file of the name of a module that has been imported from elsewhere."""
    return name not in _RESERVED and (code.has_file(f"{name}.py") or code.has_file(f"{name}/__init__.py"))


def _is_installed(name: str) -> bool:
    spec = PathFinder.find_spec(name)
    return spec is not None and spec.loader is not None


def _line(error: BaseException, code: Code | None) -> str:
    """Where in the user's own files an error was raised."""
    if code is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).is_relative_to(code.folder)]
    return f" ({Path(inside[-1].filename).relative_to(code.folder)}, line {inside[-1].lineno})" if inside else ""
