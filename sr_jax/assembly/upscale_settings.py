"""What is enlarged, and how: the options of `python -m sr_jax.upscale`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from sr_jax.assembly import trained
from sr_jax.assembly.trained import Trained
from sr_jax.pictures import names
from sr_jax.pictures.plan import Wishes


class Settings(NamedTuple):
    """The options. `sr_jax/upscale.py` describes them."""

    inputs: Sequence[str]
    model: str
    out: Path | None
    """The folder of the results; None for standard output."""
    checkpoint: trained.Which
    scale: int | None
    outscale: float | None
    width: int | None
    height: int | None
    format: str | None
    quality: int | None
    codec: str | None
    bits: int | None
    alpha: Literal["network", "bicubic"]
    self_ensemble: bool
    kernel: str | None
    noise: float | None
    to_srgb: bool
    strip_metadata: bool
    memory: int | None
    """Bytes; None for what is free."""
    verify: bool
    overwrite: bool
    compare: bool
    hr: str | None
    dry_run: bool
    json: bool
    cache: Path

    @property
    def wishes(self) -> Wishes:
        """What the user wants of the results."""
        return Wishes(self.format, self.bits, self.outscale, self.width, self.height, self.to_srgb)

    @property
    def place(self) -> str:
        """Where results are written, as errors name it."""
        return f"--out {self.out or '-'}"

    def label(self, one: Trained) -> str:
        """Returns the name of the model in names of files."""
        return names.model_label(self.model, network=one.config.model.name, scale=one.config.scale)


class Limits(NamedTuple):
    """What enlarging may take, and how it is checked."""

    memory: int
    """Bytes that pictures and frames may take, without compiled programs."""
    windows: int
    """Windows of each picture that are also computed without tiles."""
