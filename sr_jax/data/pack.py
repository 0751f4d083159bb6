"""Packs: the decoded images of a set in one file of pixels, mapped into memory, and windows cut from them.

Images are decoded once, when their pack is made. They are stored uncropped, so that one pack serves all scales. Their pixels
lie row by row, so that a window inside an image is one slice. Windows are cut on the host or on a device.
"""

import hashlib
import json
import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from sr_jax.data import prepared
from sr_jax.data.images import Bad, Image
from sr_jax.data.plan import Plan
from sr_jax.errors import InputError, TrainingError, is_full
from sr_jax.system.files import read_json, replace_text

BLOCK = 2**20
"""Pixels in a block. With an index in two parts, 32 bits, in which devices compute, are enough for sets of any size."""

VERSION = 1
PIXELS, INDEX = "pixels", "index.json"


class Pack(NamedTuple):
    """Images one after another, row by row. A pytree of NumPy arrays, or of JAX arrays when it is on a device."""

    pixels: Any  # UInt8 "blocks within 3"
    """The pixels of all images in blocks. The last block is filled up."""
    block: Any  # Int32 " images"
    """The block of each image's first pixel."""
    within: Any  # Int32 " images"
    """The place of that pixel within the block."""
    height: Any  # Int32 " images"
    width: Any  # Int32 " images"
    pitch: Any  # Int32 " images"
    """Pixels from one row to the next, which is the width of the stored image."""


Stored = TypeVar("Stored", bound=Any)
"""A `Pack`, or `records.Records`: first where the pixels are, and then arrays with an entry for each image."""


