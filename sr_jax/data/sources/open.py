"""Opens sets by name, folders by path, and the LR images that lie beside them."""

import functools
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sr_jax.data.images import Bad
from sr_jax.data.sources import catalog, checksums, folders, locate
from sr_jax.data.sources.catalog import PHOTOGRAPHS, SETS, Archive, Split
from sr_jax.data.sources.download import check_space, download, unpack
from sr_jax.data.sources.image_set import ImageSet
from sr_jax.data.sources.prepare import prepare
from sr_jax.errors import InputError

File = TypeVar("File", bound=Path | Bad)

USERS_OWN = {"citation": "", "licence": "the user's own"}


def open_set(
    name: str,
    *,
    root: Path,
    cache: Path,
    split: Split,
    scale: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    in_place: bool = False,
) -> ImageSet:
    """Opens the HR images of a named set. DIV2K and Flickr2K are downloaded if they are missing.

    If the number of images or their pixels differ from the published set, a warning says so, and the set is used.

    Args:
      name: a title or an alias of the catalog.
      root: the data root, the folder that holds the folders of the sets.
      cache: folder for prepared sets.
      split: the part of the set, where a set has several: photographs and DIV2K.
      scale: the scale whose HR images are taken, where each scale has its own.
      include, exclude: patterns for names (`folders.select`). In a union, a name begins with the title of its part.
      in_place: whether the images are read from their files; by default they are read from a copy in the cache folder.

    Raises:
      InputError: if there is no such set, or it is not in the data root and cannot be downloaded.
    """
    title = catalog.find(name)
    titles = catalog.parts(title)
    files = _join({part: _hr_files(part, split, scale, root) for part in titles})
    files = folders.select(files, include=include, exclude=exclude)
    source = json.dumps([title, split, scale, str(root.resolve()), list(include), list(exclude)])
    image_set = prepare(title, files, kind=title, source=source, cache=cache, in_place=in_place, **_terms(title))
    if not include and not exclude:
        _warn_of_differences(image_set, titles, expected=sum(catalog.expected(part, split) for part in titles), cache=cache)
    return image_set


def open_folder(
    directories: Sequence[str | Path],
    *,
    cache: Path,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    in_place: bool = False,
) -> ImageSet:
    """Opens all images in one or several folders, sorted by name within each folder.

    A name is the path within the folder. With several folders, it begins with the folder's own name.

    Args:
      cache: folder for prepared sets.
      include, exclude: patterns for names (`folders.select`).
      in_place: as in `open_set`.

    Raises:
      InputError: if a folder is missing or empty, or a pattern matches nothing.
    """
    files = folders.select(folders.list_folders(directories), include=include, exclude=exclude)
    places = [Path(directory).expanduser().resolve() for directory in directories]
    source = json.dumps(["folder", [str(place) for place in places], list(include), list(exclude)])
    title = "+".join(place.name for place in places)
    return prepare(title, files, kind="folder", source=source, cache=cache, in_place=in_place, **USERS_OWN)


def open_hr(
    name_or_dir: str | Path,
    *,
    scale: int,
    root: Path,
    cache: Path,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    in_place: bool = False,
) -> ImageSet:
    """Opens the test split of a named set, or the HR images of a folder.

    In a folder with one of the usual folder structures (locate.py), only the HR images are taken. In any other folder, all
    images are.

    Args:
      root, cache, scale, include, exclude, in_place: as in `open_set`.

    Raises:
      InputError: as `open_set` and `open_folder` do.
    """
    patterns = {"include": include, "exclude": exclude}
    if is_name(name_or_dir):
        return open_set(str(name_or_dir), root=root, cache=cache, split="test", scale=scale, in_place=in_place, **patterns)
    folder = Path(name_or_dir).expanduser()
    files = folders.select(hr_of_folder(folder, scale=scale), **patterns)
    source = json.dumps(["hr", str(folder.resolve()), scale, list(include), list(exclude)])
    title = folder.resolve().name
    return prepare(title, files, kind="folder", source=source, cache=cache, in_place=in_place, **USERS_OWN)


def open_lr(
    name_or_dir: str | Path, *, scale: int, root: Path, cache: Path, split: Split = "test", in_place: bool = False
) -> ImageSet:
    """Opens the LR images that lie beside a set's HR images. They have the HR images' order and names.

    A missing LR image is Bad in its place. DIV2K's and Flickr2K's are downloaded if there are none.

    Args:
      name_or_dir: a named set or a folder, as in `open_hr`.
      root, cache, in_place: as in `open_set`.

    Raises:
      InputError: if there are no LR images at this scale, or it is unclear to which HR image one of them belongs.
    """
    if is_name(name_or_dir):
        title = catalog.find(str(name_or_dir))
        files = _join({part: _lr_files(part, split, scale, root) for part in catalog.parts(title)})
        terms, place = _terms(title), root
    else:
        place = Path(name_or_dir).expanduser()
        title, terms = place.resolve().name, USERS_OWN
        hr = list(hr_of_folder(place, scale=scale))
        files = locate.find_lr((place, place.parent), hr, scale=scale, what=str(place))
    source = json.dumps(["lr", title, split, scale, str(place.resolve())])
    return prepare(f"{title} LR x{scale}", files, kind="lr", source=source, cache=cache, in_place=in_place, **terms)


def is_name(name_or_dir: str | Path) -> bool:
    """Whether the text names a set, and not a folder.

    A text without a slash is a name, unless it is an existing folder and not a known set.
    """
    text = str(name_or_dir)
    if not text:  # as a path it would be the current folder
        return True
    if isinstance(name_or_dir, Path) or "/" in text or text.startswith(("~", ".")):
        return False
    try:
        catalog.find(text)
    except InputError:
        return not Path(text).is_dir()
    return True


