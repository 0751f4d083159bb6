"""Enlarges pictures with a trained network: colours, alpha and channels of any depth."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from sr_jax.assembly.trained import Trained
from sr_jax.errors import NotFiniteError
from sr_jax.evaluation.bounded import BoundedNetwork
from sr_jax.evaluation.tiles import SIDES
from sr_jax.models import Known
from sr_jax.ops.color import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from sr_jax.ops.resize import bicubic_upsample, imresize_host
from sr_jax.pictures.alpha import bleed, within_neighbours
from sr_jax.pictures.depth import Levels, from_network, levels, to_network
from sr_jax.pictures.picture import RGB, Header, Picture

SYMMETRIES = 8


class Way(NamedTuple):
    """How a picture is enlarged."""

    dtype: str
    """Type of the samples of the result."""
    size: tuple[int, int]
    """Height and width of the result [pixels]. The network's result is resized to it, if it is another one."""
    alpha: Literal["network", "bicubic"] = "network"
    """What enlarges the opacity."""
    self_ensemble: bool = False
    """Whether the result is the mean over the eight symmetries of a square."""


class Upscaler:
    """A trained network that enlarges pictures.

    Networks that read RGB or Y get the colours of a picture. With Y, the chroma is enlarged with bicubic interpolation, in
    floating point. Gray pictures, opacity, and the channels of other pictures are enlarged as gray, each by itself.

    Args:
      memory: bytes that a program may use on a device; None for no bound.
      greatest_side: side of the largest tiles [LR pixels].
      known: what the network is told about each picture, without the axis of the batch; None unless it is told something.
    """

    def __init__(self, trained: Trained, *, memory: int | None, greatest_side: int = max(SIDES), known: Known | None = None):
        network, self.scale = trained.network, trained.config.scale
        self.known = known
        colour, gray = (
            _of_colour(network.apply, network.about.channels, self.scale),
            _of_gray(network.apply, network.about.channels),
        )
        options: dict[str, Any] = {
            "scale": self.scale,
            "params": network.params,
            "memory": memory,
            "greatest_side": greatest_side,
        }
        self._colour = BoundedNetwork(colour, network.about._replace(channels=3), **options)
        self._gray = BoundedNetwork(gray, network.about._replace(channels=1), **options)

    @property
    def why_whole(self) -> str | None:
        """Why pictures cannot be divided into tiles; None if they can, or if this is not known yet."""
        return self._colour.why_whole or self._gray.why_whole

    def networks(self, header: Header) -> list[BoundedNetwork]:
        """Returns the network that enlarges the colours of a picture, and that of its opacity if it has one."""
        colours = self._colour if header.space == RGB else self._gray
        return [colours, self._gray] if header.has_alpha else [colours]

    def prepare(self, headers: Sequence[Header], ways: Sequence[Way]) -> None:
        """Chooses the tiles for these pictures.

        Raises:
          InputError: if a program takes more memory than it may.
        """
        for network, members in (
            (self._colour, [pair for pair in zip(headers, ways, strict=True) if pair[0].space == RGB]),
            (self._gray, [pair for pair in zip(headers, ways, strict=True) if pair[0].space != RGB or pair[0].has_alpha]),
        ):
            shapes = {header.shape for header, _ in members}
            shapes |= {(header.width, header.height) for header, way in members if way.self_ensemble}
            if shapes:
                network.prepare(sorted(shapes), known=self.known)

    def __call__(self, picture: Picture, way: Way) -> Picture:
        """Returns the enlarged picture, with the metadata of the given one.

        Raises:
          InputError: if the network cannot be applied to the picture.
          NotFiniteError: if the network's output is not finite.
        """
        pixels, given = picture.pixels, levels(picture.pixels)
        if picture.alpha is not None:
            pixels = bleed(pixels, picture.alpha)
        values = to_network(pixels, given)
        if picture.space == RGB:
            enlarged = self._enlarge(self._colour, values, given, way)
        else:
            channels = [self._enlarge(self._gray, values[..., i : i + 1], given, way) for i in range(values.shape[-1])]
            enlarged = np.concatenate(channels, -1) if len(channels) > 1 else channels[0]
        alpha = None if picture.alpha is None else self._enlarge_alpha(picture.alpha, way)
        return picture._replace(pixels=enlarged, alpha=alpha)

    def differences(self, picture: Picture, *, seed: int, count: int) -> list[float]:
        """Computes random windows of a picture without tiles, and returns the greatest difference in each [levels of 0 to 1].

        There are none if the network is applied to whole pictures.
        """
        network = self._colour if picture.space == RGB else self._gray
        values = to_network(picture.pixels, levels(picture.pixels))[..., : 3 if picture.space == RGB else 1]
        sr = network.enlarge(values, known=self.known)
        return list(network.differences(values, sr, known=self.known, seed=seed, count=count))

    def _enlarge(self, network: BoundedNetwork, values: np.ndarray, given: Levels, way: Way) -> np.ndarray:
        def finish(sr: np.ndarray) -> np.ndarray:
            return from_network(sr, given, way.dtype)

        whole_size = (self.scale * values.shape[0], self.scale * values.shape[1])
        if way.size == whole_size and not way.self_ensemble:
            return network.enlarge(values, known=self.known, finish=lambda sr: finish(finite(sr, network)))
        return finish(_resized(self._float(network, values, way), way.size))

    def _float(self, network: BoundedNetwork, values: np.ndarray, way: Way) -> Float32[np.ndarray, "sh sw c"]:
        if not way.self_ensemble:
            return finite(network.enlarge(values, known=self.known), network)
        total: Any = 0
        for which in range(SYMMETRIES):
            total = total + _turn_back(network.enlarge(_turn(values, which), known=self.known), which)
        return finite(total / np.float32(SYMMETRIES), network)

    def _enlarge_alpha(self, alpha: np.ndarray, way: Way) -> np.ndarray:
        given = Levels(0, 1) if alpha.dtype.kind == "f" else levels(alpha)
        if (alpha == alpha.flat[0]).all():
            values = np.broadcast_to(to_network(alpha[:1, :1], given), (*way.size, 1))
            return from_network(values, given, way.dtype)
        values = to_network(alpha, given)
        if way.alpha == "network":
            enlarged = self._float(self._gray, values, way)
        else:
            enlarged = imresize_host(values, scale=self.scale, kernel="bicubic", antialias=True)
        return from_network(_resized(within_neighbours(enlarged, values), way.size).clip(0, 1), given, way.dtype)


