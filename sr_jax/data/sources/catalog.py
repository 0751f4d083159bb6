"""The catalog of named sets: their names, numbers of images, citations, licences and archives."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Literal, NamedTuple

from sr_jax.errors import InputError

Split = Literal["train", "test"]


class Archive(NamedTuple):
    """An official archive of a set, or of a part of it."""

    url: str
    checksum: str
    """`sha256:...` or `md5:...` of the file."""
    size: int | None
    """Bytes; None if the number is not known."""
    holds: dict[str, str]
    """Maps folders in the archive to folders in the set."""


@dataclasses.dataclass(frozen=True)
class Published:
    """A set that papers use under a name."""

    images: int
    citation: str
    licence: str
    aliases: tuple[str, ...] = ()
    """Other names that its folder may have. Upper and lower case make no difference."""
    parts: tuple[str, ...] = ()
    """The sets that a union joins; empty if the set is not a union."""
    ids: Mapping[str, range] = dataclasses.field(default_factory=dict)
    """Maps each split to the numbers of its images, where file names are numbers and the splits may share a folder."""
    folders: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Maps each split to folders of its HR images, in addition to those that any set may have."""
    archives: Mapping[str, Archive] = dataclasses.field(default_factory=dict)
    """The archives that can be downloaded, by `train` and `test`, and by `train_x2` and so on for LR images."""


class Photographs(NamedTuple):
    """The photographs of scikit-image, by split."""

    train: tuple[str, ...]
    test: tuple[str, ...]


# benchmarks/photographs.py measures which photographs to use, and docs/decisions.md gives the reasons.
PHOTOGRAPHS = Photographs(
    train=(
        "brick.png",
        "camera.png",
        "coins.png",
        "grass.png",
        "gravel.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "rocket.jpg",
    ),
    test=("astronaut.png", "chelsea.png", "coffee.png"),
)

_BERKELEY = "Martin, Fowlkes, Tal, Malik: A Database of Human Segmented Natural Images. ICCV 2001."
_BERKELEY_TERMS = "non-commercial research and education"
_NTIRE = "Agustsson, Timofte: NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study. CVPRW 2017."
_EDSR = "Lim, Son, Kim, Nah, Lee: Enhanced Deep Residual Networks for Single Image Super-Resolution. CVPRW 2017."
_YANG = "Yang, Wright, Huang, Ma: Image Super-Resolution via Sparse Representation. IEEE TIP 2010."
_FSRCNN = "Dong, Loy, Tang: Accelerating the Super-Resolution Convolutional Neural Network. ECCV 2016."


def _div2k(folder: str, size: int, sha256: str) -> Archive:
    """The archive of one folder. tensorflow-datasets publishes the checksums."""
    folder = f"DIV2K_{folder}"
    url = f"https://data.vision.ee.ethz.ch/cvl/DIV2K/{folder.replace('/', '_')}.zip"
    return Archive(url, f"sha256:{sha256}", size, {folder: folder})


# fmt: off
_DIV2K_ARCHIVES = {
    "train": _div2k("train_HR", 3530603713, "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335"),
    "train_x2": _div2k("train_LR_bicubic/X2", 925390592, "a53a424317575838dadce4bcd97cf7b744d6855f43740ed5f0245af3cf4bd850"),
    "train_x3": _div2k("train_LR_bicubic/X3", 427847282, "ad5c8e5507e2765823d3c2c5bd0934842efcd487c5370604c224090898b3163a"),
    "train_x4": _div2k("train_LR_bicubic/X4", 246914039, "f006b837f4eb52b82909aa01478e6d6d199eefce932179491d0c9dbb706dde3a"),
    "test": _div2k("valid_HR", 448993893, "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc"),
    "test_x2": _div2k("valid_LR_bicubic/X2", 117763600, "60eed9875c697df51204aa579e2a699e1d5215095788a097ff54dd17e2664d57"),
    "test_x3": _div2k("valid_LR_bicubic/X3", 54513392, "04b9a2ed3b4a0715d3924d3ae8514830c3328fac8d30512ce716d6f419e052a3"),
    "test_x4": _div2k("valid_LR_bicubic/X4", 31505881, "a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553"),
}
# fmt: on

