"""The degradation of a run: how LR is made of HR, and what follows from that."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from sr_jax import config as configs
from sr_jax.config import PRESETS, Config, DataConfig, moved_blur, workdir
from sr_jax.config.names import nearest
from sr_jax.data import degrade
from sr_jax.data.degrade import Degrade, file_digest
from sr_jax.errors import InputError
from sr_jax.evaluation.protocol import COMPUTED, FILES, KNOWN_BLUR, untold
from sr_jax.models import Known
from sr_jax.ops import bicubic_kernel
from sr_jax.weights import card as cards
from sr_jax.weights import files, places


class Degradation:
    """A chain of stages that makes LR of HR, or LR files.

    Args:
      stages: groups of the config, such as `(GaussianBlur(), Subsample())`.
      lr_files: whether LR comes from image files. Then the stages only set the margin.
    """

    def __init__(self, stages: Sequence[Any], *, scale: int, lr_files: bool = False):
        self.stages = tuple(stages)
        self.scale = scale
        self.lr_files = lr_files

    @property
    def title(self) -> str:
        """The names of the stages, or `files`."""
        return FILES if self.lr_files else ", ".join(stage.name for stage in self.stages)

    @property
    def spelling(self) -> str:
        """The stages as a config file spells them, with the keys that differ from their defaults; or `files`."""
        return FILES if self.lr_files else ", ".join(map(_spell, self.stages))

    @property
    def is_bicubic(self) -> bool:
        """Whether LR is MATLAB's bicubic reduction and nothing else."""
        return not self.lr_files and self.stages == PRESETS["bicubic"]

    @property
    def lr_source(self) -> str:
        """Where LR comes from, as result files say it."""
        if self.lr_files:
            return FILES
        return COMPUTED if self.is_bicubic else f"{COMPUTED}: {self.title}"

    @property
    def why_rgb(self) -> str:
        """Why LR must be 8-bit RGB; empty if a protocol may make it of Y."""
        if self.lr_files:
            return "LR comes from files"
        return "" if self.is_bicubic else f"LR is made by {self.title}, of RGB"

    @property
    def kernel_digests(self) -> list[str]:
        """The fingerprints of the kernel files that the stages read."""
        return [file_digest(stage.path) for stage in self.stages if stage.name == "kernel-file"]

    @property
    def margin(self) -> int:
        """HR pixels around a patch on which its LR patch depends."""
        return self.degrade.margin

    @functools.cached_property
    def degrade(self) -> Degrade:
        """The function that makes pairs of LR and HR from a batch, inside a compiled step.

        Raises:
          InputError: if a file of kernels cannot be used.
        """
        # A kernel whose middle lies up and to the left looks down and to the right: at the middle of the cell.
        shift, moved = -(self.scale - 1) / 2, moved_blur(self.stages)
        stages = [
            _make_stage(stage, scale=self.scale, shift=shift if index == moved else 0.0)
            for index, stage in enumerate(self.stages)
        ]
        return Degrade(scale=self.scale, stages=stages)

    @property
    def tells_blur(self) -> bool:
        """Whether the blur kernel and the noise of every LR image are known.

        They are if the chain is at most one blur, then a reduction, then at most Gaussian noise. Noise in front of a blur is
        blurred itself, and noise in front of a reduction is partly dropped.
        """
        return not self.lr_files and self._blur_and_reduction in (["bicubic"], ["subsample"], ["blur", "subsample"])

    def require_blur(self, who: str, *, advice: str = KNOWN_BLUR) -> None:
        """Raises InputError, naming `who` and giving the advice, unless the blur kernel and the noise are known."""
        if not self.tells_blur:
            raise untold(who, self.lr_source, advice=advice)

    def for_evaluation(self, way: Literal["training", "bicubic"]) -> "Degradation":
        """Returns the degradation of the images that are scored: this one or bicubic, which also stands in for LR files."""
        return self if way == "training" and not self.lr_files else bicubic(self.scale)

    def known(self, drawn: dict[str, Any], *, examples: int) -> Known | None:
        """Returns the blur kernel and the noise of each example; None where they are not known.

        Args:
          drawn: what the stages drew for each example.
        """
        if not self.tells_blur:
            return None
        match self._blur_and_reduction:
            case ["bicubic"]:
                kernel = bicubic_kernel(self.scale)
            case ["subsample"]:
                kernel = np.ones((1, 1), np.float32)
            case _:
                kernel = drawn["kernel"]
        kernel = jnp.broadcast_to(kernel, (examples, *kernel.shape[-2:]))
        return Known(kernel, drawn.get("noise_sigma", jnp.zeros((examples,))) / 255)

    @property
    def _blur_and_reduction(self) -> list[str]:
        """The stages without Gaussian noise at the end; every blur is called `blur`."""
        names = ["blur" if stage.name in degrade.BLURS else stage.name for stage in self.stages]
        return names[:-1] if names[-1] == "gaussian-noise" else names