def _of_colour(apply: Callable[..., Array], channels: int, scale: int) -> Callable[..., Array]:
    """The network as a function of RGB."""
    if channels == 3:
        return apply

    def enlarge(params: Any, rgb: Array, *known: Known) -> Array:
        y = apply(params, rgb_to_y(rgb), *known)
        chroma = bicubic_upsample(rgb_to_ycbcr(rgb)[..., 1:], scale)
        return ycbcr_to_rgb(jnp.concatenate([y, chroma], -1))

    return enlarge


def _of_gray(apply: Callable[..., Array], channels: int) -> Callable[..., Array]:
    """The network as a function of gray."""
    if channels == 1:
        return apply

    def enlarge(params: Any, gray: Array, *known: Known) -> Array:
        return apply(params, jnp.repeat(gray, channels, -1), *known).mean(-1, keepdims=True)

    return enlarge


def finite(sr: np.ndarray, network: BoundedNetwork) -> np.ndarray:
    """Returns what a network computed, and raises NotFiniteError if it is not finite."""
    if not np.isfinite(sr).all():
        raise NotFiniteError(f"{network.about.name} returns values that are not finite; the weights are broken")
    return sr


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if values.shape[:2] == size:
        return values
    return imresize_host(values, shape=size, kernel="bicubic", antialias=True).astype(np.float32)


def _turn(values: np.ndarray, which: int) -> np.ndarray:
    """One of the eight symmetries of a square: quarter turns, and mirrored ones."""
    turned = np.rot90(values, which % 4)
    return np.ascontiguousarray(turned[:, ::-1] if which >= 4 else turned)


def _turn_back(values: np.ndarray, which: int) -> np.ndarray:
    return np.rot90(values[:, ::-1] if which >= 4 else values, -(which % 4))
