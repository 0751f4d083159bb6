"""Sums of decoded pixels: equal for a PNG, a BMP and a WebP of one image, so that repacked sets are known again.

`pixels.tsv` has those of the small published sets; `python -m sr_jax.data.sources.checksums ROOT` prints it anew.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sr_jax.data.images import Bad, Image, decode_image
from sr_jax.data.sources import catalog, layouts

TABLE = Path(__file__).with_name("pixels.tsv")
MEASURED = ("Set5", "Set14", "T91", "General-100", "BSDS200")


class Sum(NamedTuple):
    """What tells an image from all others."""

    height: int
    width: int
    sha256: str


def pixel_sum(image: Image) -> Sum:
    """The sum of an image's pixels. Three equal channels count as one: gray is gray, however it is stored."""
    pixels = image.pixels
    if (
        pixels.shape[2] == 3
        and np.array_equal(pixels[..., 0], pixels[..., 1])
        and np.array_equal(pixels[..., 0], pixels[..., 2])
    ):
        pixels = pixels[..., :1]
    h, w, c = pixels.shape
    return Sum(h, w, hashlib.sha256(f"{h} {w} {c}\n".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest())


def sums_of(images: Iterable[Image | Bad], *, fingerprint: str, cache: Path) -> dict[str, Sum]:
    """Name -> sum of all images that can be decoded; kept in `cache`, for it takes reading the whole set."""
    note = cache / "sums" / f"{fingerprint}.json"
    if note.exists():
        return {name: Sum(*kept) for name, kept in json.loads(note.read_text()).items()}
    sums = {image.name: pixel_sum(image) for image in images if isinstance(image, Image)}
    note.parent.mkdir(parents=True, exist_ok=True)
    half = note.with_suffix(f".{os.getpid()}")
    half.write_text(json.dumps(sums))
    half.rename(note)
    return sums


def published(title: str) -> dict[str, str]:
    """Name -> sha256 of a published set's images; empty if they are not known."""
    rows = [line.split("\t") for line in TABLE.read_text().splitlines()]
    return {name: sha256 for of, name, sha256 in rows if of == title}


def differences(sums: dict[str, Sum], titles: Iterable[str]) -> str | None:
    """How images differ from the published sets, as one line; None if they do not or those are not known."""
    known = {sha256: name for title in titles for name, sha256 in published(title).items()}
    if not known:
        return None
    ours = {image.sha256: name for name, image in sums.items()}
    strange = [name for name, image in sums.items() if image.sha256 not in known]
    lost = [name for sha256, name in known.items() if sha256 not in ours]
    if not strange and not lost:
        return None
    return f"{_some(strange)} of {len(sums)} have other pixels; of the published images {_some(lost)} are not among them"


def _some(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else "none"


def main(root: Path) -> None:
    """Prints the table of the sets below `root`."""
    for title in MEASURED:
        place = layouts.find_set(root, (title, *catalog.SETS[title].aliases))
        assert place is not None, f"{root} has no {title}"
        for name, path in layouts.find_hr(place, more=(), scale=None).items():
            folder_sum = pixel_sum(Image(name, decode_image(path.read_bytes(), name)))
            print(title, Path(name).stem, folder_sum.sha256, sep="\t")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
