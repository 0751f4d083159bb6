"""Activations with parameters."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class PReLU(nnx.Module):
    """`max(x, 0) + a min(x, 0)` with one learned slope a for each channel (He et al. 2015).

    With `channels=1` all channels of what it is called with share one slope.
    """

    def __init__(self, channels: int, *, slope: float = 0.25):
        self.slope = nnx.Param(jnp.full((channels,), slope, jnp.float32))

    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        return jnp.maximum(x, 0) + jnp.broadcast_to(self.slope[...], x.shape) * jnp.minimum(x, 0)
