"""Finds the pictures to enlarge, and gives every result a name of its own."""

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from sr_jax.errors import InputError, listing
from sr_jax.pictures.formats import FORMATS, SUFFIXES

STANDARD_INPUT = "-"
RECORDS = ".sr_jax"
"""The folder beside the results that holds their records."""


class Source(NamedTuple):
    """A picture to enlarge."""

    path: Path | None
    """None for standard input."""
    name: PurePath
    """Its name under the folder that was given, or its own name."""

    @property
    def label(self) -> str:
        """The name in messages."""
        return "standard input" if self.path is None else str(self.path)


class Found(NamedTuple):
    """The pictures among the inputs."""

    sources: list[Source]
    others: list[Path]
    """Files in folders whose names do not end as those of pictures do."""


def find(inputs: Sequence[str], *, leave_out: Path | None, also: Sequence[str] = ()) -> Found:
    """Finds the pictures of files, folders and standard input, each once. Hidden files of folders are left out.

    Args:
      also: ends of names of other files that count as pictures.
      leave_out: the folder of the results. If it lies in an input folder, its files are left out.

    Raises:
      InputError: if an input does not exist, cannot be read, or is a folder without pictures.
    """
    sources: dict[Path | None, Source] = {}
    others: list[Path] = []
    folders = [path for path in map(_path, inputs) if path and path.is_dir()]
    for word in inputs:
        path = _path(word)
        if path is None:
            sources.setdefault(None, Source(None, PurePath("stdin")))
        elif path.is_dir():
            inside, rest = _in_folder(path, leave_out, (*SUFFIXES, *also))
            if not inside:
                raise InputError(f"{word}: there are no pictures in this folder; names must end in {', '.join(SUFFIXES)}")
            prefix = path.resolve().name if len(folders) > 1 else ""
            for file in inside:
                sources.setdefault(_identity(file), Source(file, PurePath(prefix) / file.relative_to(path)))
            others += rest
        elif path.exists():
            sources.setdefault(_identity(path), Source(path, PurePath(path.name)))
        else:
            raise InputError(f"{word}: there is no such file or folder")
    return Found(list(sources.values()), others)


def model_label(place: str, *, network: str, scale: int) -> str:
    """Returns the name of a model in names of files: that of its folder or file, without the scale."""
    stem = Path(place).name.removesuffix(".safetensors") if place else ""
    stem = stem.partition("@")[0] if "://" in place else stem  # the revision of a repository
    stem = re.sub(rf"(^|[-_.])x{scale}$", "", stem)
    return re.sub(r"[^\w.+-]", "_", stem or network)


def result_suffix(source: Source, name: str) -> str:
    """Returns the end of a result's name: that of its input if this belongs to the format, else the format's first one."""
    own = source.name.suffix.lower()
    return own if own in FORMATS[name].suffixes else FORMATS[name].suffixes[0]


def page(output: PurePath) -> PurePath:
    """Returns the name of the page beside a result: `RESULT.html`, because a.png and a.jpg may be results of their own."""
    return output.with_name(f"{output.name}.html")


def settle(sources: Sequence[Source], endings: Sequence[str], suffixes: Sequence[str]) -> list[PurePath]:
    """Returns a name for the result of each picture: `STEM_MODEL_x2.EXT` in the folder of its input.

    Where several would have one name, as those of a.png and a.jpg in one format, they get the ends of their inputs:
    `a_png_MODEL_x2.EXT`. Capital letters and the forms of accents count as equal, because some file systems take them so.

    Args:
      endings: what follows each stem, such as `_fsrcnn_x2`.
      suffixes: the end of each name, with its dot.

    Raises:
      InputError: if two would still have one name.
    """
    names = [
        source.name.with_name(f"{source.name.stem}{e}{s}") for source, e, s in zip(sources, endings, suffixes, strict=True)
    ]
    alike = _alike(names)
    for members in alike:
        for i in members:
            source = sources[i]
            kind = source.name.suffix.removeprefix(".")
            names[i] = source.name.with_name(f"{source.name.stem}_{kind}{endings[i]}{suffixes[i]}")
    if alike := _alike(names):
        lines = [f"{names[members[0]]}: {', '.join(sources[i].label for i in members)}" for members in alike]
        raise InputError(
            "several pictures would be written under one name; give the folder that holds them, whose subfolders are kept, "
            f"or enlarge them one after another:{listing(lines, most=5)}"
        )
    return names


def _path(word: str) -> Path | None:
    return None if word == STANDARD_INPUT else Path(word).expanduser()


def _identity(path: Path) -> Path:
    return path.parent.resolve() / path.name


def _in_folder(folder: Path, leave_out: Path | None, suffixes: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """The files of a folder and its subfolders whose names end with one of the suffixes, and the other files."""
    inside: list[Path] = []
    others: list[Path] = []
    out = leave_out.resolve() if leave_out else None
    is_own = out is not None and out == folder.resolve()

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: this folder cannot be read ({error.strerror})") from None

    for current, names, files in os.walk(folder, onerror=refuse):
        here = Path(current)
        names[:] = sorted(n for n in names if not n.startswith(".") and (is_own or (here / n).resolve() != out))
        for name in sorted(files):
            if not name.startswith("."):
                (inside if Path(name).suffix.lower() in suffixes else others).append(here / name)
    return inside, others


def _alike(names: Iterable[PurePath]) -> list[list[int]]:
    """The places of those names that more than one picture has."""
    by_key: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        by_key.setdefault(_key(name), []).append(i)
    return [members for members in by_key.values() if len(members) > 1]


def _key(name: PurePath) -> str:
    return unicodedata.normalize("NFC", str(name)).casefold()
