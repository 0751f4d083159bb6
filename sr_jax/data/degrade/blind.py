"""The blind degradation of Real-ESRGAN (Wang, Xie, Dong, Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with
Pure Synthetic Data", ICCV Workshops 2021): blur, resize, noise and JPEG, twice, then resize to LR, sinc filter and JPEG.

Sizes cannot depend on random values, so an image that was resized by a factor f lies on a grid of fixed size around the
patch's centre, whose pixels are 1/f HR pixels wide. This differs from the paper as follows:

- The window, with `MARGIN` HR pixels around the patch, is reflected at its border. (The paper reflects at the border of a
  400 px crop, and cuts 256 px from it at random.)
- JPEG's blocks and borders are those of these grids, and not those of a resized image.
- Sizes are not rounded to whole pixels, so that factors are exact.
- Shot noise counts 256 levels. In the paper, the number of levels follows from the number of different values in an image.
- The mode "area" averages over a pixel's exact footprint, even when it enlarges the image.
- HR is not sharpened. (The paper trains on HR images with unsharp masking.)
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Key

from sr_jax.data.degrade.blurs import convolve_inside
from sr_jax.data.degrade.noises import gaussian_like, shot_noise
from sr_jax.data.degrade.resample import MODES, resample
from sr_jax.data.degrade.stages import Drawn, Range, Stage, chance, clip, uniform
from sr_jax.ops import blur_kernels
from sr_jax.ops.jpeg import apply_jpeg

MARGIN = 32
"""HR pixels around the patch that the chain uses, rounded up to a multiple of the scale."""
_SIZE = 21  # of all kernels; smaller ones are padded with zeros
_SMALLEST = 7
_REACH = _SIZE // 2
_LEVELS = 256  # photons of a white pixel, before the noise is scaled
_AROUND = 12  # HR pixels around the patch on the first grid
_AROUND_LR = 6  # LR pixels around it on the second


def second_order(*, scale: int, first: Any, second: Any, final_sinc: float) -> Stage:
    """The whole chain, from HR to LR.

    Args:
      first, second: the numbers of the two passes, as attributes: any object with those of `sr_jax.config.Order`, which
        describes them and holds the published values.
      final_sinc: probability of a sinc filter at the end.
    """
    margin = -(-MARGIN // scale) * scale

    def apply(key: Key[Array, ""], image: Float[Array, "h h 3"]) -> tuple[Float[Array, "n n 3"], Drawn]:
        keys = jax.random.split(key, 4)
        patch = image.shape[0] - 2 * margin
        n = patch // scale
        x, drawn = _blur(keys[0], image, first, pad=0)
        factor, drawn_factor = _factor(keys[0], first)
        size = math.ceil(first.factor[1] * (patch + 2 * _AROUND))
        x = resample(x, size=size, pitch=1 / factor, mode=drawn_factor["resize_mode"])
        x, drawn_noise = _noise(keys[0], x, first)
        quality = _quality(keys[0], first)
        x = _jpeg(x, quality)
        drawn |= drawn_factor | drawn_noise | {"jpeg_quality": quality}

        x, drawn_2 = _blur(keys[1], x, second, pad=_REACH)
        factor_2, drawn_factor = _factor(keys[1], second)
        size = math.ceil(second.factor[1] * (n + 2 * _AROUND_LR))
        x = resample(x, size=size, pitch=scale * factor / factor_2, mode=drawn_factor["resize_mode"])
        x, drawn_noise = _noise(keys[1], x, second)
        quality = _quality(keys[1], second)
        drawn_2 |= drawn_factor | drawn_noise | {"jpeg_quality": quality}

        jpeg_last = chance(keys[2], 0.5)
        x = lax.cond(jpeg_last, lambda x, _: x, _jpeg, x, quality)
        kernel, drawn_final = _final_kernel(keys[3], final_sinc)
        x = resample(x, size=n + 2 * _REACH, pitch=factor_2, mode=drawn_final["final_resize_mode"])
        x = convolve_inside(x, kernel, stride=1)
        x = lax.cond(jpeg_last, _jpeg, lambda x, _: x, x, quality)
        drawn |= {f"{name}_2": value for name, value in drawn_2.items()}
        return x, drawn | drawn_final | {"jpeg_last": jpeg_last}

    return Stage(apply, margin=margin, scale=scale)


def _blur(key: Key[Array, ""], image: Array, order: Any, *, pad: int) -> tuple[Array, Drawn]:
    key = jax.random.fold_in(key, 0)
    kind, whether = jax.random.split(key)
    kernel = jnp.where(chance(whether, order.blur), _kernel(kind, order), blur_kernels.delta(_SIZE))
    image = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    return convolve_inside(image, kernel, stride=1), {"kernel": kernel}


def _kernel(key: Key[Array, ""], order: Any) -> Float[Array, "k k"]:
    """Draws a sinc, or a Gaussian of one of six kinds, with a random odd size."""
    keys = jax.random.split(key, 9)
    size = _draw_size(keys[0])
    kind = jax.random.choice(keys[1], len(order.kinds), p=jnp.asarray(order.kinds))
    along = uniform(keys[2], order.sigma)
    across = jnp.where(kind % 2 == 0, along, uniform(keys[3], order.sigma))
    shape = {"sigma": (along, across), "angle": uniform(keys[4], (0.0, 360.0)), "shift": 0.0}
    kinds = [
        blur_kernels.gaussian(_SIZE, **shape),
        blur_kernels.generalised_gaussian(_SIZE, **shape, beta=_beta(keys[5], order.generalised_beta)),
        blur_kernels.plateau(_SIZE, **shape, beta=_beta(keys[6], order.plateau_beta)),
    ]
    smooth = jnp.stack(kinds)[kind // 2]
    cutoff = uniform(keys[7], (0.0, 1.0))
    lowest = jnp.where(size < 13, np.pi / 3, np.pi / 5)
    ringing = blur_kernels.sinc(_SIZE, cutoff=lowest + cutoff * (np.pi - lowest))
    return blur_kernels.within(jnp.where(chance(keys[8], order.sinc), ringing, smooth), size)


def _beta(key: Key[Array, ""], bounds: Range) -> Float[Array, ""]:
    """Draws a value below or above one, with equal probability, and uniformly there."""
    half, where = jax.random.split(key)
    below, above = uniform(where, (bounds[0], 1.0)), uniform(where, (1.0, bounds[1]))
    return jnp.where(chance(half, 0.5), below, above)


def _draw_size(key: Key[Array, ""]) -> Array:
    return _SMALLEST + 2 * jax.random.randint(key, (), 0, (_SIZE - _SMALLEST) // 2 + 1)


def _final_kernel(key: Key[Array, ""], probability: float) -> tuple[Float[Array, "k k"], Drawn]:
    keys = jax.random.split(key, 4)
    ringing = blur_kernels.sinc(_SIZE, cutoff=uniform(keys[0], (np.pi / 3, np.pi)))
    ringing = blur_kernels.within(ringing, _draw_size(keys[1]))
    kernel = jnp.where(chance(keys[2], probability), ringing, blur_kernels.delta(_SIZE))
    return kernel, {"final_kernel": kernel, "final_resize_mode": jax.random.randint(keys[3], (), 0, len(MODES))}


def _factor(key: Key[Array, ""], order: Any) -> tuple[Float[Array, ""], Drawn]:
    keys = jax.random.split(jax.random.fold_in(key, 1), 3)
    enlarged, reduced = uniform(keys[0], (1.0, order.factor[1])), uniform(keys[0], (order.factor[0], 1.0))
    which = jax.random.choice(keys[1], len(order.resize), p=jnp.asarray(order.resize))
    factor = jnp.stack([enlarged, reduced, jnp.float32(1)])[which]
    return factor, {"resize_factor": factor, "resize_mode": jax.random.randint(keys[2], (), 0, len(MODES))}


def _noise(key: Key[Array, ""], image: Array, order: Any) -> tuple[Array, Drawn]:
    """Adds Gaussian noise or scaled shot noise, which may be the same in all channels, and clips the result."""
    keys = jax.random.split(jax.random.fold_in(key, 2), 5)
    is_gaussian, gray = chance(keys[0], order.gaussian), chance(keys[1], order.gray)
    sigma, shot_scale = uniform(keys[2], order.noise_sigma), uniform(keys[3], order.shot_scale)
    noise = lax.cond(
        is_gaussian,
        lambda: sigma / 255 * gaussian_like(keys[4], image, gray=gray),
        lambda: shot_scale * shot_noise(keys[4], image, peak=float(_LEVELS), gray=gray),
    )
    drawn = {
        "noise_sigma": jnp.where(is_gaussian, sigma, 0),
        "shot_noise_scale": jnp.where(is_gaussian, 0, shot_scale),
        "noise_is_gray": gray,
    }
    return clip(image + noise), drawn


def _jpeg(image: Array, quality: Array) -> Array:
    return apply_jpeg(clip(image), quality, subsampling="4:2:0")


def _quality(key: Key[Array, ""], order: Any) -> Array:
    low, high = order.quality
    return jax.random.randint(jax.random.fold_in(key, 3), (), int(low), int(high) + 1)
