"""How an image is scored: what LR is made of HR, what of the result is compared, in which numbers.

The network is given Y of the LR image, or RGB, and returns the same of the SR image; a protocol does the rest, on the host in
float64, so that the same decibels come out whatever accelerator ran the network. `docs/evaluation.md` explains both protocols
and says which published figures were made with which.
"""

import abc
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

from sr_jax import metrics
from sr_jax.data.images import Image
from sr_jax.data.pack import crop_to_multiple
from sr_jax.errors import InputError
from sr_jax.ops.color import rgb_to_ycbcr, to_float, to_uint8, ycbcr_to_rgb
from sr_jax.ops.resize import imresize_host

COMPUTED = "computed"
"""Where LR is from: reduced bicubically. Else `files`, or the stages of a degradation."""


class Task(NamedTuple):
    """One image to upscale and to score."""

    set: str
    image: str
    scale: int
    hr: UInt8[np.ndarray, "sh sw c"]
    """Cropped to multiples of the scale."""
    lr: UInt8[np.ndarray, "h w c"]
    """The LR image to look at; what a network reads under `rgb-uint8`."""
    y: Float32[np.ndarray, "h w 1"]
    """The LR image's Y channel in [0, 1], as a network reads it."""
    known: Any = None
    """What is known of the degradation, for networks that are told."""

    def as_read(self, channels: int) -> Float32[np.ndarray, "h w c"]:
        """What a network reads, in [0, 1]: Y, or RGB, where a gray image stands in all three channels."""
        rgb = np.broadcast_to(self.lr, (*self.lr.shape[:2], 3))
        return self.y if channels == 1 else to_float(rgb).astype(np.float32)


class Picture(NamedTuple):
    """An SR image as it is scored."""

    pixels: UInt8[np.ndarray, "sh sw c"]
    y: Float[np.ndarray, "sh sw 1"]
    """Its Y channel in grey levels."""


class Protocol(abc.ABC):
    """What a protocol decides."""

    name: str
    description: str
    """How LR is made and what is scored, in one line, with {lr} and {scale}."""
    bicubic_lr: str
    """How LR is made by bicubic reduction."""
    takes_lr_files: bool
    """Whether LR may come from image files, or from a degradation, as 8-bit RGB; and so whether networks may read RGB."""

    def describe(self, *, scale: int, lr_source: str) -> str:
        """In one line how images are scored, with where their LR is from, as in `Stamp`."""
        lr = self.bicubic_lr if lr_source == COMPUTED else f"{lr_source}, 8-bit RGB"
        return self.description.format(scale=scale, lr=lr)

    @abc.abstractmethod
    def task(self, image: Image, *, set: str, scale: int, lr: np.ndarray | None) -> Task:
        """Prepares an image; `lr` is its LR file, None to compute it."""

    @abc.abstractmethod
    def reference_y(self, task: Task) -> Float[np.ndarray, "sh sw 1"]:
        """Y of the HR image in grey levels."""

    @abc.abstractmethod
    def bicubic(self, task: Task) -> Picture:
        """Bicubic interpolation's SR image."""

    @abc.abstractmethod
    def picture(self, task: Task, sr: Float[np.ndarray, "sh sw c"]) -> Picture:
        """The SR image of a network that returned `sr`, in [0, 1]: Y, to which in colour CbCr are enlarged bicubically; or RGB,
        which for a gray image is averaged."""


