"""Finds the HR and LR images of a set, in the folder structures in which sets are usually distributed.

    Set5/*.png    Set5/{HR,GT,original,GTmod12}/*.png    Set5/image_SRF_2/img_001_SRF_2_{HR,LR}.png
    LR images:    LR_bicubic/X2/babyx2.png    LRbicx2/baby.png    DIV2K_train_LR_bicubic/X2/0001x2.png

Upper and lower case make no difference in the names of folders.
"""

import collections
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sr_jax.data.images import Bad
from sr_jax.data.sources import folders
from sr_jax.errors import InputError

HR_FOLDERS = ("HR", "GT", "original", "GTmod12")
"""In order of preference: whole images come first, cropped ones last."""
LR_FOLDERS = ("LR_bicubic/X{s}", "LRbicx{s}", "LR_bicubic_X{s}", "LR_bicubic/x{s}", "LR/X{s}", "image_SRF_{s}")
SCALES = (2, 3, 4, 8)


def subfolder(folder: Path, path: str) -> Path | None:
    """The folder at a relative path, whatever the case of its letters; None if there is none."""
    for part in path.split("/"):
        if not folder.is_dir():
            return None
        exact = folder / part
        others = sorted(inner for inner in folder.iterdir() if inner.name.lower() == part.lower() and inner.is_dir())
        if not exact.is_dir() and not others:
            return None
        folder = exact if exact.is_dir() else others[0]
    return folder


@folders.reading()
def find_set(root: Path, names: Iterable[str]) -> Path | None:
    """The first folder in `root` that has one of the names, whatever the case of its letters."""
    return next((place for name in names if (place := subfolder(root, name))), None)


@folders.reading()
def find_hr(folder: Path, *, more: Sequence[str], scale: int | None) -> dict[str, Path]:
    """Maps the name of each HR image of a set to its path. Empty if no folder structure fits.

    Args:
      more: folders to search first, which only this set has.
      scale: `image_SRF_s` holds HR images that are cropped to multiples of s, so each scale has its own. Without a scale,
        those of the smallest one are taken.
    """
    by_scale = [f"image_SRF_{s}" for s in ((scale,) if scale else SCALES)]
    for path in (*more, *HR_FOLDERS, ".", *by_scale):
        place = folder if path == "." else subfolder(folder, path)
        images = folders.images_among(place.iterdir()) if place else []
        ending = r"_HR$" if place and holds_pairs(place) else r"(?<!_LR)$"
        files = {image.name: image for image in images if re.search(ending, image.stem, re.IGNORECASE)}
        if files:
            return files
    return {}


@folders.reading()
def find_lr(places: Iterable[Path], hr: Sequence[str], *, scale: int, what: str) -> dict[str, Path | Bad]:
    """Maps the name of each HR image to the path of its LR image, or to Bad where that is missing, in the order of `hr`.

    Args:
      places: folders in which a folder structure may begin. The first folder that holds any LR image of `hr` is taken.
      hr: names of the HR images.
      what: the set, for error messages.

    Raises:
      InputError: if there are no LR images at this scale, or an LR image could belong to several HR images or the reverse.
    """
    places = list(places)
    searched: list[Path] = []
    for place in places:
        for folder in lr_folders(place, scale):
            searched.append(folder)
            paths = _pair(hr, _lr_files(folder), scale=scale, what=what)
            if paths:
                return {name: paths.get(name) or Bad(name, f"{name}: {folder} lacks its LR image at x{scale}") for name in hr}
    usual = ", ".join(path.format(s=scale) for path in LR_FOLDERS)
    others = f"; {', '.join(map(str, searched))} hold others" if searched else ""
    where = ", ".join(map(str, places))
    raise InputError(f"{what}: no LR images at x{scale} beside its HR images; looked for {usual} in {where}{others}")


@folders.reading()
def lr_folders(place: Path, scale: int) -> list[Path]:
    """The folders in `place` that may hold LR images at a scale: the usual ones, and any `..._LR_bicubic/X2`."""
    usual = [subfolder(place, path.format(s=scale)) for path in LR_FOLDERS]
    own = sorted(place.glob("*_LR_bicubic")) if place.is_dir() else []
    present = [folder for folder in (*usual, *(subfolder(folder, f"X{scale}") for folder in own)) if folder]
    return list(dict.fromkeys(present))


def holds_pairs(folder: Path) -> bool:
    """Whether HR, LR and the results of other methods share this folder, and the ends of their names tell which is which.

    `image_SRF_2` is such a folder.
    """
    return re.fullmatch(r"image_SRF_\d", folder.resolve().name, re.IGNORECASE) is not None


def _lr_files(folder: Path) -> list[Path]:
    ending = r"_LR$" if holds_pairs(folder) else r"(?<!_HR)$"
    return [path for path in folders.images_among(folder.iterdir()) if re.search(ending, path.stem, re.IGNORECASE)]


def _pair(hr: Sequence[str], files: Sequence[Path], *, scale: int, what: str) -> dict[str, Path]:
    """Maps the names of HR images to the paths of their LR images. HR images without one are left out.

    Raises:
      InputError: if one LR image fits two HR images, or two LR images fit one HR image.
    """
    exact, any_case = collections.defaultdict(list), collections.defaultdict(list)
    for path in files:
        exact[path.stem].append(path)
        any_case[path.stem.lower()].append(path)
    paths: dict[str, Path] = {}
    owners: dict[Path, str] = {}
    for name in hr:
        stems = lr_stems(name, scale)
        fitting = [exact[stem] for stem in stems if stem in exact]
        fitting += [any_case[stem.lower()] for stem in stems if stem.lower() in any_case]
        if not fitting:
            continue
        path, *others = fitting[0]
        if others:
            raise InputError(f"{what}: {path} and {others[0]} may both be the LR image of {name}; remove one")
        if path in owners:
            raise InputError(f"{what}: {path} may be the LR image of both {owners[path]} and {name}; rename the LR images")
        paths[name], owners[path] = path, name
    return paths


def lr_stems(name: str, scale: int) -> list[str]:
    """The names, without suffix, that the LR image of an HR image may have, in order of preference.

    For `baby.png` they are babyx2, baby, baby_SRF_2_LR and baby_LR. For `img_SRF_2_HR.png`, `img_HR.png` and `img_GT.png`,
    the same names are also tried with `img`.
    """
    whole = name.rpartition(".")[0]
    bare = re.sub(r"(_SRF_\d)?_HR$|_GT$", "", whole, flags=re.IGNORECASE)
    return [f"{stem}{end}" for stem in (whole, bare) for end in (f"x{scale}", "", f"_SRF_{scale}_LR", "_LR")]
