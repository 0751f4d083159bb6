"""A picture: its samples, and what its file says beside them."""

import io
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Num

GRAY, RGB, CMYK, CHANNELS = "gray", "rgb", "cmyk", "channels"
"""What the channels of a picture mean. CHANNELS: any number of them, each of which is treated as gray."""

File = io.BytesIO | io.BufferedReader
Target = io.BytesIO | io.BufferedRandom | io.BufferedWriter
"""A file that is written."""

Rest = tuple[tuple[str, bytes], ...]


class Metadata(NamedTuple):
    """What a file says beside its samples."""

    icc: bytes | None = None
    """The colour profile."""
    exif: bytes | None = None
    """A TIFF structure, as EXIF defines it."""
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    """Pixels per inch, horizontally and vertically."""
    rest: Rest = ()
    """Other parts (name, data) that only a file of the same format takes: chunks of PNG, segments of JPEG, tags of TIFF."""


class Header(NamedTuple):
    """What is known of a picture before it is decoded."""

    format: str
    """A name in `formats.FORMATS`."""
    height: int
    """Height and width as the picture is seen, with its orientation applied [pixels]."""
    width: int
    channels: int
    """Number of channels without alpha."""
    dtype: str
    """Type of the samples after decoding: uint8, uint16 or float32."""
    space: str
    has_alpha: bool
    frames: int = 1
    """Number of frames of an animation. All have one size."""
    plays: int | None = None
    """How often an animation is shown, 0 for without end; None if this is not an animation."""
    pages: tuple["Header", ...] = ()
    """The pages, if there are several. The other fields describe the first one."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def is_animation(self) -> bool:
        return self.plays is not None


class Picture(NamedTuple):
    """A decoded picture, with its orientation applied."""

    pixels: Num[np.ndarray, "h w c"]
    """uint8 or uint16 of the full range, or float32 of any range."""
    alpha: Num[np.ndarray, "h w 1"] | None
    """Opacity in the type of the pixels, which it does not multiply; None without transparency."""
    space: str
    """GRAY, RGB, CMYK or CHANNELS."""
    metadata: Metadata
    format: str
    duration: Fraction | None = None
    """How long it is seen [s], if it is a frame of an animation."""

    def rows(self, start: int, stop: int) -> "Picture":
        """Returns some of its rows."""
        alpha = None if self.alpha is None else self.alpha[start:stop]
        return self._replace(pixels=self.pixels[start:stop], alpha=alpha)

    def to_array(self) -> Num[np.ndarray, "h w c"]:
        """Returns colours and opacity in one array."""
        return self.pixels if self.alpha is None else np.concatenate([self.pixels, self.alpha], -1)


def divided(samples: Num[np.ndarray, "h w c"]) -> tuple[Num[np.ndarray, "h w c2"], Num[np.ndarray, "h w 1"]]:
    """Returns the colours and the opacity, which is the last channel; see `Picture.to_array`."""
    return np.ascontiguousarray(samples[..., :-1]), np.ascontiguousarray(samples[..., -1:])
