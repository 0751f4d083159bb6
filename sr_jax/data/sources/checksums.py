"""Checksums of decoded pixels, which recognise an image whether it is stored as PNG, BMP or WebP.

`pixels.tsv` has the checksums of the small published sets. `python -m sr_jax.data.sources.checksums ROOT` prints it again.
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
from sr_jax.data.sources import catalog, locate
from sr_jax.errors import InputError
from sr_jax.system.files import read_json, replace_text

TABLE = Path(__file__).with_name("pixels.tsv")
MEASURED = ("Set5", "Set14", "T91", "General-100", "BSDS200")

CORNER = 64
"""Height and width of the block that identifies a cropped image."""
LEAST_COLOURS = 16
"""Colours that the block must have: many images have a white or black corner. That of Set5's head has 19."""


class Sum(NamedTuple):
    """Identifies an image."""

    height: int
    width: int
    sha256: str
    corner: str | None
    """sha256 of the top left CORNER x CORNER pixels, which remain when the image is cropped; None if they are not typical."""


def pixel_sum(image: Image) -> Sum:
    """The checksum of an image's pixels. A gray image has the same one with one channel as with three."""
    h, w, _ = image.pixels.shape
    return Sum(h, w, _sha256(image.pixels), corner_sum(image.pixels))


def corner_sum(pixels: UInt8[np.ndarray, "h w c"]) -> str | None:
    """The checksum of the top left block; None if the image is smaller, or the block has few colours."""
    block = pixels[:CORNER, :CORNER]
    if block.shape[:2] != (CORNER, CORNER) or len(np.unique(block.reshape(CORNER**2, -1), axis=0)) < LEAST_COLOURS:
        return None
    return _sha256(block)


def _sha256(pixels: np.ndarray) -> str:
    if (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1]
    h, w, c = pixels.shape
    digest = hashlib.sha256(f"{h} {w} {c}\n".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def sums_of(images: Iterable[Image | Bad], *, fingerprint: str, cache: Path) -> dict[str, Sum]:
    """Maps the name of each image that can be decoded to its checksum. The result is kept in the cache folder."""
    stored = _read(_file(fingerprint, cache))
    if stored is not None:
        return stored
    sums = {image.name: pixel_sum(image) for image in images if isinstance(image, Image)}
    _write(sums, _file(fingerprint, cache))
    return sums


def keep(sums: dict[str, Sum], *, fingerprint: str, cache: Path) -> None:
    """Keeps checksums that are known already for `sums_of`."""
    file = _file(fingerprint, cache)
    if not file.exists():
        _write(sums, file)


def _write(sums: dict[str, Sum], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, json.dumps(sums))


def _file(fingerprint: str, cache: Path) -> Path:
    return cache / "sums" / f"{fingerprint}.json"


def _read(file: Path) -> dict[str, Sum] | None:
    """The checksums in a file; None if it is missing, damaged, or of an older format."""
    try:
        return {name: Sum(*fields) for name, fields in read_json(file).items()}
    except (InputError, TypeError):
        return None


def published(title: str) -> dict[str, Sum]:
    """Maps the names of a published set's images to their checksums. Empty if these are not known."""
    rows = [line.split("\t") for line in TABLE.read_text().splitlines()]
    return {name: Sum(int(h), int(w), sha256, corner or None) for owner, name, h, w, sha256, corner in rows if owner == title}


def differences(sums: dict[str, Sum], titles: Iterable[str]) -> str | None:
    """Describes in one line how images differ from published sets. None if they do not, or the checksums are not known."""
    known = {image.sha256: name for title in titles for name, image in published(title).items()}
    if not known:
        return None
    ours = {image.sha256: name for name, image in sums.items()}
    different = [name for name, image in sums.items() if image.sha256 not in known]
    missing = [name for sha256, name in known.items() if sha256 not in ours]
    if not different and not missing:
        return None
    return f"{_some(different)} of {len(sums)} have other pixels; of the published images {_some(missing)} are not among them"


def _some(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else "none"


def main(root: Path) -> None:
    """Prints the table for the sets in a data root."""
    for title in MEASURED:
        place = locate.find_set(root, (title, *catalog.SETS[title].aliases))
        assert place is not None, f"{root} has no {title}"
        for name, path in locate.find_hr(place, more=(), scale=None).items():
            height, width, sha256, corner = pixel_sum(Image(name, decode_image(path.read_bytes(), name)))
            print(title, Path(name).stem, height, width, sha256, corner or "", sep="\t")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
