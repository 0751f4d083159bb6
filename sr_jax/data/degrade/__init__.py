"""Makes pairs of LR and HR patches from HR windows, with pure functions that run inside the compiled step."""

import collections
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int32, Num, UInt32

from sr_jax.data.degrade.blind import second_order
from sr_jax.data.degrade.blurs import BLURS, blur
from sr_jax.data.degrade.kernel_files import file_digest
from sr_jax.data.degrade.noises import NOISES
from sr_jax.data.degrade.stages import Drawn, Stage
from sr_jax.ops.color import to_float, to_uint8
from sr_jax.ops.resize import bicubic_downsample_window
from sr_jax.ops.resize_kernels import SUPPORT

__all__ = [
    "BLURS",
    "NOISES",
    "Batch",
    "Degrade",
    "Pairs",
    "Stage",
    "bicubic",
    "blur",
    "file_digest",
    "second_order",
    "subsample",
    "transform",
]


class Batch(NamedTuple):
    """The output of a pipeline for one step."""

    window: Any  # UInt8 "*steps b n n 3", a NumPy or a JAX array
    """HR patches, RGB, with the degradation's `margin` more pixels on every side."""
    transform: Any  # Int32 "*steps b"
    """The symmetry of the square that is applied to each example."""
    draw: Any  # UInt32 "*steps b 2"
    """Data of each example's random key (`jax.random.wrap_key_data`), from which its degradation is drawn."""
    lr: Any = None  # UInt8 "*steps b m m 3"
    """The LR patches, if they come from files; None if they are made from the windows."""


class Pairs(NamedTuple):
    """The pairs on which a step trains."""

    lr: Any  # UInt8 "b m m 3"
    hr: Any  # UInt8 "b p p 3"
    drawn: dict[str, Any]
    """The random values of each example by name, such as `kernel` and `noise_sigma`, for networks that need them."""


class Degrade:
    """Makes LR and HR patches of a batch with a chain of stages. Each example has its own key.

    With `bicubic` as the only stage, an LR patch is byte for byte a crop of the whole image's bicubic reduction, and the
    symmetry is applied to both patches. Any other chain degrades the *transformed* window, so that the drawn kernels, and the
    choice of the pixel that is kept in each cell, are right for the pair.

    CPUs process the examples one by one. So the bytes of an example do not depend on the size of the batch, although
    vectorised loops treat their last elements differently. It is not slower, since an example fits into the cache.

    Args:
      stages: the chain; if it is empty, bicubic reduction.

    Raises:
      ValueError: if the stages together do not reduce by `scale`.
    """

    def __init__(self, *, scale: int, stages: Sequence[Stage] = ()):
        self._stages = _join(stages or [bicubic(scale=scale)])
        self._margins = _margins(self._stages)
        reduction = 1
        for stage in self._stages:
            reduction *= stage.scale
        if reduction != scale:
            raise ValueError(f"the stages reduce by {reduction}, not by scale={scale}")
        self._draws_nothing = all(stage.takes_bytes for stage in self._stages)
        self.margin = -(-self._margins[0] // scale) * scale
        """HR pixels around a patch on which its LR patch depends, rounded up to a multiple of the scale."""

    def __call__(self, batch: Batch) -> Pairs:
        if batch.lr is not None:
            return Pairs(transform(batch.lr, batch.transform), transform(self._patch(batch.window), batch.transform), {})
        if self._draws_nothing:
            lr, drawn = jax.vmap(self._degrade)(jnp.asarray(batch.draw), batch.window)
            return Pairs(transform(lr, batch.transform), transform(self._patch(batch.window), batch.transform), drawn)
        window = transform(batch.window, batch.transform)
        lr, drawn = lax.platform_dependent(
            jnp.asarray(batch.draw),
            window,
            cpu=lambda *examples: lax.map(lambda example: self._degrade(*example), examples),
            default=jax.vmap(self._degrade),
        )
        return Pairs(lr, self._patch(window), drawn)

    def _patch(self, window: Array) -> Array:
        return _cut(window, self.margin)

    def _degrade(self, draw: UInt32[Array, " 2"], window: Num[Array, "n n 3"]) -> tuple[Num[Array, "m m 3"], Drawn]:
        key = jax.random.wrap_key_data(draw, impl="threefry2x32")
        image = _cut(window, self.margin - self._margins[0])
        drawn: list[Drawn] = []
        for index, stage in enumerate(self._stages):
            if not stage.takes_bytes:
                image = _as_float(image)
            image, values = stage.apply(jax.random.fold_in(key, index), image)
            drawn.append(values)
        return image if image.dtype == jnp.uint8 else to_uint8(image), _merge(drawn)


def bicubic(*, scale: int) -> Stage:
    """MATLAB's bicubic reduction. It rounds uint8 images as MATLAB does, and does not round float images."""
    return Stage(
        lambda _, image: (bicubic_downsample_window(image, scale), {}),
        margin=SUPPORT * scale,
        scale=scale,
        takes_bytes=True,
    )


def subsample(*, scale: int) -> Stage:
    """Keeps the top left pixel of each `scale` x `scale` cell."""
    return Stage(lambda _, image: (image[::scale, ::scale], {}), scale=scale)


def transform(x: Array, which: Int32[Array, " b"]) -> Array:
    """Applies a symmetry to each square image: bit 0 swaps rows and columns, then bit 1 flips rows and bit 2 columns."""
    bit = [((which >> i) & 1).astype(bool)[:, None, None, None] for i in range(3)]
    x = jnp.where(bit[0], x.swapaxes(1, 2), x)
    x = jnp.where(bit[1], x[:, ::-1], x)
    return jnp.where(bit[2], x[:, :, ::-1], x)


def _join(stages: Sequence[Stage]) -> list[Stage]:
    """Combines blurs with the subsampling that follows them, so that only the kept pixels are computed."""
    chain: list[Stage] = []
    for stage in stages:
        keeps_every = stage.scale if stage.margin == 0 and stage.scale > 1 else 0
        if keeps_every and chain and chain[-1].strided:
            chain[-1] = chain[-1].strided(keeps_every)
        else:
            chain.append(stage)
    return chain


def _margins(stages: Sequence[Stage]) -> list[int]:
    """The number of pixels around the patch that each stage needs in its input."""
    margins: list[int] = []
    needed = 0
    for stage in reversed(stages):
        needed = stage.margin + stage.scale * needed
        margins.append(needed)
    return margins[::-1]


def _cut(image: Array, margin: int) -> Array:
    """Removes `margin` pixels on every side."""
    return image if margin == 0 else image[..., margin:-margin, margin:-margin, :]


def _as_float(image: Num[Array, "h w c"]) -> Float[Array, "h w c"]:
    return image if jnp.issubdtype(image.dtype, jnp.floating) else to_float(image)


def _merge(drawn: Sequence[Drawn]) -> Drawn:
    """Joins the values that the stages drew. A name that occurs a second time gets the suffix `_2`, and so on."""
    merged: Drawn = {}
    count: collections.Counter[str] = collections.Counter()
    for values in drawn:
        for name, value in values.items():
            count[name] += 1
            merged[name if count[name] == 1 else f"{name}_{count[name]}"] = value
    return merged
