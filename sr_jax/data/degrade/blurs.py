"""Blurs with kernels that are drawn at random or read from a file."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key

from sr_jax.data.degrade.kernel_files import load_kernels
from sr_jax.data.degrade.stages import Drawn, Range, Stage, chance, uniform
from sr_jax.ops import blur_kernels

_STEPS = 100  # of a shaking camera's path
_INERTIA = 0.9  # the share of its velocity that a shaking camera keeps in a step


class Kernels(NamedTuple):
    """A distribution of blur kernels."""

    size: int
    draw: Callable[[Key[Array, ""]], Drawn]
    """Draws the kernel (`size x size`, sum 1), under the name `kernel`, and its parameters."""


def blur(distribution: Kernels, *, stride: int) -> Stage:
    """Convolves with a drawn kernel and keeps every `stride`-th pixel. Tap `(size - 1) / 2` lies on the kept pixel."""
    reach = distribution.size // 2

    def apply(key: Key[Array, ""], image: Float[Array, "h w 3"]) -> tuple[Float[Array, "h2 w2 3"], Drawn]:
        drawn = distribution.draw(key)
        return convolve_inside(image, drawn["kernel"], stride=stride), drawn

    return Stage(apply, margin=reach, scale=stride, strided=lambda s: blur(distribution, stride=stride * s))


def convolve_inside(image: Float[Array, "h w c"], kernel: Float[Array, "k k"], *, stride: int) -> Float[Array, "h2 w2 c"]:
    """True convolution at every `stride`-th pixel at which the kernel, of odd size, lies inside of the image.

    This is a sum over rows of taps, and each row is a sum of shifted products. On CPUs it is several times as fast as XLA's
    convolution with one kernel for each image. It computes every pixel in the same order, whatever the batch.
    """
    size = kernel.shape[0]
    flipped = kernel[::-1, ::-1]
    planes = jnp.moveaxis(image, -1, 0)
    height, width = (-(-(n - size + 1) // stride) for n in image.shape[:2])

    def add_row(t: Array, total: Array) -> Array:
        rows = lax.dynamic_slice_in_dim(planes, t, (height - 1) * stride + 1, 1)[:, ::stride]
        taps = lax.dynamic_index_in_dim(flipped, t, 0, keepdims=False)
        products = (taps[u] * rows[:, :, u : u + (width - 1) * stride + 1 : stride] for u in range(size))
        return total + functools.reduce(jnp.add, products)

    total = lax.fori_loop(0, size, add_row, jnp.zeros((planes.shape[0], height, width), image.dtype))
    return jnp.moveaxis(total, 0, -1)


def gaussian(*, size: int, sigma: Range, anisotropic: bool, shift: float) -> Kernels:
    """Gaussians. Anisotropic ones draw two standard deviations and an angle.

    Args:
      sigma: standard deviation [pixels].
      shift: offset of the centre from tap `(size - 1) / 2`, down and to the right [pixels].
    """

    def draw(key: Key[Array, ""]) -> Drawn:
        first, second, turn = jax.random.split(key, 3)
        along = uniform(first, sigma)
        across = uniform(second, sigma) if anisotropic else along
        angle = uniform(turn, (0.0, 180.0)) if anisotropic else jnp.float32(0)
        kernel = blur_kernels.gaussian(size, sigma=(along, across), angle=angle, shift=shift)
        return {"kernel": kernel, "blur_sigma": jnp.stack([along, across]), "blur_angle": angle}

    return Kernels(size, draw)


def motion(*, size: int, length: Range, angle: Range, shift: float) -> Kernels:
    """Straight lines with a length [pixels] and an angle [degrees]."""

    def draw(key: Key[Array, ""]) -> Drawn:
        first, second = jax.random.split(key)
        drawn = {"blur_length": uniform(first, length), "blur_angle": uniform(second, angle)}
        kernel = blur_kernels.motion(size, length=drawn["blur_length"], angle=drawn["blur_angle"], shift=shift)
        return {"kernel": kernel, **drawn}

    return Kernels(size, draw)


def shake(*, size: int, extent: Range, shift: float) -> Kernels:
    """Paths of a camera in a shaking hand, scaled to an extent [pixels].

    The velocity changes at random, with inertia, as in Boracchi and Foi, "Modeling the Performance of Image Restoration From
    Motion Blur", TIP 2012.
    """

    def draw(key: Key[Array, ""]) -> Drawn:
        first, second = jax.random.split(key)
        pushes = jax.random.normal(first, (_STEPS, 2))
        velocity = lax.scan(_push, jnp.zeros(2), pushes)[1]
        path = jnp.cumsum(velocity, 0)
        path = path - path.mean(0, keepdims=True)
        widest = uniform(second, extent)
        path = path * (widest / jnp.max(path.max(0) - path.min(0)))
        reach = (size - 1) / 2 - abs(shift)
        path = jnp.clip(path, -reach, reach)  # the path stays inside of the kernel
        return {"kernel": blur_kernels.path(size, path[:, 0], path[:, 1], shift=shift), "blur_extent": widest}

    return Kernels(size, draw)


def _push(velocity: Array, push: Array) -> tuple[Array, Array]:
    velocity = _INERTIA * velocity + push
    return velocity, velocity


def disk(*, size: int, radius: Range, shift: float) -> Kernels:
    """Disks with a radius [pixels], the blur of a lens out of focus."""

    def draw(key: Key[Array, ""]) -> Drawn:
        value = uniform(key, radius)
        return {"kernel": blur_kernels.disk(size, radius=value, shift=shift), "blur_radius": value}

    return Kernels(size, draw)


def classical(*, size: int, variance: Range, extent: Range, shake_probability: float, shift: float) -> Kernels:
    """Anisotropic Gaussians, with uniform variances [pixels^2] and angle, or paths of a shaking camera.

    These are the training kernels of USRNet (Zhang, Van Gool, Timofte, "Deep Unfolding Network for Image Super-Resolution",
    CVPR 2020).
    """
    shakes = shake(size=size, extent=extent, shift=shift)

    def draw(key: Key[Array, ""]) -> Drawn:
        kind, first, second, turn, path = jax.random.split(key, 5)
        sigma = jnp.sqrt(jnp.stack([uniform(first, variance), uniform(second, variance)]))
        angle = uniform(turn, (0.0, 180.0))
        shaken, drawn = chance(kind, shake_probability), shakes.draw(path)
        smooth = blur_kernels.gaussian(size, sigma=(sigma[0], sigma[1]), angle=angle, shift=shift)
        return {
            "kernel": jnp.where(shaken, drawn["kernel"], smooth),
            "blur_is_shake": shaken,
            "blur_sigma": jnp.where(shaken, 0, sigma),
            "blur_angle": jnp.where(shaken, 0, angle),
            "blur_extent": jnp.where(shaken, drawn["blur_extent"], 0),
        }

    return Kernels(size, draw)


def from_file(*, path: str, shift: float) -> Kernels:
    """The kernels of a file, which are all equally likely. They are not shifted."""
    del shift
    bank = load_kernels(path)

    def draw(key: Key[Array, ""]) -> Drawn:
        index = jax.random.randint(key, (), 0, len(bank))
        return {"kernel": jnp.asarray(bank)[index], "kernel_index": index}

    return Kernels(bank.shape[1], draw)


BLURS: dict[str, Callable[..., Kernels]] = {
    "gaussian-blur": gaussian,
    "motion-blur": motion,
    "shake-blur": shake,
    "disk-blur": disk,
    "classical-blur": classical,
    "kernel-file": from_file,
}
"""Maps names in the config to distributions."""
