"""Sets by their names, folders by their paths, and the LR images that lie beside them."""

import functools
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sr_jax.data.images import Bad
from sr_jax.data.sources import catalog, checksums, folders, layouts
from sr_jax.data.sources.catalog import PHOTOGRAPHS, SETS, Archive, Split
from sr_jax.data.sources.download import check_space, download, unpack
from sr_jax.data.sources.prepare import ImageSet, prepare
from sr_jax.errors import InputError

File = TypeVar("File", bound=Path | Bad)

USERS_OWN = {"citation": "", "licence": "the user's own"}


def open_set(
    name: str,
    *,
    root: Path,
    root_option: str,
    cache: Path,
    split: Split,
    scale: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> ImageSet:
    """The HR images of a named set, from below `root`; DIV2K and Flickr2K are downloaded to there if they are missing.

    A set whose number of images or pixels differ from the published ones is used, and the difference said.

    Args:
      name: a title or an alias of the catalog.
      root: folder that holds the folders of the sets.
      root_option: by which the user gives `root`; for error messages.
      cache: folder for prepared sets.
      split: of the sets that have any: photographs and DIV2K.
      scale: whose HR to take where a layout has another for each.
      include, exclude: patterns on names (folders.select). In a union, names begin with the title of the part.

    Raises:
      InputError: if there is no such set, or it is neither found nor to be downloaded.
    """
    title = catalog.find(name)
    titles = catalog.parts(title)
    files = _join({part: _hr_files(part, split, scale, root, root_option) for part in titles})
    files = folders.select(files, include=include, exclude=exclude, config_group="data")
    source = json.dumps([title, split, scale, str(root.resolve()), list(include), list(exclude)])
    image_set = prepare(title, files, kind=title, source=source, cache=cache, **_terms(title))
    if not include and not exclude:
        _say_differences(image_set, titles, expected=sum(catalog.expected(part, split) for part in titles), cache=cache)
    return image_set


def open_folder(
    directories: Sequence[str | Path],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    cache: Path,
    config_key: str,
) -> ImageSet:
    """All images below folders, in the order of their names: paths within a folder, after its name if there are several.

    Args:
      include, exclude: patterns on names (folders.select).
      cache: folder for prepared sets.
      config_key: of the config, that names the folders; for error messages.

    Raises:
      InputError: naming the folder that is missing or empty, or the pattern that matches nothing.
    """
    files = folders.list_folders(directories, config_key=config_key)
    files = folders.select(files, include=include, exclude=exclude, config_group=config_key.partition(".")[0])
    places = [Path(directory).expanduser().resolve() for directory in directories]
    source = json.dumps(["folder", [str(place) for place in places], list(include), list(exclude)])
    return prepare("+".join(place.name for place in places), files, kind="folder", source=source, cache=cache, **USERS_OWN)


def open_hr(
    name_or_dir: str | Path,
    *,
    scale: int,
    root: Path,
    cache: Path,
    option: str,
    root_option: str,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> ImageSet:
    """The HR images of a named set's test split, of a folder in one of the usual layouts, or else all below a folder.

    Args:
      option, root_option: by which the user gives `name_or_dir` and `root`; for error messages.
      include, exclude: patterns on names (folders.select).

    Raises:
      InputError: as `open_set` and `open_folder` do.
    """
    patterns = {"include": include, "exclude": exclude}
    if is_name(name_or_dir):
        name = str(name_or_dir)
        return open_set(name, root=root, root_option=root_option, cache=cache, split="test", scale=scale, **patterns)
    folder = Path(name_or_dir).expanduser()
    files = folders.select(hr_of_folder(folder, scale=scale, option=option), **patterns, config_group="data")
    source = json.dumps(["hr", str(folder.resolve()), scale, list(include), list(exclude)])
    return prepare(folder.resolve().name, files, kind="folder", source=source, cache=cache, **USERS_OWN)


def open_lr(
    name_or_dir: str | Path, *, scale: int, root: Path, cache: Path, option: str, root_option: str, split: Split = "test"
) -> ImageSet:
    """The LR images that lie beside a set's HR images, in their order and under their names; Bad where one is missing.

    Args:
      name_or_dir: a named set or a folder, as `open_hr` takes it.
      option, root_option: as for `open_hr`.

    Raises:
      InputError: if no layout holds LR images at this scale, or naming files of which it is not clear whose LR they are.
    """
    if is_name(name_or_dir):
        title = catalog.find(str(name_or_dir))
        files = _join({part: _lr_files(part, split, scale, root, root_option) for part in catalog.parts(title)})
        terms, place = _terms(title), root
    else:
        place = Path(name_or_dir).expanduser()
        title, terms = place.resolve().name, USERS_OWN
        hr = list(hr_of_folder(place, scale=scale, option=option))
        files = layouts.find_lr((place, place.parent), hr, scale=scale, what=f"{option}={place}")
    source = json.dumps(["lr", title, split, scale, str(place.resolve())])
    return prepare(f"{title} LR x{scale}", files, kind="lr", source=source, cache=cache, **terms)


def is_name(name_or_dir: str | Path) -> bool:
    """Whether a set is meant, not a folder: what has no slash is a name, unless a folder of that name and no set exists."""
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


def hr_of_folder(folder: Path, *, scale: int, option: str) -> dict[str, Path]:
    """Name -> path of the HR images of a folder that may be a set in one of the usual layouts, or any tree of images."""
    files = layouts.find_hr(folder, more=(), scale=scale) if folder.is_dir() else {}
    inner = {path.parent for path in files.values()} - {folder}
    pairs = bool(files) and layouts.holds_pairs(folder)
    if not inner and not pairs and not any(layouts.lr_folders(folder, s) for s in layouts.SCALES):
        return folders.list_folder(folder, option)
    _say(f"{folder}: its HR images are those of {next(iter(files.values())).parent}")
    return files


def _terms(title: str) -> dict[str, str]:
    return {"citation": SETS[title].citation, "licence": SETS[title].licence}


def _join(parts: Mapping[str, dict[str, File]]) -> dict[str, File]:
    """The files of all parts; in a union names begin with the title of the part."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    return {f"{title}/{name}": path for title, files in parts.items() for name, path in files.items()}


def _hr_files(title: str, split: Split, scale: int | None, root: Path, root_option: str) -> dict[str, Path]:
    """Name -> path of the HR images of a set that is no union; downloads what is missing and can be had."""
    if title == "photographs":
        folder = _scikit_image_data()
        return {name: folder / name for name in getattr(PHOTOGRAPHS, split)}
    files = _local_hr(title, split, root, scale)
    if not files and split in SETS[title].archives:
        _fetch(SETS[title].archives[split], _place(title, root), root_option, what=title)
        files = _local_hr(title, split, root, scale)
    if not files:
        names = " or ".join((title, *SETS[title].aliases))
        raise InputError(
            f"{title} is not below {root} ({root_option}): put its images there as {names}/*.png, or with them in "
            f"{', '.join(layouts.HR_FOLDERS)} or image_SRF_{scale or 2}; it cannot be downloaded"
        )
    folders.refuse_doubles(files)
    return files


def _place(title: str, root: Path) -> Path:
    """The folder of a set below `root`, whatever it is called there; the one to be made if there is none."""
    return layouts.find_set(root, (title, *SETS[title].aliases)) or root / title


def _local_hr(title: str, split: Split, root: Path, scale: int | None) -> dict[str, Path]:
    """Name -> path of the HR images of a set that lies below `root`; empty if none do."""
    entry, place = SETS[title], _place(title, root)
    if not place.is_dir():
        return {}
    if not entry.ids:
        return layouts.find_hr(place, more=entry.folders.get(split, ()), scale=scale)
    for folder in entry.folders[split]:
        found = layouts.subfolder(place, folder)
        files = layouts.find_hr(found, more=(), scale=scale) if found else {}
        files = {name: path for name, path in files.items() if path.stem.isdigit() and int(path.stem) in entry.ids[split]}
        if files:
            return files
    return {}


def _lr_files(title: str, split: Split, scale: int, root: Path, root_option: str) -> dict[str, Path | Bad]:
    """HR name -> path of its LR image, for a set that is no union; downloads what is missing and can be had."""
    names = list(_hr_files(title, split, scale, root, root_option))
    place = _place(title, root)
    archive = SETS[title].archives.get(f"{split}_x{scale}")
    try:
        return layouts.find_lr((place,), names, scale=scale, what=title)
    except InputError:
        if archive is None or all((place / folder).exists() for folder in archive.holds.values()):
            raise
    _fetch(archive, place, root_option, what=title)
    return layouts.find_lr((place,), names, scale=scale, what=title)


def _fetch(archive: Archive, place: Path, root_option: str, *, what: str) -> None:
    """Downloads an archive and unpacks it to below `place`; the archive itself is not kept."""
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
        reason = error.strerror or error
        raise InputError(f"{place} cannot be written ({reason}); give another folder as {root_option}") from error


def _say_differences(image_set: ImageSet, titles: Sequence[str], *, expected: int, cache: Path) -> None:
    """Says how a set differs from the published one in number or, where that is known, in pixels."""
    difference = None
    if all(checksums.published(title) for title in titles):
        sums = checksums.sums_of(image_set, fingerprint=image_set.fingerprint, cache=cache)
        difference = checksums.differences(sums, titles)
    elif len(image_set) != expected:
        difference = f"it has {len(image_set)} images, not {expected}"
    if difference:
        _say(f"warning: {image_set.title} is not as published: {difference}")


@functools.cache
def _say(message: str) -> None:
    """Says something once in the life of the program, however often a set is opened."""
    print(message, file=sys.stderr)


def _scikit_image_data() -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("data.name=photographs needs scikit-image, which is not installed: pip install scikit-image")
    return Path(spec.submodule_search_locations[0]) / "data"
