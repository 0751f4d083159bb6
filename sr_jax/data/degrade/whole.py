"""Degrades whole images, for evaluation. The key of an image follows from its name, so that every run scores the same LR."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8, UInt32

from sr_jax.data.degrade import Batch, Degrade
from sr_jax.data.images import Image

SIDE = 128
"""Images are padded to squares whose sides are multiples of this number of LR pixels, so that few programs are compiled."""


def degrade_images(
    degrade: Degrade, images: Sequence[Image], *, scale: int
) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], dict[str, Any]]]:
    """Yields the LR image of every image, and the values drawn for it, with an axis for a batch of one.

    A gray image is repeated in three channels. Images are reflected at their borders.

    Args:
      images: images whose sides are multiples of the scale.
    """
    run = jax.jit(degrade)
    for image in images:
        height, width = image.pixels.shape[:2]
        step = SIDE * scale
        side = -(-max(height, width) // step) * step
        pads = [(degrade.margin, degrade.margin + side - size) for size in (height, width)]
        rgb = np.broadcast_to(image.pixels, (height, width, 3))
        window = np.pad(rgb, [*pads, (0, 0)], mode="symmetric")
        pairs = run(Batch(window[None], np.zeros(1, np.int32), _key(image.name)[None]))
        yield np.asarray(pairs.lr)[0, : height // scale, : width // scale], jax.device_get(pairs.drawn)


def _key(name: str) -> UInt32[np.ndarray, " 2"]:
    """The data of the random key that belongs to a name."""
    return np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], np.uint32)
