"""Whole images through a degradation, for evaluation: each draws by its name, so that every run scores the same LR."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8, UInt32

from sr_jax.data.degrade import Batch, Degrade
from sr_jax.data.images import Image

SIDE = 128
"""Images are filled up to squares whose sides are multiples of this, so that few programs are compiled."""


def degrade_images(
    degrade: Degrade, images: Sequence[Image], *, scale: int
) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], dict[str, Any]]]:
    """Yields LR and what was drawn (for a batch of one) of every image, whose sides are multiples of the scale.

    A gray image is degraded as the RGB image that looks the same. Beyond its borders an image is mirrored.
    """
    run = jax.jit(degrade)
    for image in images:
        height, width = image.pixels.shape[:2]
        step = SIDE * scale
        side = -(-max(height, width) // step) * step
        before = degrade.margin
        pads = [(before, before + side - size) for size in (height, width)]
        rgb = np.broadcast_to(image.pixels, (height, width, 3))
        window = np.pad(rgb, [*pads, (0, 0)], mode="symmetric")
        pairs = run(Batch(window[None], np.zeros(1, np.int32), _key(image.name)[None]))
        yield np.asarray(pairs.lr)[0, : height // scale, : width // scale], jax.device_get(pairs.drawn)


def _key(name: str) -> UInt32[np.ndarray, " 2"]:
    """Data of the random key of a name."""
    return np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], np.uint32)
