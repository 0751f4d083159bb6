"""From HR windows to pairs of LR and HR patches: pure functions, made to run inside the compiled step."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int32, UInt8

from sr_jax.ops.resize import SUPPORT, bicubic_downsample_window


class Batch(NamedTuple):
    """What a pipeline delivers for one step."""

    window: Any  # UInt8 "*steps b n n 3", a NumPy or a JAX array
    """HR patches, RGB, with `margin(scale)` more pixels on every side."""
    transform: Any  # Int32 "*steps b"
    """Which symmetry of the square each example takes."""


def margin(scale: int) -> int:
    """Pixels around an HR patch that its LR patch depends on."""
    return SUPPORT * scale


def degrade(batch: Batch, *, scale: int) -> tuple[UInt8[Array, "b m m 3"], UInt8[Array, "b p p 3"]]:
    """LR and HR patches. The LR patch is byte for byte that of the whole image's bicubic reduction."""
    lr = bicubic_downsample_window(batch.window, scale)
    border = margin(scale)
    hr = batch.window[:, border:-border, border:-border]
    return transform(lr, batch.transform), transform(hr, batch.transform)


def transform(x: Array, which: Int32[Array, " b"]) -> Array:
    """Of each square image: bit 0 exchanges rows and columns, then bit 1 flips the rows, bit 2 the columns."""
    bit = [((which >> i) & 1).astype(bool)[:, None, None, None] for i in range(3)]
    x = jnp.where(bit[0], x.swapaxes(1, 2), x)
    x = jnp.where(bit[1], x[:, ::-1], x)
    return jnp.where(bit[2], x[:, :, ::-1], x)
