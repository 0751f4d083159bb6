"""Folders of image files: which images they hold, under which names."""

import collections
import fnmatch
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from sr_jax.data.images import SUFFIXES
from sr_jax.errors import InputError

MAX_BYTES = 900 * 2**20
"""Of one file: what images.MAX_PIXELS take without compression, with room."""


def list_folders(folders: Sequence[str | Path], *, config_key: str) -> dict[str, Path]:
    """Name -> path of all images below folders. Names are paths within a folder, after its own name if there are several.

    Raises:
      InputError: naming the folder that is missing or empty, or the two files that would have one name.
    """
    listed = [(Path(folder).expanduser(), list_folder(Path(folder).expanduser(), config_key)) for folder in folders]
    if len(listed) == 1:
        return listed[0][1]
    found: dict[str, Path] = {}
    for folder, files in listed:
        for name, path in files.items():
            full = f"{folder.resolve().name}/{name}"
            if full in found:
                raise InputError(
                    f"{config_key}: {found[full]} and {path} would both be called {full}; rename one of the folders"
                )
            found[full] = path
    return found


def list_folder(folder: Path, config_key: str) -> dict[str, Path]:
    """Name -> path of all image files below a folder, but for hidden files and folders; links are followed."""
    if not folder.is_dir():
        raise InputError(f"{config_key}={folder}: " + ("not a folder" if folder.exists() else "no such folder"))

    def fail(error: OSError) -> None:
        raise InputError(f"{config_key}={folder}: {error.filename} cannot be read ({error.strerror})")

    found, seen = {}, set()
    for place, subfolders, names in os.walk(folder, followlinks=True, onerror=fail):
        real = os.path.realpath(place)
        if real in seen:  # a link led back
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for path in images_among(Path(place, name) for name in names):
            found[path.relative_to(folder).as_posix()] = path
    if not found:
        raise InputError(f"{config_key}={folder} holds no images (looked for {', '.join(SUFFIXES)}, in subfolders too)")
    return dict(sorted(found.items()))


def images_among(paths: Iterable[Path]) -> list[Path]:
    """The files that are images by their names, and not hidden; sorted."""
    return sorted(path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def select(files: dict[str, Path], *, include: Sequence[str], exclude: Sequence[str], config_group: str) -> dict[str, Path]:
    """The files whose names match any pattern of `include` (without one: all) and none of `exclude`.

    `*` stands for any characters, `/` too; `?` for one; `[abc]` for one of these.

    Raises:
      InputError: naming a pattern that matches no name, or both lists if nothing is left.
    """
    for key, patterns in (("include", include), ("exclude", exclude)):
        for pattern in patterns:
            if not fnmatch.filter(files, pattern):
                example = next(iter(files), "none")
                raise InputError(f"{config_group}.{key}={pattern} matches none of the {len(files)} names, such as {example}")
    kept = [name for name in files if not include or any(fnmatch.fnmatchcase(name, pattern) for pattern in include)]
    kept = [name for name in kept if not any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude)]
    if not kept:
        raise InputError(
            f"{config_group}.include={' '.join(include)} and {config_group}.exclude={' '.join(exclude)} leave no image"
        )
    return {name: files[name] for name in kept}


def refuse_doubles(files: dict[str, Path]) -> None:
    """Refuses two files of a published set that are one image by their names, such as a.png and a.bmp."""
    stems = collections.defaultdict(list)
    for name, path in files.items():
        stems[name.rpartition(".")[0]].append(path)
    for stem, paths in stems.items():
        if len(paths) > 1:
            raise InputError(f"{paths[0]} and {paths[1]} are both image {stem} of one set; remove one")


def unreadable(name: str, path: Path) -> str | None:
    """Why a file cannot even be copied, if so."""
    try:
        name.encode()
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            return f"{name}: is not a regular file"
        with path.open("rb"):
            size = status.st_size
        return f"{name}: has {size:,} bytes; at most {MAX_BYTES:,} are read" if size > MAX_BYTES else None
    except UnicodeEncodeError:
        return f"{printable(name)}: its name is not UTF-8; rename it"
    except OSError as error:
        return f"{name}: cannot be read ({error.strerror})"


def printable(name: str) -> str:
    """A name that can be printed, even if its bytes are no UTF-8."""
    return name.encode(errors="backslashreplace").decode()
