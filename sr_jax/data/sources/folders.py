"""Folders of image files: the images that they hold, and how these are named."""

import collections
import contextlib
import fnmatch
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sr_jax.data.images import SUFFIXES
from sr_jax.errors import InputError, printable

MAX_BYTES = 900 * 2**20
"""Largest file that is read. images.MAX_PIXELS fit into it without compression, with room to spare."""


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Turns an error of the file system into an InputError that names the file. It is also a decorator."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror})") from None


def list_folders(folders: Sequence[str | Path]) -> dict[str, Path]:
    """Maps the name of each image in one or several folders to its path.

    A name is the path within the folder. With several folders, it begins with the folder's own name.

    Raises:
      InputError: if a folder is missing or empty, or two files would have the same name.
    """
    listed = [(Path(folder).expanduser(), list_folder(Path(folder).expanduser())) for folder in folders]
    if len(listed) == 1:
        return listed[0][1]
    paths: dict[str, Path] = {}
    for folder, files in listed:
        for name, path in files.items():
            full = f"{folder.resolve().name}/{name}"
            if full in paths:
                raise InputError(f"{paths[full]} and {path} would both be called {full}; rename one of the folders")
            paths[full] = path
    return paths


@reading()
def list_folder(folder: Path) -> dict[str, Path]:
    """Maps the name of each image in a folder and its subfolders to its path.

    Hidden files and folders are left out. Links are followed.

    Raises:
      InputError: if the folder is missing, holds no images, or cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder" if folder.exists() else f"there is no folder {folder}")

    def fail(error: OSError) -> None:
        raise error

    paths: dict[str, Path] = {}
    visited = set()
    for place, subfolders, names in os.walk(folder, followlinks=True, onerror=fail):
        real = os.path.realpath(place)
        if real in visited:  # a link led back
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for path in images_among(Path(place, name) for name in names):
            paths[path.relative_to(folder).as_posix()] = path
    if not paths:
        raise InputError(f"{folder} holds no images (looked for {', '.join(SUFFIXES)}, in subfolders too)")
    return dict(sorted(paths.items()))


def images_among(paths: Iterable[Path]) -> list[Path]:
    """The files whose suffix is that of an image, sorted. Hidden files are left out."""
    return sorted(path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def select(files: dict[str, Path], *, include: Sequence[str], exclude: Sequence[str]) -> dict[str, Path]:
    """The files whose names match a pattern of `include` (all, if it is empty) and no pattern of `exclude`.

    `*` stands for any characters, including `/`; `?` for one character; `[abc]` for one of these.

    Raises:
      InputError: if a pattern matches no name, or no file is left.
    """
    for kind, patterns in (("include", include), ("exclude", exclude)):
        for pattern in patterns:
            if not fnmatch.filter(files, pattern):
                example = next(iter(files), "none")
                raise InputError(f"the {kind} pattern {pattern} matches none of the {len(files)} names, such as {example}")
    kept = [name for name in files if not include or any(fnmatch.fnmatchcase(name, pattern) for pattern in include)]
    kept = [name for name in kept if not any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude)]
    if not kept:
        raise InputError(f"the patterns include={' '.join(include)} and exclude={' '.join(exclude)} leave no image")
    return {name: files[name] for name in kept}


def refuse_doubles(files: dict[str, Path]) -> None:
    """Checks that no two files of a published set are the same image by their names, such as a.png and a.bmp.

    Raises:
      InputError: naming both files.
    """
    stems = collections.defaultdict(list)
    for name, path in files.items():
        stems[name.rpartition(".")[0]].append(path)
    for stem, paths in stems.items():
        if len(paths) > 1:
            raise InputError(f"{paths[0]} and {paths[1]} are both image {stem} of one set; remove one")


def unreadable(name: str, path: Path) -> str | None:
    """The reason why a file cannot be read at all; None if it can."""
    shown = printable(name)
    try:
        name.encode()
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would block for ever
            return f"{shown}: is not a regular file"
        with path.open("rb"):
            size = status.st_size
        return f"{shown}: has {size:,} bytes; at most {MAX_BYTES:,} are read" if size > MAX_BYTES else None
    except UnicodeEncodeError:
        return f"{shown}: its name is not UTF-8; rename it"
    except OSError as error:
        return f"{shown}: cannot be read ({error.strerror})"
