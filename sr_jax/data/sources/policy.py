"""Decides what happens to images that cannot be used."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from sr_jax.data import pack
from sr_jax.data.images import Bad, Image
from sr_jax.errors import InputError, listing, printable

BadImages = Literal["refuse", "skip"]

Check = Callable[[Image], str | None]
"""Returns the reason why a decoded image cannot be used; None if it can."""


def split_usable(images: Iterable[Image | Bad], *, check: Check | None = None) -> tuple[list[Image], dict[str, str]]:
    """Separates the images that can be used from those that cannot.

    Args:
      check: rejects images that were decoded but cannot be used.

    Returns:
      the usable images in their order, and the reason for each of the others, by its name.
    """
    usable: list[Image] = []
    reasons: dict[str, str] = {}
    for image in images:
        if isinstance(image, Bad):
            reasons[image.name] = image.reason
        elif check and (reason := check(image)):
            reasons[image.name] = reason
        else:
            usable.append(image)
    return usable, reasons


def split_usable_pairs(
    hr: Iterable[Image | Bad], lr: Iterable[Image | Bad], *, scale: int, check: Check | None = None
) -> tuple[list[tuple[Image, Image]], dict[str, str]]:
    """Separates the pairs of HR and LR images that can be used from those that cannot.

    A pair cannot be used if either image is bad, `check` rejects the HR image, or their sizes do not fit together.

    Args:
      hr: HR images, as `open_hr` gives them.
      lr: their LR images in the same order, as `open_lr` gives them.
      check: rejects HR images that were decoded but cannot be used.

    Returns:
      the usable pairs in their order, and the reason for each of the others, by the name of its HR image.
    """
    usable: list[tuple[Image, Image]] = []
    reasons: dict[str, str] = {}
    for high, low in zip(hr, lr, strict=True):
        if isinstance(high, Bad):
            reasons[high.name] = high.reason
        elif isinstance(low, Bad):
            reasons[high.name] = low.reason
        elif reason := (check(high) if check else None) or _wrong_size(high, low, scale):
            reasons[high.name] = reason
        else:
            usable.append((high, low))
    return usable, reasons


def handle_bad_images(reasons: Mapping[str, str], policy: BadImages) -> None:
    """Stops because of images that cannot be used, or prints that they are skipped.

    Args:
      reasons: maps the name of an image to the reason, which contains the name. If it is empty, nothing happens.
      policy: `refuse` raises, `skip` prints.

    Raises:
      InputError: listing the reasons.
    """
    if not reasons:
        return
    if policy == "skip":
        print(f"skipping {len(reasons)} image(s):{listing(map(printable, reasons.values()))}", file=sys.stderr)
        return
    lines = listing(map(printable, reasons.values()), most=10)
    raise InputError(f"{len(reasons)} image(s) cannot be used (the policy 'skip' goes on without them):{lines}")


def _wrong_size(hr: Image, lr: Image, scale: int) -> str | None:
    return pack.wrong_lr_size(hr.name, hr.pixels.shape[:2], lr.pixels.shape[:2], scale=scale)
