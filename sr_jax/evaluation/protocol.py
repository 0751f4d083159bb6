"""Protocols: how LR is made from HR, which pixels are compared, and in which precision.

A network reads Y or RGB of the LR image and returns the same of the SR image. The protocol does the rest on the host in
float64, so the decibels do not depend on the accelerator. `docs/evaluation.md` explains both protocols and says which published
figures use which.
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
from sr_jax.ops.color import network_input, rgb_to_ycbcr, to_float, to_uint8, ycbcr_to_rgb
from sr_jax.ops.resize import imresize_host

COMPUTED = "computed"
"""The `lr_source` of bicubic LR. That of another degradation is `computed: STAGE, STAGE`."""
FILES = "files"
"""The `lr_source` of LR that is read from image files."""
KNOWN_BLUR = "use a blur, Subsample() and, last, GaussianNoise(), or bicubic"
"""Advice for networks and losses that need the blur: these degradations tell it."""


class Task(NamedTuple):
    """An image to upscale and to score."""

    set: str
    image: str
    scale: int
    hr: UInt8[np.ndarray, "sh sw c"]
    """Cropped to multiples of the scale."""
    lr: UInt8[np.ndarray, "h w c"]
    """The LR image, as sample sheets show it and networks that read RGB get it."""
    y: Float32[np.ndarray, "h w 1"]
    """Y of the LR image in [0, 1], as networks that read Y get it."""
    known: Any = None
    """What networks that must be told the degradation are told; None if it is not known."""

    def network_input(self, channels: int) -> Float32[np.ndarray, "h w {channels}"]:
        """The LR image in [0, 1] for a network with so many channels: Y, or RGB, where a gray image fills all three."""
        return self.y if channels == 1 else network_input(self.lr, channels=channels)


class Picture(NamedTuple):
    """An SR image in the form that is scored."""

    pixels: UInt8[np.ndarray, "sh sw c"]
    y: Float[np.ndarray, "sh sw 1"]
    """Its Y channel in grey levels."""


class Protocol(abc.ABC):
    """What differs between protocols."""

    name: str
    description: str
    """How LR is made and what is scored, in one line that contains {lr} and {scale}."""
    bicubic_lr: str
    """How bicubic LR is made."""
    takes_lr_files: bool
    """Whether LR may be 8-bit RGB, from image files or from a degradation. Only then may networks read RGB."""

    def describe(self, *, scale: int, lr_source: str) -> str:
        """How LR is made and what is scored, in one line; `lr_source` as in `Stamp`."""
        lr = self.bicubic_lr if lr_source == COMPUTED else f"{lr_source}, 8-bit RGB"
        return self.description.format(scale=scale, lr=lr)

    @abc.abstractmethod
    def task(self, image: Image, *, set: str, scale: int, lr: np.ndarray | None) -> Task:
        """Prepares an image. If `lr` is None, LR is made from HR by bicubic reduction."""

    @abc.abstractmethod
    def reference_y(self, task: Task) -> Float[np.ndarray, "sh sw 1"]:
        """Y of the HR image in grey levels."""

    @abc.abstractmethod
    def bicubic(self, task: Task) -> Picture:
        """The SR image of bicubic interpolation."""

    @abc.abstractmethod
    def picture(self, task: Task, sr: Float[np.ndarray, "sh sw c"]) -> Picture:
        """The SR image of a network whose output `sr` is Y or RGB in [0, 1].

        Y of a colour image gets CbCr, which is enlarged with bicubic interpolation. RGB of a gray image is averaged.
        """


class Papers(Protocol):
    """The protocol of SRCNN's published MATLAB code, which FSRCNN, VDSR, LapSRN and the published rows of bicubic use as well.

    HR is first converted to 8-bit Y. LR is that Y, resized in floating point and not rounded. Y of SR is rounded to 8 bits.
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
        y = _resize(_y8(task.hr).astype(np.float64), 1 / task.scale)  # float64, as in MATLAB; task.y is float32
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
    """The protocol of the networks since EDSR: 8-bit RGB in, 8-bit RGB out, like the files of a user."""

    name = "rgb-uint8"
    description = "LR: {lr}; scored: 8-bit RGB and its Y (BT.601), not rounded; {scale} px shaved"
    bicubic_lr = "MATLAB bicubic of 8-bit RGB"
    takes_lr_files = True

    def task(self, image: Image, *, set: str, scale: int, lr: np.ndarray | None) -> Task:
        hr = crop_to_multiple(image.pixels, scale)
        lr = _resize(hr, 1 / scale) if lr is None else lr
        return Task(set, image.name, scale, hr, lr, network_input(lr, channels=1))

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
"""Stands for the protocol with which networks of the same kind are published."""


def choose(name: str, *, channels: Collection[int], rgb_lr: str, option: str) -> Protocol:
    """The protocol with this name. `published` is `papers` for networks that read Y, and `rgb-uint8` if one reads RGB.

    Args:
      channels: the channels that each network reads.
      rgb_lr: the reason why LR must be 8-bit RGB (it comes from files, or from a degradation of RGB); empty if it need not be.
      option: the option that names the protocol, for errors.

    Raises:
      InputError: if the protocol cannot score these networks on this LR.
    """
    if name == PUBLISHED:
        return PROTOCOLS["rgb-uint8" if rgb_lr or 3 in channels else "papers"]
    protocol = PROTOCOLS[name]
    if not protocol.takes_lr_files and (rgb_lr or 3 in channels):
        reason = rgb_lr or "the network reads RGB"
        raise InputError(
            f"{option}{name}: this protocol makes LR from Y in floating point, but {reason}; use {option}rgb-uint8"
        )
    return protocol


def untold(name: str, lr_source: str, *, advice: str = KNOWN_BLUR) -> InputError:
    """The error for a network that must be told the degradation, on LR for which it is not known.

    Args:
      name: the network's name.
      lr_source: the origin of LR, as in `Stamp`.
      advice: what to do about it.
    """
    lr = "LR files do" if lr_source == FILES else f"LR made by {lr_source.removeprefix(f'{COMPUTED}: ')} does"
    return InputError(f"{name} must be told the blur kernel and the noise of each image, which {lr} not say; {advice}")


def _resize(x: np.ndarray, scale: float | int) -> np.ndarray:
    return imresize_host(x, scale=scale, kernel="bicubic", antialias=True)


def _y8(image: np.ndarray) -> np.ndarray:
    """Y of an 8-bit image, rounded to 8 bits, like MATLAB's `rgb2ycbcr`. A gray image is its own Y."""
    return image if image.shape[-1] == 1 else rgb_to_ycbcr(image)[..., :1]


def _ycbcr(image: np.ndarray) -> np.ndarray:
    """YCbCr of an 8-bit RGB image in [0, 1], not rounded. A gray image is returned as it is."""
    return to_float(image) if image.shape[-1] == 1 else rgb_to_ycbcr(to_float(image))
