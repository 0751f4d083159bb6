"""Noise of a sensor, and of compression."""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float, Key

from sr_jax.data.degrade.stages import Drawn, Range, Stage, chance, clip, uniform
from sr_jax.ops.jpeg import apply_jpeg

_FEW = 10  # photons, up to which their distribution is summed
_TERMS = 32  # of that sum; as many photons or more have a probability of 1e-8
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def gaussian_noise(*, sigma: Range, gray: float) -> Stage:
    """Adds white Gaussian noise; the result is not clipped.

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
    """Counts photons: each value becomes a Poisson number of mean `value * peak`, over `peak`. The result is not clipped.

    Args:
      peak: photons of a white pixel.
      gray: probability that the three channels get the noise that the image's luma would have.
    """

    def apply(key: Key[Array, ""], image: Float[Array, "h w 3"]) -> tuple[Float[Array, "h w 3"], Drawn]:
        level, kind, noise = jax.random.split(key, 3)
        drawn = {"noise_peak": uniform(level, peak), "noise_is_gray": chance(kind, gray)}
        return image + shot_noise(noise, image, peak=drawn["noise_peak"], gray=drawn["noise_is_gray"]), drawn

    return Stage(apply)


def jpeg(*, quality: tuple[int, int], subsampling: str) -> Stage:
    """Saves as JPEG and reads again; every whole quality in the range is equally likely. Blocks begin at the image's corner."""

    def apply(key: Key[Array, ""], image: Float[Array, "h w 3"]) -> tuple[Float[Array, "h w 3"], Drawn]:
        drawn = jax.random.randint(key, (), quality[0], quality[1] + 1)
        return apply_jpeg(image, drawn, subsampling=subsampling), {"jpeg_quality": drawn}

    return Stage(apply)


NOISES: dict[str, Callable[..., Stage]] = {
    "gaussian-noise": gaussian_noise,
    "poisson-noise": poisson_noise,
    "jpeg": jpeg,
}
"""Name in the config -> stage."""


def gaussian_like(key: Key[Array, ""], image: Float[Array, "h w 3"], *, gray: Bool[Array, ""]) -> Float[Array, "h w 3"]:
    """White noise of unit variance, the same in all channels if `gray`."""
    noise = jax.random.normal(key, image.shape)
    return jnp.where(gray, noise[..., :1], noise)


def shot_noise(
    key: Key[Array, ""], image: Float[Array, "h w 3"], *, peak: Float[Array, ""] | float, gray: Bool[Array, ""]
) -> Float[Array, "h w 3"]:
    """`poisson(x peak) / peak - x` of each channel x, or of the luma, for all channels, if `gray`."""
    luma = sum((float(w) * image[..., i : i + 1] for i, w in enumerate(_GRAY)), jnp.zeros_like(image[..., :1]))
    clean = clip(jnp.where(gray, luma, image))
    normal = gaussian_like(key, image, gray=gray)
    return poisson_of_normal(normal, clean * peak) / peak - clean


def poisson_of_normal(normal: Float[Array, "*n"], mean: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Poisson numbers from standard normal ones: the quantile of the same probability.

    Up to a mean of 10 the probabilities are summed; beyond, the quantile is its Cornish-Fisher expansion, which is off by one
    for less than three numbers in a thousand. (`jax.random.poisson` rejects and draws anew, and takes 15 times as long.)
    """
    few = jnp.clip(mean, 0, _FEW)
    terms = list(itertools.accumulate(range(1, _TERMS), lambda term, k: term * (few / k), initial=jnp.exp(-few)))
    more = jnp.zeros_like(mean)  # the probability of more than k photons, summed from its small end
    count = jnp.zeros_like(mean)
    above = ndtr(-normal)
    for term in terms[:0:-1]:
        more = more + term
        count = count + (above < more)
    root = jnp.sqrt(jnp.maximum(mean, _FEW))
    even = (2 + normal * normal) / 6
    quantile = jnp.floor(root * (root + normal) + even - normal * even / (12 * root))
    return jnp.where(mean < _FEW, count, jnp.maximum(quantile, 0))
