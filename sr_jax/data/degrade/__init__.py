"""From HR windows to pairs of LR and HR patches: pure functions, made to run inside the compiled step."""

import collections
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int32, Num, UInt32

from sr_jax.data.degrade.blind import second_order
from sr_jax.data.degrade.blurs import BLURS, blur, file_digest
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
    """What a pipeline delivers for one step."""

    window: Any  # UInt8 "*steps b n n 3", a NumPy or a JAX array
    """HR patches, RGB, with the degradation's `margin` more pixels on every side."""
    transform: Any  # Int32 "*steps b"
    """Which symmetry of the square each example takes."""
    draw: Any  # UInt32 "*steps b 2"
    """Data of each example's random key (`jax.random.wrap_key_data`), from which its degradation is drawn."""
    lr: Any = None  # UInt8 "*steps b m m 3"
    """The LR patches, where they come from files; None where they are made of the windows."""


class Pairs(NamedTuple):
    """What a step trains on."""

    lr: Any  # UInt8 "b m m 3"
    hr: Any  # UInt8 "b p p 3"
    drawn: dict[str, Any]
    """What the degradation drew of each example, by name (kernel, sigma, ...), for networks that are given it."""


class Degrade:
    """Makes LR and HR patches of a batch, by a chain of stages; each example draws with its own key.

    The LR of the one stage `bicubic` is byte for byte that of the whole image's bicubic reduction, turned with it. Any other
    chain degrades the *turned* window, so that the kernels that it drew, and the pixel of each cell that is kept, hold for
    the pair as it is. CPUs go through the examples one by one, so that the bytes of an example do not depend on how many there
    are (vectorised loops treat their last elements differently); that is no slower there, since an example fits the cache.

    Args:
      stages: in their order; none: bicubic.

    Raises:
      ValueError: if the stages together do not reduce by `scale`.
    """

    def __init__(self, *, scale: int, stages: Sequence[Stage] = ()):
        self._stages = _joined(stages or [bicubic(scale=scale)])
        self._margins = _margins(self._stages)
        reduction = 1
        for stage in self._stages:
            reduction *= stage.scale
        if reduction != scale:
            raise ValueError(f"the stages reduce by {reduction}, not by scale={scale}")
        self._draws_nothing = all(stage.takes_bytes for stage in self._stages)
        self.margin = -(-self._margins[0] // scale) * scale
        """Pixels around an HR patch that its LR patch depends on, a multiple of the scale."""

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
        return image if image.dtype == jnp.uint8 else to_uint8(image), _named(drawn)


def bicubic(*, scale: int) -> Stage:
    """MATLAB's bicubic reduction: of 8-bit images in 8 bits, with its rounding; of floats without."""
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
    """Of each square image: bit 0 exchanges rows and columns, then bit 1 flips the rows, bit 2 the columns."""
    bit = [((which >> i) & 1).astype(bool)[:, None, None, None] for i in range(3)]
    x = jnp.where(bit[0], x.swapaxes(1, 2), x)
    x = jnp.where(bit[1], x[:, ::-1], x)
    return jnp.where(bit[2], x[:, :, ::-1], x)


def _joined(stages: Sequence[Stage]) -> list[Stage]:
    """Blurs that are followed by subsampling compute the kept pixels alone."""
    joined: list[Stage] = []
    for stage in stages:
        keeps_every = stage.scale if stage.margin == 0 and stage.scale > 1 else 0
        if keeps_every and joined and joined[-1].strided:
            joined[-1] = joined[-1].strided(keeps_every)
        else:
            joined.append(stage)
    return joined


def _margins(stages: Sequence[Stage]) -> list[int]:
    """The pixels around the patch that each stage needs, in pixels of its input."""
    margins: list[int] = []
    needed = 0
    for stage in reversed(stages):
        needed = stage.margin + stage.scale * needed
        margins.append(needed)
    return margins[::-1]


def _cut(image: Array, margin: int) -> Array:
    """The two axes of pixels without `margin` on every side."""
    return image if margin == 0 else image[..., margin:-margin, margin:-margin, :]


def _as_float(image: Num[Array, "h w c"]) -> Float[Array, "h w c"]:
    return image if jnp.issubdtype(image.dtype, jnp.floating) else to_float(image)


def _named(drawn: Sequence[Drawn]) -> Drawn:
    """All that was drawn; what a second stage calls the same gets `_2`, and so on."""
    named: Drawn = {}
    seen: collections.Counter[str] = collections.Counter()
    for values in drawn:
        for name, value in values.items():
            seen[name] += 1
            named[name if seen[name] == 1 else f"{name}_{seen[name]}"] = value
    return named
