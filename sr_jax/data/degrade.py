"""From HR windows to pairs of LR and HR patches: pure functions, made to run inside the compiled step."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int32

from sr_jax.ops.resize import SUPPORT, bicubic_downsample_window


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
    """Makes LR and HR patches of a batch. The LR patch is byte for byte that of the whole image's bicubic reduction."""

    def __init__(self, *, scale: int):
        self._scale = scale
        self.margin = SUPPORT * scale
        """Pixels around an HR patch that its LR patch depends on."""

    def __call__(self, batch: Batch) -> Pairs:
        hr = batch.window[:, self.margin : -self.margin, self.margin : -self.margin]
        lr = bicubic_downsample_window(batch.window, self._scale) if batch.lr is None else batch.lr
        return Pairs(transform(lr, batch.transform), transform(hr, batch.transform), {})


def transform(x: Array, which: Int32[Array, " b"]) -> Array:
    """Of each square image: bit 0 exchanges rows and columns, then bit 1 flips the rows, bit 2 the columns."""
    bit = [((which >> i) & 1).astype(bool)[:, None, None, None] for i in range(3)]
    x = jnp.where(bit[0], x.swapaxes(1, 2), x)
    x = jnp.where(bit[1], x[:, ::-1], x)
    return jnp.where(bit[2], x[:, :, ::-1], x)