@folders.reading()
def hr_of_folder(folder: Path, *, scale: int) -> dict[str, Path]:
    """Maps the names of a folder's HR images to their paths; see `open_hr`."""
    files = locate.find_hr(folder, more=(), scale=scale) if folder.is_dir() else {}
    inner = {path.parent for path in files.values()} - {folder}
    pairs = bool(files) and locate.holds_pairs(folder)
    if not inner and not pairs and not any(locate.lr_folders(folder, s) for s in locate.SCALES):
        return folders.list_folder(folder)
    _print_once(f"{folder}: its HR images are those of {next(iter(files.values())).parent}")
    return files


def _terms(title: str) -> dict[str, str]:
    return {"citation": SETS[title].citation, "licence": SETS[title].licence}


def _join(parts: Mapping[str, dict[str, File]]) -> dict[str, File]:
    """The files of all parts. In a union, a name begins with the title of its part."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    return {f"{title}/{name}": path for title, files in parts.items() for name, path in files.items()}


def _hr_files(title: str, split: Split, scale: int | None, root: Path) -> dict[str, Path]:
    """Maps the names of a set's HR images to their paths, after downloading them if necessary. The set is not a union."""
    if title == "photographs":
        folder = _scikit_image_data()
        return {name: folder / name for name in getattr(PHOTOGRAPHS, split)}
    files = _local_hr(title, split, root, scale)
    if not files and split in SETS[title].archives:
        _fetch(SETS[title].archives[split], _place(title, root), what=title)
        files = _local_hr(title, split, root, scale)
    if not files:
        names = " or ".join((title, *SETS[title].aliases))
        raise InputError(
            f"{title} is not in the data root {root} (data.root, --data_root); "
            f"put its images there as {names}/*.png, or in the folder "
            f"{', '.join(locate.HR_FOLDERS)} or image_SRF_{scale or 2} within; this set cannot be downloaded"
        )
    folders.refuse_doubles(files)
    return files


def _place(title: str, root: Path) -> Path:
    """The folder of a set in the data root, under any of its names. If there is none, the folder to create."""
    return locate.find_set(root, (title, *SETS[title].aliases)) or root / title


@folders.reading()
def _local_hr(title: str, split: Split, root: Path, scale: int | None) -> dict[str, Path]:
    """Maps the names of a set's HR images in the data root to their paths. Empty if there are none."""
    entry, place = SETS[title], _place(title, root)
    if not place.is_dir():
        return {}
    if not entry.ids:
        return locate.find_hr(place, more=entry.folders.get(split, ()), scale=scale)
    for path in entry.folders[split]:
        folder = locate.subfolder(place, path)
        files = locate.find_hr(folder, more=(), scale=scale) if folder else {}
        files = {name: file for name, file in files.items() if file.stem.isdigit() and int(file.stem) in entry.ids[split]}
        if files:
            return files
    return {}


def _lr_files(title: str, split: Split, scale: int, root: Path) -> dict[str, Path | Bad]:
    """Maps the names of a set's HR images to the paths of its LR images, after downloading them if necessary.

    The set is not a union.
    """
    names = list(_hr_files(title, split, scale, root))
    place = _place(title, root)
    archive = SETS[title].archives.get(f"{split}_x{scale}")
    try:
        return locate.find_lr((place,), names, scale=scale, what=title)
    except InputError:
        if archive is None or all((place / folder).exists() for folder in archive.holds.values()):
            raise
    _fetch(archive, place, what=title)
    return locate.find_lr((place,), names, scale=scale, what=title)


def _fetch(archive: Archive, place: Path, *, what: str) -> None:
    """Downloads an archive and unpacks it into `place`. The archive itself is deleted."""
    file = place / archive.url.rpartition("/")[2]
    size = f" ({archive.size / 1e9:.1f} GB)" if archive.size else ""
    print(f"{what} is not there; downloading {archive.url}{size} to {place}", file=sys.stderr)
    try:
        if archive.size and not file.exists():
            check_space(place, 2 * archive.size, what=f"{what}, packed and unpacked,")
        download(archive.url, file, checksum=archive.checksum)
        unpack(file, place, holds=archive.holds)
        file.unlink()
    except InputError as error:
        inside = " and ".join(archive.holds.values())
        raise InputError(f"{error}. Or put the images of {what} into {place}/{inside} yourself") from None
    except OSError as error:
        raise InputError(
            f"{place} cannot be written ({error.strerror or error}); use another data root (data.root, --data_root)"
        ) from error


def _warn_of_differences(image_set: ImageSet, titles: Sequence[str], *, expected: int, cache: Path) -> None:
    """Warns if a set differs from the published one in its pixels or, where these are not known, in its number of images."""
    difference = None
    if all(checksums.published(title) for title in titles):
        sums = checksums.sums_of(image_set, fingerprint=image_set.fingerprint, cache=cache)
        difference = checksums.differences(sums, titles)
    elif len(image_set) != expected:
        difference = f"it has {len(image_set)} images, not {expected}"
    if difference:
        _print_once(f"warning: {image_set.title} is not as published: {difference}")


@functools.cache
def _print_once(message: str) -> None:
    """Prints a message once in a process, however often a set is opened."""
    print(message, file=sys.stderr)


def _scikit_image_data() -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the set photographs needs scikit-image, which is not installed: pip install scikit-image")
    return Path(spec.submodule_search_locations[0]) / "data"
