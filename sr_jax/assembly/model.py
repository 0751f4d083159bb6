"""A trained network as a Python object: `sr_jax.load` returns one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num
from PIL import Image as PILImage

from sr_jax import config as configs
from sr_jax.assembly import trained
from sr_jax.assembly.known_blur import known_blur
from sr_jax.assembly.made_by import DEFAULTS, describe
from sr_jax.assembly.network import Network
from sr_jax.assembly.trained import Trained
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.errors import InputError
from sr_jax.models import Known
from sr_jax.pictures import formats, metadata, read, write
from sr_jax.pictures.picture import CHANNELS, CMYK, GRAY, RGB, Header, Metadata, Picture
from sr_jax.system.files import replace_bytes, sha256_of
from sr_jax.system.memory import free_memory
from sr_jax.system.paths import to_path
from sr_jax.training.state import count
from sr_jax.weights import files
from sr_jax.weights.card import Card

SHARE = 0.25
"""The share of the free memory that a compiled program may use."""
TYPES = ("uint8", "uint16", "float16", "float32", "float64")
MODES = {
    "1": "L",
    "P": "RGBA",
    "PA": "RGBA",
    "La": "LA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}
"""Modes of Pillow that are converted, and to which modes."""
SPACES = {"L": GRAY, "LA": GRAY, "I;16": GRAY, "F": GRAY, "RGB": RGB, "RGBA": RGB, "CMYK": CMYK}
"""What the channels of the other modes mean."""


class EnlargedFile:
    """The picture of a file, enlarged, or its frames or pages. It keeps the depth, the opacity and the metadata of the file."""

    def __init__(self, pictures: Sequence[Picture], made_by: dict[str, Any], *, plays: int | None):
        self._pictures, self._made_by, self._plays = pictures, made_by, plays

    def __len__(self) -> int:
        """The number of frames or pages; 1 for a single picture."""
        return len(self._pictures)

    def to_array(self) -> Num[np.ndarray, "h w c"]:
        """Returns the samples. If there is an opacity, it is the last channel.

        Raises:
          InputError: if there are several frames or pages.
        """
        return self._only().to_array()

    def to_arrays(self) -> list[Num[np.ndarray, "_h _w _c"]]:
        """Returns the samples of each frame or page."""
        return [picture.to_array() for picture in self._pictures]

    def to_pillow(self) -> PILImage.Image:
        """Returns an image of Pillow.

        Raises:
          InputError: if Pillow has no mode for it, such as for colours of 16 bits, or there are several frames or pages.
        """
        return write.to_pillow(self._only())

    def save(self, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
        """Writes the picture in the format that the suffix names, whole or not at all. An existing file is replaced.

        Args:
          quality: from 1 to 100, for formats with loss; None for the default.

        Raises:
          InputError: if the format is unknown or cannot hold the picture.
          OSError: if the file cannot be written.
        """
        place = Path(path)
        name = formats.SUFFIXES.get(place.suffix.lower())
        if name not in formats.FORMATS:
            raise InputError(f"{path}: pictures are written with a suffix of {', '.join(formats.FORMATS)}")
        headers = tuple(map(_header, self._pictures))
        if self._plays is not None:
            headers = (headers[0]._replace(frames=len(headers), plays=self._plays),)
        elif len(headers) > 1:
            headers = tuple(header._replace(pages=headers) for header in headers)
        for header in headers:
            if problem := formats.problem(header, name, size=header.shape, dtype=header.dtype):
                raise InputError(f"{path}: {problem}")
        pictures = [metadata.to_srgb(picture) for picture in self._pictures] if name == "gif" else self._pictures
        given = {"format": None if name == formats.target(_header(self._pictures[0]), None) else name, "quality": quality}
        options = {**self._made_by["options"], **{option: value for option, value in given.items() if value is not None}}
        made_by = {**self._made_by, "options": options}
        described = [
            picture._replace(
                metadata=metadata.of_result(picture.metadata, size=picture.pixels.shape[:2], made_by=made_by, strip=False)
            )
            for picture in pictures
        ]
        replace_bytes(place, write.encode_all(described, name, quality=quality, plays=self._plays))

    def _only(self) -> Picture:
        if len(self._pictures) > 1:
            kind = "pages" if self._plays is None else "frames"
            raise InputError(f"the file has {len(self._pictures)} {kind}; to_arrays returns them all, and save writes them")
        return self._pictures[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.to_array(), dtype, copy=copy)

    def __repr__(self) -> str:
        first = self._pictures[0]
        height, width, channels = first.to_array().shape
        kind = "picture" if self._plays is None else f"animation of {len(self)} frames"
        kind = f"{len(self)} pages, the first one" if self._plays is None and len(self) > 1 else kind
        return f"<{kind} of {width}x{height} pixels, {channels} channels of type {first.pixels.dtype}>"


def _header(picture: Picture) -> Header:
    height, width, channels = picture.pixels.shape
    dtype = picture.pixels.dtype.name
    return Header(picture.format, height, width, channels, dtype, picture.space, picture.alpha is not None)


class Model:
    """A trained network. Call it with an image to enlarge the image, or use `apply` within JAX.

    Attributes:
      params: its parameters, a nested dict named by attribute.
      scale: the factor by which it enlarges.
      channels: the channels that `apply` takes: 1 for Y or gray, 3 for RGB.
      card: what it is: the config, the steps of training, its scores if they are known.
      origin: where the parameters come from, for people.
    """

    def __init__(self, loaded: Trained, *, known: Known | None, kernel: str | None = None, noise: float | None = None):
        self._made_by = describe({**DEFAULTS, "kernel": kernel, "noise": noise, "model": loaded.origin}, loaded)
        self._network: Network = loaded.network
        self._upscaler = Upscaler(loaded, memory=round(SHARE * free_memory()), known=known)
        self.params, self.scale = loaded.network.params, loaded.config.scale
        self.channels, self.origin = loaded.network.about.channels, loaded.origin
        self.card = loaded.card or Card(loaded.config, loaded.step, "unknown", [])

    @overload
    def __call__(self, image: str | os.PathLike[str]) -> EnlargedFile: ...
    @overload
    def __call__(self, image: Num[np.ndarray, "h w *c"]) -> Num[np.ndarray, "sh sw *c"]: ...
    @overload
    def __call__(self, image: PILImage.Image) -> PILImage.Image: ...
    def __call__(self, image: Any) -> Any:
        """Enlarges an image. What comes back is of the same kind.

        Args:
          image: an array (h w) or (h w c) of type uint8, uint16 or floating point, an image of Pillow, or the path of a file.
            An array of 1 channel is gray, and one of 3 is RGB. With 2 or 4 channels, the last one is the opacity, which does
            not multiply the colours. More channels are treated as gray, one by one. Floating point is in [0, 1]; a larger range
            is mapped to it and back.

        Returns:
          an array of the same type, an image of Pillow, or an `EnlargedFile`, which `save` writes.

        Raises:
          InputError: if the image cannot be used.
          NotFiniteError: if the network's output is not finite.
        """
        if isinstance(image, str | os.PathLike):
            pictures = [self._enlarge(picture) for picture in read.decode_all(Path(image), str(image))]
            made_by = {**self._made_by, "input_sha256": sha256_of(Path(image))}
            plays = read.read_header(Path(image), str(image)).plays
            return EnlargedFile(pictures, made_by, plays=plays)
        if isinstance(image, PILImage.Image):
            enlarged = write.to_pillow(self._enlarge(_from_pillow(image)))
            enlarged.info = dict(image.info)
            return enlarged
        pixels = np.asarray(image)
        enlarged = self._enlarge(_from_array(pixels)).to_array().astype(pixels.dtype)
        return enlarged[..., 0] if pixels.ndim == 2 else enlarged

    def apply(
        self, params: Any, lr: Float[Array | np.ndarray, "b h w c"], known: Known | None = None
    ) -> Float[Array, "b sh sw c"]:
        """Returns SR for LR, in [0, 1]. It is a pure function, for `jit`, `vmap`, `grad` and `shard_map`.

        Args:
          params: such as `self.params`.
          lr: images of `self.channels` channels.
          known: the blur kernels and the noise, for networks that are told them.
        """
        return self._network.apply(params, jnp.asarray(lr), known)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a weights file (.safetensors) and its card beside it.

        Raises:
          InputError: if the path has another suffix.
          OSError: if it cannot be written.
        """
        place = to_path(str(path))
        if place.suffix != files.SUFFIX:
            raise InputError(f"{path}: a weights file ends with {files.SUFFIX}")
        files.write(place, self.params, self.card)

    def __repr__(self) -> str:
        colour = "RGB" if self.channels == 3 else "Y"
        size = f"{count(self.params):,} parameters"
        return f"<sr_jax model {configs.title(self.card.config.model)} x{self.scale}, {colour}, {size}, from {self.origin}>"

    def _enlarge(self, picture: Picture) -> Picture:
        height, width = picture.pixels.shape[:2]
        if not height or not width:
            raise InputError(f"an image of {height}x{width} pixels has nothing to enlarge")
        size = (self.scale * height, self.scale * width)
        return self._upscaler(picture, Way(picture.pixels.dtype.name, size))


