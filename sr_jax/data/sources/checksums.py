"""Sums of decoded pixels: equal for a PNG, a BMP and a WebP of one image, so that repacked sets are known again.

`pixels.tsv` has those of the small published sets; `python -m sr_jax.data.sources.checksums ROOT` prints it anew.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from sr_jax.data.images import Bad, Image, decode_image
from sr_jax.data.sources import catalog, layouts
from sr_jax.system.files import replace_text

TABLE = Path(__file__).with_name("pixels.tsv")
MEASURED = ("Set5", "Set14", "T91", "General-100", "BSDS200")


CORNER = 64
"""Height and width of the block by which a cropped image is known again."""
LEAST_COLOURS = 16
"""That a block must have: a white page or a black border is the corner of many images. Set5's head has 19."""


class Sum(NamedTuple):
    """What tells an image from all others."""

    height: int
    width: int
    sha256: str
    corner: str | None
    """sha256 of the top left CORNER x CORNER pixels, which cropping from there leaves alone; None if they tell little."""


def pixel_sum(image: Image) -> Sum:
    """The sum of an image's pixels. Three equal channels count as one: gray is gray, however it is stored."""
    h, w, _ = image.pixels.shape
    return Sum(h, w, _sha256(image.pixels), corner_sum(image.pixels))


def corner_sum(pixels: UInt8[np.ndarray, "h w c"]) -> str | None:
    """The sum of the top left block; None if the image is smaller, or the block has few colours."""
    block = pixels[:CORNER, :CORNER]
    if block.shape[:2] != (CORNER, CORNER) or len(np.unique(block.reshape(CORNER**2, -1), axis=0)) < LEAST_COLOURS:
        return None
    return _sha256(block)


def _sha256(pixels: np.ndarray) -> str:
    if (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1]
    h, w, c = pixels.shape
    return hashlib.sha256(f"{h} {w} {c}\n".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def sums_of(images: Iterable[Image | Bad], *, fingerprint: str, cache: Path) -> dict[str, Sum]:
    """Name -> sum of all images that can be decoded; kept in `cache`, for it takes reading the whole set."""
    note = cache / "sums" / f"{fingerprint}.json"
    kept = _kept(note)
    if kept is not None:
        return kept
    sums = {image.name: pixel_sum(image) for image in images if isinstance(image, Image)}
    note.parent.mkdir(parents=True, exist_ok=True)
    replace_text(note, json.dumps(sums))
    return sums


def _kept(note: Path) -> dict[str, Sum] | None:
    """The sums in a file; None if it is not there, broken, or of an older form."""
    try:
        return {name: Sum(*kept) for name, kept in json.loads(note.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def published(title: str) -> dict[str, Sum]:
    """Name -> sum of a published set's images; empty if they are not known."""
    rows = [line.split("\t") for line in TABLE.read_text().splitlines()]
    return {name: Sum(int(h), int(w), sha256, corner or None) for of, name, h, w, sha256, corner in rows if of == title}


def differences(sums: dict[str, Sum], titles: Iterable[str]) -> str | None:
    """How images differ from the published sets, as one line; None if they do not or those are not known."""
    known = {image.sha256: name for title in titles for name, image in published(title).items()}
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
            height, width, sha256, corner = pixel_sum(Image(name, decode_image(path.read_bytes(), name)))
            print(title, Path(name).stem, height, width, sha256, corner or "", sep="\t")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
