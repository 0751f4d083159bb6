"""Stages that add sensor noise, or compress the image."""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float, Key

from sr_jax.data.degrade.stages import Drawn, Range, Stage, chance, clip, uniform
from sr_jax.ops.jpeg import apply_jpeg

_FEW = 10  # the distribution is summed for at most so many photons on average
_TERMS = 32  # of that sum; the probability of as many photons or more is 1e-8
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def gaussian_noise(*, sigma: Range, gray: float) -> Stage:
    """Adds white Gaussian noise. The result is not clipped.

    Args:
      sigma: standard deviation [grey levels of 255].
      gray: probability that the three channels get the same noise.
    """

    def apply(key: Key[Array, ""], image: Float[Array, "h w 3"]) -> tuple[Float[Array, "h w 3"], Drawn]:
        level, kind, noise = jax.random.split(key, 3)
        drawn = {"noise_sigma": uniform(level, sigma), "noise_is_gray": chance(kind, gray)}
        white = gaussian_like(noise, image, gray=drawn["noise_is_gray"])
        return image + drawn["noise_sigma"] / 255 * white, drawn

    return Stage(apply)


def poisson_noise(*, peak: Range, gray: float) -> Stage:
    """Replaces each value by a Poisson number of mean `value * peak`, divided by `peak`. The result is not clipped.

    Args:
      peak: number of photons of a white pixel.
      gray: probability that the three channels get the noise that the image's luma would have.
    """

    def apply(key: Key[Array, ""], image: Float[Array, "h w 3"]) -> tuple[Float[Array, "h w 3"], Drawn]:
        level, kind, noise = jax.random.split(key, 3)
        drawn = {"noise_peak": uniform(level, peak), "noise_is_gray": chance(kind, gray)}
        return image + shot_noise(noise, image, peak=drawn["noise_peak"], gray=drawn["noise_is_gray"]), drawn

    return Stage(apply)


def jpeg(*, quality: tuple[int, int], subsampling: str) -> Stage:
    """Compresses as JPEG, with any integer quality in the range. The blocks begin at the image's top left corner."""

    def apply(key: Key[Array, ""], image: Float[Array, "h w 3"]) -> tuple[Float[Array, "h w 3"], Drawn]:
        drawn = jax.random.randint(key, (), quality[0], quality[1] + 1)
        return apply_jpeg(image, drawn, subsampling=subsampling), {"jpeg_quality": drawn}

    return Stage(apply)


NOISES: dict[str, Callable[..., Stage]] = {
    "gaussian-noise": gaussian_noise,
    "poisson-noise": poisson_noise,
    "jpeg": jpeg,
}
"""Maps names in the config to stages."""


def gaussian_like(key: Key[Array, ""], image: Float[Array, "h w 3"], *, gray: Bool[Array, ""]) -> Float[Array, "h w 3"]:
    """Draws white noise of unit variance. It is the same in all channels if `gray`."""
    noise = jax.random.normal(key, image.shape)
    return jnp.where(gray, noise[..., :1], noise)


def shot_noise(
    key: Key[Array, ""], image: Float[Array, "h w 3"], *, peak: Float[Array, ""] | float, gray: Bool[Array, ""]
) -> Float[Array, "h w 3"]:
    """Draws `poisson(x peak) / peak - x` for each channel x. If `gray`, x is the luma for all channels."""
    luma = sum((float(w) * image[..., i : i + 1] for i, w in enumerate(_GRAY)), jnp.zeros_like(image[..., :1]))
    clean = clip(jnp.where(gray, luma, image))
    normal = gaussian_like(key, image, gray=gray)
    return poisson_of_normal(normal, clean * peak) / peak - clean


def poisson_of_normal(normal: Float[Array, "*n"], mean: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Converts standard normal numbers to Poisson numbers, which are the quantiles of the same probability.

    Up to a mean of 10 the probabilities are summed. Beyond that the quantile is its Cornish-Fisher expansion, which is off by
    one for less than three numbers in a thousand. (`jax.random.poisson` samples by rejection and takes 15 times as long.)
    """
    few = jnp.clip(mean, 0, _FEW)
    terms = list(itertools.accumulate(range(1, _TERMS), lambda term, k: term * (few / k), initial=jnp.exp(-few)))
    more = jnp.zeros_like(mean)  # the probability of more than k photons, summed from the smallest term
    count = jnp.zeros_like(mean)
    above = ndtr(-normal)
    for term in terms[:0:-1]:
        more = more + term
        count = count + (above < more)
    root = jnp.sqrt(jnp.maximum(mean, _FEW))
    even = (2 + normal * normal) / 6
    quantile = jnp.floor(root * (root + normal) + even - normal * even / (12 * root))
    return jnp.where(mean < _FEW, count, jnp.maximum(quantile, 0))
