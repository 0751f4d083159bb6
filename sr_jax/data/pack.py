"""All training images, decoded, as one block of pixels, and windows cut from it: by NumPy on the host or by JAX on a device."""

import hashlib
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, UInt8

from sr_jax.data.images import Image
from sr_jax.data.plan import Plan
from sr_jax.errors import InputError


class Pack(NamedTuple):
    """Images one after another, row by row. A pytree of NumPy arrays, or of JAX arrays once it is on a device."""

    pixels: UInt8[Array | np.ndarray, "p 3"]
    offset: Any
    """Index of each image's first pixel."""
    height: Any
    width: Any


def pack(images: list[Image], *, scale: int) -> Pack:
    """Packs images, cropped from the top left to multiples of `scale`; gray ones get three equal channels."""
    cropped = [crop_to_multiple(image.pixels, scale) for image in images]
    sizes = np.array([image.shape[:2] for image in cropped], np.int64)
    ends = np.cumsum(sizes.prod(1))
    pixels = np.empty((int(ends[-1]), 3), np.uint8)
    for image, end in zip(cropped, ends, strict=True):
        pixels[end - image.shape[0] * image.shape[1] : end] = np.broadcast_to(image, (*image.shape[:2], 3)).reshape(-1, 3)
    return Pack(pixels, ends - sizes.prod(1), sizes[:, 0], sizes[:, 1])


def crop_to_multiple(pixels: np.ndarray, scale: int) -> np.ndarray:
    """MATLAB code's `modcrop`: height and width cut to multiples of `scale`, from the top left."""
    h, w = pixels.shape[:2]
    return pixels[: h - h % scale, : w - w % scale]


def digest(images: list[Image]) -> str:
    """A fingerprint of names and decoded pixels, by which a resumed run knows its images again."""
    total = hashlib.sha256()
    for image in images:
        total.update(f"{image.name}\0{image.pixels.shape}\n".encode())
        total.update(image.pixels.tobytes())
    return total.hexdigest()


def for_device(host: Pack, *, memory: int | None) -> Pack:
    """The pack with indices in the type that a device computes in.

    Args:
      memory: bytes that one device may give to it, None if unknown.

    Raises:
      InputError: if the pack is too large for a device.
    """
    limit = np.iinfo(np.int32).max
    if len(host.pixels) > limit:
        raise InputError(
            f"data.pipeline=resident: {len(host.pixels):,} pixels of images exceed the {limit:,} that a device can index; "
            "use data.pipeline=host"
        )
    if memory is not None and host.pixels.nbytes > memory:
        raise InputError(
            f"data.pipeline=resident: the images take {host.pixels.nbytes / 2**30:.1f} GiB, a device has "
            f"{memory / 2**30:.1f} GiB for them; use data.pipeline=host"
        )
    return Pack(host.pixels, *(np.asarray(a, np.int32) for a in host[1:]))


def cut_windows(images: Pack, plan: Plan, *, patch: int, margin: int, xp: ModuleType) -> UInt8[Array | np.ndarray, "b n n 3"]:
    """The planned HR patches with `margin` more pixels on every side; beyond the image stands its symmetric reflection.

    Args:
      xp: `numpy` or `jax.numpy`; the arithmetic is of integers, so both give the same bytes.
    """
    height, width = images.height[plan.image], images.width[plan.image]
    steps = xp.arange(-margin, patch + margin)
    rows = _reflect(plan.top[:, None] + steps[None], height[:, None], xp)
    columns = _reflect(plan.left[:, None] + steps[None], width[:, None], xp)
    starts = images.offset[plan.image][:, None] + rows * width[:, None]
    return images.pixels[starts[:, :, None] + columns[:, None, :]]


def _reflect(index: Any, size: Any, xp: ModuleType) -> Any:
    """Symmetric reflection, the border pixel repeated, of indices at most `size` beyond either end."""
    index = xp.where(index < 0, -1 - index, index)
    return xp.where(index >= size, 2 * size - 1 - index, index)
