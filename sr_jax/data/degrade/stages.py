"""One step of a degradation, and what all of them need."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Num

Drawn = dict[str, Array]
Range = tuple[float, float]
"""Least and greatest value; equal ones fix it."""


class Stage(NamedTuple):
    """One step of a degradation, of one image."""

    apply: Callable[[Key[Array, ""], Num[Array, "h w 3"]], tuple[Num[Array, "h2 w2 3"], Drawn]]
    """From a key and an image, float32 in [0, 1] or beyond, to an image and what was drawn. It keeps only what it knows: the
    result is smaller by `margin` pixels of the input on every side, and then `scale` times."""
    margin: int = 0
    scale: int = 1
    takes_bytes: bool = False
    """Whether uint8 images are passed on as they are, and not as floats."""
    strided: Callable[[int], "Stage"] | None = None
    """The same followed by keeping every s-th pixel, where that is cheaper in one step."""


def uniform(key: Key[Array, ""], bounds: Range) -> Float[Array, ""]:
    """A number between two bounds."""
    return jax.random.uniform(key, (), jnp.float32, *bounds)


def chance(key: Key[Array, ""], probability: float) -> Array:
    """True with a probability."""
    return jax.random.bernoulli(key, probability)


def clip(image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """Into [0, 1]."""
    return jnp.clip(image, 0, 1)
