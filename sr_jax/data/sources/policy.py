"""What is done about images that cannot be used."""

import sys
from collections.abc import Mapping
from typing import Literal

from sr_jax.data import pack
from sr_jax.data.images import Bad, Image
from sr_jax.data.sources.prepare import ImageSet
from sr_jax.errors import InputError, listing

BadImages = Literal["refuse", "skip"]


def check_pair(hr: Image, lr: Image, *, scale: int) -> str | None:
    """Why LR is not of the size of HR, cropped to a multiple of the scale and divided by it; None if it is."""
    return pack.wrong_lr_size(hr.name, hr.pixels.shape[:2], lr.pixels.shape[:2], scale=scale)


def usable(image_set: ImageSet, policy: BadImages) -> list[Image]:
    """All images of a set that can be decoded. `refuse` raises if any cannot, `skip` says which and leaves them out.

    Raises:
      InputError: naming the images that cannot be used, or if none can.
    """
    items = list(image_set)
    handle_bad_images({item.name: item.reason for item in items if isinstance(item, Bad)}, policy)
    images = [item for item in items if isinstance(item, Image)]
    if not images:
        raise InputError(f"{image_set.title} holds no usable image: all were skipped")
    return images


def handle_bad_images(reasons: Mapping[str, str], policy: BadImages) -> None:
    """Refuses the named images, or says that they are skipped. `reasons`: name -> what is wrong, with the name in it."""
    if not reasons:
        return
    if policy == "skip":
        print(f"skipping {len(reasons)} image(s):{listing(reasons.values())}", file=sys.stderr)
        return
    lines = listing(reasons.values(), most=10)
    raise InputError(f"{len(reasons)} image(s) cannot be used (data.bad_images=skip goes on without them):{lines}")