class Papers(Protocol):
    """The protocol of SRCNN's published MATLAB code, and so of FSRCNN, VDSR, LapSRN and of the published bicubic rows.

    HR is converted to 8-bit Y first; LR is that Y resized in floating point and not rounded; SR's Y is rounded to 8 bits.
    """

    name = "papers"
    description = "LR: {lr}; scored: Y rounded to 8 bits, RGB with bicubic CbCr; {scale} px shaved"
    bicubic_lr = "MATLAB bicubic of 8-bit Y, not rounded"
    takes_lr_files = False

    def task(self, image: Image, *, set: str, scale: int, lr: np.ndarray | None) -> Task:
        assert lr is None
        hr = crop_to_multiple(image.pixels, scale)
        y = _resize(_y8(hr).astype(np.float64), 1 / scale) / 255
        return Task(set, image.name, scale, hr, _resize(hr, 1 / scale), y.astype(np.float32))

    def reference_y(self, task: Task) -> np.ndarray:
        return _y8(task.hr).astype(np.float64)

    def bicubic(self, task: Task) -> Picture:
        y = _resize(_y8(task.hr).astype(np.float64), 1 / task.scale)  # in float64, as MATLAB's
        return self.picture(task, _resize(y, task.scale) / 255)

    def picture(self, task: Task, sr: np.ndarray) -> Picture:
        assert sr.shape[-1] == 1
        y = to_uint8(sr)
        if task.hr.shape[-1] == 1:
            return Picture(y, y.astype(np.float64))
        cbcr = rgb_to_ycbcr(task.hr)[..., 1:].astype(np.float64)
        cbcr = _resize(_resize(cbcr, 1 / task.scale), task.scale) / 255
        return Picture(ycbcr_to_rgb(np.concatenate([y, to_uint8(cbcr)], -1)), y.astype(np.float64))


class RgbUint8(Protocol):
    """The protocol of the networks since EDSR: an 8-bit RGB image in, an 8-bit RGB image out, as a user would see them."""

    name = "rgb-uint8"
    description = "LR: {lr}; scored: 8-bit RGB and its Y (BT.601), not rounded; {scale} px shaved"
    bicubic_lr = "MATLAB bicubic of 8-bit RGB"
    takes_lr_files = True

    def task(self, image: Image, *, set: str, scale: int, lr: np.ndarray | None) -> Task:
        hr = crop_to_multiple(image.pixels, scale)
        lr = _resize(hr, 1 / scale) if lr is None else lr
        return Task(set, image.name, scale, hr, lr, (_ycbcr(lr)[..., :1]).astype(np.float32))

    def reference_y(self, task: Task) -> np.ndarray:
        return metrics.luma(task.hr)

    def bicubic(self, task: Task) -> Picture:
        pixels = _resize(task.lr, task.scale)
        return Picture(pixels, metrics.luma(pixels))

    def picture(self, task: Task, sr: np.ndarray) -> Picture:
        if task.hr.shape[-1] == 1:
            pixels = to_uint8(sr.mean(-1, keepdims=True))
        elif sr.shape[-1] == 3:
            pixels = to_uint8(sr)
        else:
            cbcr = _resize(_ycbcr(task.lr)[..., 1:], task.scale)
            pixels = to_uint8(ycbcr_to_rgb(np.concatenate([sr, cbcr], -1)))
        return Picture(pixels, metrics.luma(pixels))


PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (Papers(), RgbUint8())}
PUBLISHED = "published"
"""Instead of a protocol's name: the one with which networks of the kind are published."""


def choose(name: str, *, channels: Collection[int], rgb_lr: str, option: str) -> Protocol:
    """The protocol of that name, or the published one: `papers` for networks that read Y, `rgb-uint8` for those that read RGB.

    Args:
      channels: that the networks read.
      rgb_lr: why LR must be 8-bit RGB, if it must: because it comes from files, or from a degradation of RGB.
      option: what names the protocol, for errors.

    Raises:
      InputError: if the protocol cannot score these.
    """
    if name == PUBLISHED:
        return PROTOCOLS["rgb-uint8" if rgb_lr or 3 in channels else "papers"]
    protocol = PROTOCOLS[name]
    if not protocol.takes_lr_files and (rgb_lr or 3 in channels):
        why = rgb_lr or "the network reads RGB"
        raise InputError(f"{option}{name}: it makes Y of LR in floating point, but {why}; use {option}rgb-uint8")
    return protocol


def _resize(x: np.ndarray, scale: float | int) -> np.ndarray:
    return imresize_host(x, scale=scale, kernel="bicubic", antialias=True)


def _y8(image: np.ndarray) -> np.ndarray:
    """Y of an 8-bit image, rounded to 8 bits, as MATLAB's `rgb2ycbcr`; a gray image is its own Y."""
    return image if image.shape[-1] == 1 else rgb_to_ycbcr(image)[..., :1]


def _ycbcr(image: np.ndarray) -> np.ndarray:
    """YCbCr of an 8-bit RGB image in [0, 1], not rounded; of a gray image itself."""
    return to_float(image) if image.shape[-1] == 1 else rgb_to_ycbcr(to_float(image))
