"""Where the HR and LR images of a set lie, in the layouts in which sets are passed around.

    Set5/*.png    Set5/{HR,GT,original,GTmod12}/*.png    Set5/image_SRF_2/img_001_SRF_2_{HR,LR}.png
    beside them   LR_bicubic/X2/babyx2.png    LRbicx2/baby.png    DIV2K_train_LR_bicubic/X2/0001x2.png

The case of folders' names never matters.
"""

import collections
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sr_jax.data.images import Bad
from sr_jax.data.sources import folders
from sr_jax.errors import InputError

HR_FOLDERS = ("HR", "GT", "original", "GTmod12")
"""By preference: whole images first, cropped ones last."""
LR_FOLDERS = ("LR_bicubic/X{s}", "LRbicx{s}", "LR_bicubic_X{s}", "LR_bicubic/x{s}", "LR/X{s}", "image_SRF_{s}")
SCALES = (2, 3, 4, 8)


def subfolder(folder: Path, path: str) -> Path | None:
    """A folder below another by its path, in any case; None if there is none."""
    for part in path.split("/"):
        if not folder.is_dir():
            return None
        exact = folder / part
        others = sorted(inner for inner in folder.iterdir() if inner.name.lower() == part.lower() and inner.is_dir())
        if not exact.is_dir() and not others:
            return None
        folder = exact if exact.is_dir() else others[0]
    return folder


def find_set(root: Path, names: Iterable[str]) -> Path | None:
    """The first folder below `root` that bears one of the names, in any case."""
    return next((found for name in names if (found := subfolder(root, name))), None)


def find_hr(folder: Path, *, more: Sequence[str], scale: int | None) -> dict[str, Path]:
    """Name -> path of a set's HR images, from the first layout that holds any; empty if none does.

    Args:
      more: folders to look into first, which this set alone has.
      scale: `image_SRF_s` has another HR, cropped to a multiple, for each scale; without it the smallest scale's is taken.
    """
    by_scale = [f"image_SRF_{s}" for s in ((scale,) if scale else SCALES)]
    for place in (*more, *HR_FOLDERS, ".", *by_scale):
        found = folder if place == "." else subfolder(folder, place)
        files = folders.images_among(found.iterdir()) if found else []
        half = r"_HR$" if found and holds_pairs(found) else r"(?<!_LR)$"
        files = {path.name: path for path in files if re.search(half, path.stem, re.IGNORECASE)}
        if files:
            return files
    return {}


def find_lr(places: Iterable[Path], hr: Sequence[str], *, scale: int, what: str) -> dict[str, Path | Bad]:
    """HR name -> path of its LR image, or that it has none, in the order of `hr`; from the first layout that holds any.

    Args:
      places: folders in which the layouts may begin.
      what: is looked for; for error messages.

    Raises:
      InputError: if no layout holds LR images, or naming the files if it cannot be said whose LR image one is.
    """
    looked: list[Path] = []
    for place in places:
        for found in lr_folders(place, scale):
            looked.append(found)
            paths = _pair(hr, _lr_files(found), scale=scale, what=what)
            if not paths:
                continue
            return {name: paths.get(name) or Bad(name, f"{name}: {found} lacks its LR image at x{scale}") for name in hr}
    layouts = ", ".join(layout.format(s=scale) for layout in LR_FOLDERS)
    seen = f"; {', '.join(map(str, looked))} hold others" if looked else ""
    where = ", ".join(str(place) for place in places)
    raise InputError(f"{what}: no LR images at x{scale} beside its HR images; looked for {layouts} in {where}{seen}")


def lr_folders(place: Path, scale: int) -> list[Path]:
    """The folders of LR images at a scale below a place: the usual ones, and any `..._LR_bicubic/X2`."""
    usual = [subfolder(place, layout.format(s=scale)) for layout in LR_FOLDERS]
    own = sorted(place.glob("*_LR_bicubic")) if place.is_dir() else []
    found = [folder for folder in (*usual, *(subfolder(folder, f"X{scale}") for folder in own)) if folder]
    return list(dict.fromkeys(found))


def holds_pairs(folder: Path) -> bool:
    """Whether HR, LR and what others made of them lie in one folder, told apart by how their names end: `image_SRF_2`."""
    return re.fullmatch(r"image_SRF_\d", folder.resolve().name, re.IGNORECASE) is not None


def _lr_files(folder: Path) -> list[Path]:
    half = r"_LR$" if holds_pairs(folder) else r"(?<!_HR)$"
    return [path for path in folders.images_among(folder.iterdir()) if re.search(half, path.stem, re.IGNORECASE)]


def _pair(hr: Sequence[str], files: Sequence[Path], *, scale: int, what: str) -> dict[str, Path]:
    """HR name -> path of its LR image, of those that have one.

    Raises:
      InputError: naming two HR images of one LR image, or two LR images of one HR image.
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
    """What the LR image of an HR image may be called, but for its suffix, by preference.

    `baby.png` has babyx2, baby, baby_LR; `img_SRF_2_HR.png`, `img_HR.png` and `img_GT.png` have imgx2, img, img_LR too.
    """
    whole = name.rpartition(".")[0]
    bare = re.sub(r"(_SRF_\d)?_HR$|_GT$", "", whole, flags=re.IGNORECASE)
    return [f"{stem}{end}" for stem in (whole, bare) for end in (f"x{scale}", "", f"_SRF_{scale}_LR", "_LR")]
