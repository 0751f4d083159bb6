"""Where the HR and LR images of a set lie, in the layouts in which sets are passed around.

    Set5/*.png    Set5/{HR,GT,original,GTmod12}/*.png    Set5/image_SRF_2/img_001_SRF_2_{HR,LR}.png
    beside them   LR_bicubic/X2/babyx2.png    LRbicx2/baby.png    DIV2K_train_LR_bicubic/X2/0001x2.png

The case of folders' names never matters.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

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
        files = {path.name: path for path in folders.images_among(found.iterdir())} if found else {}
        files = {name: path for name, path in files.items() if not _is_lr_of_a_pair(path)}
        if files:
            return files
    return {}


def find_lr(places: Iterable[Path], hr: Sequence[str], *, scale: int, what: str) -> dict[str, Path]:
    """HR name -> path of its LR image, in the order of `hr`, from the first layout that holds any.

    Args:
      places: folders in which the layouts may begin.
      what: is looked for; for error messages.

    Raises:
      InputError: if no layout holds LR images, or naming the HR images whose LR is missing.
    """
    looked: list[Path] = []
    for place in places:
        for found in lr_folders(place, scale):
            looked.append(found)
            by_key: dict[str, Path] = {}
            for path in folders.images_among(found.iterdir()):
                if not path.stem.endswith("_HR"):
                    by_key.setdefault(path.stem.lower(), path)
                    by_key.setdefault(key(path.name, scale), path)
            paths = {name: by_key.get(key(name, scale)) for name in hr}
            missing = [name for name, path in paths.items() if path is None]
            if len(missing) == len(hr):
                continue
            if missing:
                more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
                raise InputError(
                    f"{what}: {found} lacks the LR image at x{scale} of {len(missing)} of {len(hr)} HR images: "
                    f"{', '.join(missing[:10])}{more}"
                )
            return {name: path for name, path in paths.items() if path}
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


def key(name: str, scale: int) -> str:
    """What an HR file and its LR file have in common: `img_001_SRF_2_LR.png`, `img_001x2.png` and `img_001.png` agree."""
    stem = re.sub(r"\.[^./]*$", "", name).lower()
    return re.sub(rf"(_srf_\d_(hr|lr)|_(hr|lr|gt)|x{scale})$", "", stem)


def _is_lr_of_a_pair(path: Path) -> bool:
    """Whether a file is the LR half of a pair in one folder, as in `image_SRF_2`."""
    return re.search(r"_LR$", path.stem) is not None