class Index(NamedTuple):
    """The contents of a pack, in the order in which the images came."""

    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each image; 0 and 0 if it cannot be used."""
    bad: dict[str, str]
    """Maps the name of each image that cannot be used to the reason."""
    digest: str
    """A digest of names and decoded pixels, with which a resumed run recognises its images."""


def build(images: Iterable[Image | Bad], *, place: Path, fingerprint: str) -> tuple[Pack, Index]:
    """Opens a pack. If it is missing, incomplete, changed, or made of other images, the images are decoded into it first.

    Args:
      images: read only if they must be decoded. Gray images get three equal channels.
      place: the pack's folder, in the cache folder.
      fingerprint: identifies the images before they are decoded.

    Returns:
      the pack, with its pixels mapped into memory, and its index.

    Raises:
      InputError: if the folder cannot be written.
      TrainingError: if its disk is full.
    """
    return prepared.open_or_make(
        place,
        open_=lambda: _open(place, fingerprint),
        make=lambda: _make(images, place, fingerprint),
        waiting_for=None,
    )


def _open(place: Path, fingerprint: str) -> tuple[Pack, Index] | None:
    """The pack in a folder; None if it is missing, incomplete, changed, or made of other images."""
    try:
        note = read_json(place / INDEX)
        with (place / PIXELS).open("rb") as file:
            if note["pack"] != _identity(file, fingerprint):
                return None
            pixels = np.asarray(np.memmap(file, np.uint8, "r")).reshape(-1, BLOCK, 3)
        index = Index(tuple(note["names"]), tuple((h, w) for h, w in note["sizes"]), note["bad"], note["digest"])
    except (OSError, ValueError, KeyError, TypeError):  # an InputError of `read_json` is a ValueError
        return None
    return _lay_out(pixels, index.sizes), index


def _identity(file: BinaryIO, fingerprint: str) -> dict[str, Any]:
    """Identifies a pack: the images that it was made of, and the state of its pixels, which no other program may change."""
    status = os.stat(file.fileno())
    return {"version": VERSION, "of": fingerprint, "bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _lay_out(pixels: np.ndarray, sizes: tuple[tuple[int, int], ...]) -> Pack:
    height, width = np.array(sizes, np.int64).reshape(-1, 2).T
    offset = np.cumsum(height * width) - height * width
    return Pack(pixels, *(a.astype(np.int32) for a in (*np.divmod(offset, BLOCK), height, width, width)))


def _make(images: Iterable[Image | Bad], place: Path, fingerprint: str) -> None:
    """Writes the pixels and then the index. A pack without its index does not count."""
    partial = place / f"{PIXELS}.partial"
    sizes: list[tuple[int, int]] = []
    try:
        (place / INDEX).unlink(missing_ok=True)
        with partial.open("wb") as file:
            index = _write_pixels(images, file, sizes)
            os.fsync(file.fileno())
        partial.replace(place / PIXELS)
        with (place / PIXELS).open("rb") as file:
            note = {"pack": _identity(file, fingerprint), **index._asdict()}
        replace_text(place / INDEX, json.dumps(note) + "\n")
    except OSError as error:
        if not is_full(error):
            raise
        needed = 3 * sum(h * w for h, w in sizes) * max(1, operator.length_hint(images) / max(1, len(sizes)))
        raise TrainingError(
            f"no space left in the cache folder (--cache_dir) {place}: the decoded images take about {needed / 2**30:.1f} GiB; "
            "give another folder, or start again once there is room"
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _write_pixels(images: Iterable[Image | Bad], file: BinaryIO, sizes: list[tuple[int, int]]) -> Index:
    """Writes the pixels of all images. `sizes` grows with each image, so that an error knows how far it came."""
    names, bad, digest = [], {}, hashlib.sha256()
    for image in images:
        names.append(image.name)
        if isinstance(image, Bad):
            bad[image.name] = image.reason
            sizes.append((0, 0))
            continue
        height, width, _ = image.pixels.shape
        sizes.append((height, width))
        add_to_digest(digest, image)
        file.write(np.broadcast_to(image.pixels, (height, width, 3)).tobytes())
    pixels = sum(h * w for h, w in sizes)
    file.truncate(max(1, -(-pixels // BLOCK)) * BLOCK * 3)
    return Index(tuple(names), tuple(sizes), bad, digest.hexdigest())


def add_to_digest(digest: Any, image: Image) -> None:
    """Adds an image to the hash that becomes `Index.digest`."""
    digest.update(f"{image.name}\0{image.pixels.shape}\n".encode())
    digest.update(np.ascontiguousarray(image.pixels).data)


def crop_to_multiple(pixels: np.ndarray, scale: int) -> np.ndarray:
    """The top left part whose height and width are multiples of `scale`. MATLAB code calls this `modcrop`."""
    h, w = pixels.shape[:2]
    return pixels[: h - h % scale, : w - w % scale]


def crop(images: Stored, *, scale: int) -> Stored:
    """The same images, each cropped as `crop_to_multiple` does. No pixel is copied."""
    return images._replace(height=images.height - images.height % scale, width=images.width - images.width % scale)


def select(images: Stored, which: list[int]) -> Stored:
    """The images with these indices. No pixel is copied."""
    return images._replace(**{name: getattr(images, name)[which] for name in images._fields[1:]})


def reorder(images: Stored, index: Index, *, names: Sequence[str]) -> tuple[Stored, Index]:
    """The images with these names, in this order. No pixel is copied.

    Raises:
      InputError: if images are missing, with their names.
    """
    place = {name: i for i, name in enumerate(index.names)}
    missing = [name for name in names if name not in place]
    if missing:
        raise InputError(f"{len(missing)} image(s) have no LR file: {', '.join(missing[:10])}")
    which = [place[name] for name in names]
    return select(images, which), index._replace(names=tuple(names), sizes=tuple(index.sizes[i] for i in which))


def mismatches(hr: Index, lr: Index, *, scale: int) -> dict[str, str]:
    """Maps the names of HR images whose LR image cannot be used to the reason: it is bad, or its size does not fit.

    Raises:
      InputError: if the number of LR images differs from that of HR images.
    """
    if len(hr.names) != len(lr.names):
        raise InputError(f"there are {len(lr.names)} LR images for {len(hr.names)} HR images")
    reasons = {}
    for name, lr_name, size, lr_size in zip(hr.names, lr.names, hr.sizes, lr.sizes, strict=True):
        if lr_name in lr.bad:
            reasons[name] = lr.bad[lr_name]
        elif name not in hr.bad and (reason := wrong_lr_size(name, size, lr_size, scale=scale)):
            reasons[name] = reason
    return reasons


def wrong_lr_size(name: str, size: tuple[int, int], lr_size: tuple[int, int], *, scale: int) -> str | None:
    """The reason why the size of an LR image does not fit its HR image, cropped to multiples of the scale; None if it does.

    Args:
      name: the name of the HR image.
      size, lr_size: height and width of the HR image, uncropped, and of the LR image.
    """
    (height, width), (h, w) = size, lr_size
    if (h, w) == (height // scale, width // scale):
        return None
    return (
        f"{name}: its LR image has {h}x{w} pixels, but HR has {height}x{width}, "
        f"which at x{scale} makes {height // scale}x{width // scale}"
    )


def cut_on_host(images: Pack, plan: Plan, *, patch: int, margin: int) -> UInt8[np.ndarray, "*n w w 3"]:
    """Cuts the planned patches, with `margin` more pixels on every side. Beyond its border an image is reflected.

    The reflection is symmetric: it repeats the border pixel.
    """
    pixels = images.pixels.reshape(-1, 3)
    size = patch + 2 * margin
    windows = np.empty((*plan.image.shape, size, size, 3), np.uint8)
    first = images.block.astype(np.int64) * BLOCK + images.within
    of_image = (a[plan.image].ravel().tolist() for a in (first, images.height, images.width, images.pitch))
    corners = ((a - margin).ravel().tolist() for a in (plan.top, plan.left))
    for window, start, height, width, pitch, y, x in zip(windows.reshape(-1, size, size, 3), *of_image, *corners, strict=True):
        if 0 <= y <= height - size and 0 <= x <= width - size:
            rows = pixels[start + y * pitch : start + (y + size) * pitch]
            window[:] = rows.reshape(size, pitch, 3)[:, x : x + size]
        else:
            image = pixels[start : start + height * pitch].reshape(height, pitch, 3)
            window[:] = image[reflect(np.arange(y, y + size), height)[:, None], reflect(np.arange(x, x + size), width)]
    return windows


def cut_on_device(images: Pack, plan: Plan, *, patch: int, margin: int) -> UInt8[Array, "b w w 3"]:
    """The same as `cut_on_host` for JAX arrays, inside a compiled function."""
    block, within, height, width, pitch = (a[plan.image][:, None] for a in images[1:])
    steps = jnp.arange(-margin, patch + margin)[None]
    rows = within + reflect(plan.top[:, None] + steps, height) * pitch
    index = rows[:, :, None] + reflect(plan.left[:, None] + steps, width)[:, None, :]
    return images.pixels[block[:, :, None] + index // BLOCK, index % BLOCK]


def reflect(index: Any, size: Any) -> Any:
    """Reflects indices that lie beyond either end, at any distance. The border pixel is repeated."""
    index = index % (2 * size)
    return index + (index >= size) * (2 * (size - index) - 1)


def check_device_memory(packs: Iterable[Pack], *, memory: int) -> None:
    """Checks that packs fit into the memory of one device.

    Args:
      memory: bytes that a device has for them.

    Raises:
      InputError: if they do not fit, with both sizes.
    """
    size = sum(pack.pixels.nbytes for pack in packs)
    if size > memory:
        raise InputError(
            f"the images take {size / 2**30:.1f} GiB, and a device has {memory / 2**30:.1f} GiB for them; use the host pipeline"
        )