AnyModel = TypeVar("AnyModel", bound=Model)


def load(
    place: str, *, checkpoint: trained.Which, kernel: str | None, noise: float | None, kind: type[AnyModel] = Model
) -> AnyModel:
    """Loads a model; see `sr_jax.load`.

    Args:
      kind: the class of the model.
    """
    return make(trained.load(place, which=checkpoint, parameters="ema"), kernel=kernel, noise=noise, kind=kind)


def make(loaded: Trained, *, kernel: str | None, noise: float | None, kind: type[AnyModel] = Model) -> AnyModel:
    """Makes a model of a trained network; see `load`."""
    known = known_blur(loaded.network.about, scale=loaded.config.scale, kernel=kernel, noise=noise)
    return kind(loaded, known=known, kernel=kernel, noise=noise)


def _from_array(pixels: np.ndarray) -> Picture:
    if pixels.ndim not in (2, 3) or pixels.dtype.name not in TYPES:
        raise InputError(
            f"an image is an array (h w) or (h w c) of type {', '.join(TYPES)}, not {pixels.dtype} of shape {pixels.shape}; "
            "`apply` takes batches"
        )
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32)
        if not np.isfinite(pixels).all():
            raise InputError("the image has values that are not finite")
    channels = pixels.shape[-1]
    has_alpha = channels in (2, 4)
    colours, alpha = (pixels[..., :-1], pixels[..., -1:]) if has_alpha else (pixels, None)
    space = {1: GRAY, 2: GRAY, 3: RGB, 4: RGB}.get(channels, CHANNELS)
    return Picture(colours, alpha, space, Metadata(), "png")


def _from_pillow(image: PILImage.Image) -> Picture:
    mode = MODES.get(image.mode, image.mode)
    if "transparency" in image.info and mode in ("L", "RGB"):
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    if mode not in SPACES:
        raise InputError(f"an image of Pillow in mode {image.mode} cannot be enlarged; convert it to RGB, RGBA, L or I;16")
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    if mode == "CMYK":
        return Picture(pixels, None, CMYK, Metadata(), "tiff")
    return _from_array(pixels)