# Its authors publish no checksum. Two public data loaders have this one. As an MD5 sum it detects damage, but not forgery.
_FLICKR2K = Archive(
    "https://cv.snu.ac.kr/research/EDSR/Flickr2K.tar",
    "md5:5d3f39443d5e9489bff8963f8f26cb03",
    None,
    {"Flickr2K/Flickr2K_HR": "Flickr2K_HR", "Flickr2K/Flickr2K_LR_bicubic": "Flickr2K_LR_bicubic"},
)

SETS: dict[str, Published] = {
    "photographs": Published(
        len(PHOTOGRAPHS.train) + len(PHOTOGRAPHS.test),
        "van der Walt et al.: scikit-image: image processing in Python. PeerJ 2014.",
        "public domain or CC0, but for the Middlebury motorcycle pair",
    ),
    "Set5": Published(
        5,
        "Bevilacqua, Roumy, Guillemot, Alberi Morel: Low-Complexity Single-Image Super-Resolution. BMVC 2012.",
        "none stated",
    ),
    "Set14": Published(
        14,
        "Zeyde, Elad, Protter: On Single Image Scale-Up Using Sparse-Representations. Curves and Surfaces 2010.",
        "none stated",
    ),
    "B100": Published(100, _BERKELEY, _BERKELEY_TERMS, aliases=("BSD100", "BSDS100")),
    "Urban100": Published(
        100,
        "Huang, Singh, Ahuja: Single Image Super-Resolution from Transformed Self-Exemplars. CVPR 2015.",
        "none stated; its photographs were published on Flickr under Creative Commons licences",
    ),
    "Manga109": Published(
        109,
        "Matsui et al.: Sketch-based Manga Retrieval using Manga109 Dataset. Multimedia Tools and Applications 2017.",
        "academic use only, on application to its authors",
    ),
    "T91": Published(91, _YANG, "none stated", aliases=("91-image", "91-images", "Train_91", "Yang91")),
    "General-100": Published(100, _FSRCNN, "none stated", aliases=("General100",)),
    "BSDS200": Published(199, _BERKELEY, _BERKELEY_TERMS, aliases=("BSD200",)),
    "91": Published(91, _YANG, "none stated", parts=("T91",)),
    "291": Published(290, f"{_YANG} {_BERKELEY}", f"none stated; {_BERKELEY_TERMS}", parts=("T91", "BSDS200")),
    "91+General-100": Published(191, f"{_YANG} {_FSRCNN}", "none stated", parts=("T91", "General-100")),
    "DIV2K": Published(
        900,
        _NTIRE,
        "academic research only; the copyright remains with the owners of the images",
        ids={"train": range(1, 801), "test": range(801, 901)},
        folders={
            "train": ("DIV2K_train_HR", "DIV2K_train_HR/DIV2K_train_HR"),
            "test": ("DIV2K_valid_HR", "DIV2K_valid_HR/DIV2K_valid_HR", "DIV2K_train_HR"),
        },
        archives=_DIV2K_ARCHIVES,
    ),
    "Flickr2K": Published(
        2650,
        _EDSR,
        "none stated; the copyright remains with the owners of the photographs",
        folders=dict.fromkeys(("train", "test"), ("Flickr2K_HR", "Flickr2K/Flickr2K_HR")),
        archives=dict.fromkeys(_DIV2K_ARCHIVES, _FLICKR2K),  # it holds everything
    ),
    "DF2K": Published(3450, f"{_NTIRE} {_EDSR}", "academic research only", parts=("DIV2K", "Flickr2K")),
}


def find(name: str) -> str:
    """Returns the title of the set with this title or alias, in upper or lower case.

    Raises:
      InputError: if there is none, with the nearest title.
    """
    titles = {known.lower(): title for title, entry in SETS.items() for known in (title, *entry.aliases)}
    if name.lower() in titles:
        return titles[name.lower()]
    near = difflib.get_close_matches(name.lower(), titles, n=1, cutoff=0.5)
    hint = f"did you mean {titles[near[0]]}? " if near else ""
    raise InputError(f"unknown set {name!r}; {hint}known: {', '.join(SETS)}")


def parts(title: str) -> tuple[str, ...]:
    """The sets that a union joins; the set itself if it is not a union."""
    return SETS[title].parts or (title,)


def expected(title: str, split: Split) -> int:
    """The number of images in a split of a set, or in the whole set if it has no splits."""
    if title == "photographs":
        return len(getattr(PHOTOGRAPHS, split))
    entry = SETS[title]
    return len(entry.ids[split]) if entry.ids else entry.images
