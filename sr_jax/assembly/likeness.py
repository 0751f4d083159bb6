"""Warns of pictures that plainly do not look like what a network was trained on.

The limits are measured by `benchmarks/unlike.py`, whose table `docs/using.md` shows.
"""

import math
from typing import NamedTuple

from sr_jax import config as configs
from sr_jax.assembly.trained import Trained
from sr_jax.config import Config
from sr_jax.config.degradations import Blur, GaussianNoise, Jpeg, PoissonNoise, SecondOrder
from sr_jax.pictures import traits
from sr_jax.pictures.picture import Picture

WORST_QUALITY = 70
"""A JPEG file of lower quality is unlike clean LR."""
MOST_NOISE = 9.5
"""More noise is unlike clean LR [grey levels of 255], in the measure of `traits.noise`."""
LEAST_DETAIL = 0.02
"""A smaller measure of `traits.detail` is unlike sharp LR."""


class Training(NamedTuple):
    """What LR looked like in the training."""

    worst_quality: int | None
    """Lowest quality of JPEG; None if LR was not compressed."""
    most_noise: float
    """Greatest standard deviation of noise [grey levels of 255]."""
    is_blurred: bool


def training_of(config: Config) -> Training:
    """Returns what LR looked like in the training of a config."""
    qualities: list[int] = []
    noises = [0.0]
    for stage in config.stages:
        match stage:
            case Jpeg():
                qualities.append(stage.quality[0])
            case GaussianNoise():
                noises.append(stage.sigma[1])
            case PoissonNoise():
                noises.append(255 / math.sqrt(stage.peak[0]))
            case SecondOrder():
                for order in (stage.first, stage.second):
                    qualities.append(order.quality[0])
                    noises.append(order.noise_sigma[1])
    is_blurred = any(isinstance(stage, Blur | SecondOrder) for stage in config.stages)
    return Training(min(qualities, default=None), max(noises), is_blurred)


def warning(picture: Picture, content: bytes, trained: Trained) -> str:
    """Returns why a picture does not look like what a network was trained on; empty if it does, or if this is not known.

    Args:
      content: the bytes of its file.
    """
    config = trained.config
    if trained.is_converted or config.data.lr_source == "files":
        return ""
    training, title = training_of(config), configs.title(config.model)
    quality = traits.jpeg_quality(content)
    if quality is not None and quality < min(WORST_QUALITY, training.worst_quality or WORST_QUALITY):
        lowest = f"of quality {training.worst_quality} and better" if training.worst_quality else "that is not compressed"
        return f"is a JPEG file of quality {quality}, and {title} was trained on LR {lowest}; it makes the artefacts sharper"
    part = traits.middle(picture.pixels)
    if part is None or picture.alpha is not None:
        return ""
    noise = traits.noise(part)
    if noise > max(MOST_NOISE, training.most_noise):
        level = f"with noise of at most {training.most_noise:g}" if training.most_noise else "without noise"
        return f"has noise of about {noise:.0f} grey levels, and {title} was trained on LR {level}; it enlarges the noise, too"
    detail = traits.detail(part)
    if detail is not None and detail < LEAST_DETAIL and not training.is_blurred:
        return (
            f"lacks the finest details, so it is blurred or was enlarged before, and {title} was trained on sharp LR; "
            "it hardly makes it sharper"
        )
    return ""
