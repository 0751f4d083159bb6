"""The type of a stage, which is one step of a degradation, and functions that several stages use."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Num

Drawn = dict[str, Array]
"""The random values of a stage by name, such as `kernel` and `noise_sigma`."""
Range = tuple[float, float]
"""Least and greatest value. Equal bounds fix the value."""


class Stage(NamedTuple):
    """One step of a degradation, which processes a single image."""

    apply: Callable[[Key[Array, ""], Num[Array, "h w 3"]], tuple[Num[Array, "h2 w2 3"], Drawn]]
    """Takes a key and an image, float32 in [0, 1] or slightly outside, and returns the new image and the values it drew."""
    margin: int = 0
    """Pixels of the input that are missing on every side of the output, because they depend on pixels outside of the image."""
    scale: int = 1
    """The factor by which height and width shrink, after the margin is removed."""
    takes_bytes: bool = False
    """Whether `apply` takes uint8 images directly. Otherwise they are converted to float first."""
    strided: Callable[[int], "Stage"] | None = None
    """Returns a stage that also keeps only every s-th pixel; None if doing both at once saves nothing."""


def uniform(key: Key[Array, ""], bounds: Range) -> Float[Array, ""]:
    """Draws a number between two bounds."""
    return jax.random.uniform(key, (), jnp.float32, *bounds)


def chance(key: Key[Array, ""], probability: float) -> Array:
    """Draws True with this probability."""
    return jax.random.bernoulli(key, probability)


def clip(image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """Clips an image to [0, 1]."""
    return jnp.clip(image, 0, 1)