def bicubic(scale: int) -> Degradation:
    """MATLAB's bicubic reduction."""
    return Degradation(PRESETS["bicubic"], scale=scale)


def of_training(config: Config) -> Degradation:
    """The degradation of a run's training images."""
    return Degradation(config.stages, scale=config.scale, lr_files=config.data.lr_source == "files")


def of_evaluation(config: Config, way: Literal["own", "training", "bicubic"]) -> Degradation:
    """The degradation of the images on which a run's network is scored.

    Args:
      way: as in training, bicubic, or the run's own choice. A run that trains on LR files is scored on bicubic LR.
    """
    return of_training(config).for_evaluation(config.eval.degradation if way == "own" else way)


def named(name: str, *, scale: int) -> Degradation:
    """The degradation with this name, or that of the training images of a config file or a trained network.

    Raises:
      InputError: if there is no such degradation, it is not known, or it does not fit to the scale.
    """
    config = _config_of(name)
    if config.data.lr_source == "files":
        raise InputError("this run was trained on LR files, so how they were made is not known")
    # A config checks its stages. The other keys do not matter.
    data = DataConfig(degradation=config.data.degradation, patch=2 * scale)
    return of_training(Config(scale=scale, data=data))


def _config_of(name: str) -> Config:
    if name in PRESETS:
        return Config(data=DataConfig(degradation=PRESETS[name]))
    path = places.path_of(name)
    if path.is_dir():
        return configs.load(workdir.config_file(path))
    if path.suffix == files.SUFFIX and path.is_file():
        card = cards.read_card(path)
        if card.converted:
            raise InputError("another implementation trained this network, so the degradation is not known")
        return card.config
    if path.suffix in (".py", ".json"):
        return configs.load(path)
    near = nearest(name, ["own", "training", *PRESETS], cutoff=0.6)
    hint = f"did you mean {near}?" if near else f"the names are own, training, {', '.join(PRESETS)}"
    raise InputError(f"there is no such degradation, config file, work directory or weights file; {hint}")


def _spell(stage: Any) -> str:
    values = {field.name: getattr(stage, field.name) for field in dataclasses.fields(stage)}
    defaults = {field.name: field.default for field in dataclasses.fields(stage)}
    return f"{type(stage).__name__}({', '.join(f'{key}={values[key]!r}' for key in values if values[key] != defaults[key])})"


def _make_stage(stage: Any, *, scale: int, shift: float) -> degrade.Stage:
    options = {field.name: getattr(stage, field.name) for field in dataclasses.fields(stage)}
    match options.pop("name"):
        case "bicubic":
            return degrade.bicubic(scale=scale)
        case "subsample":
            return degrade.subsample(scale=scale)
        case "second-order":
            return degrade.second_order(scale=scale, **options)
        case name if name in degrade.NOISES:
            return degrade.NOISES[name](**options)
        case name:
            return degrade.blur(degrade.BLURS[name](**options, shift=shift), stride=1)
