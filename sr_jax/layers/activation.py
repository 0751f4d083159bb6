"""Activations with parameters."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class PReLU(nnx.Module):
    """`max(x, 0) + a min(x, 0)`, where each channel learns its own slope a (He et al. 2015, arXiv 1502.01852).

    With `channels=1` all channels of the input share one slope. Features may have any values.

    Parameters: `slope`, of shape (channels,), which starts at the value of the argument `slope`.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.layers import PReLU
      >>> print(PReLU(1, slope=0.5)(jnp.array([[-2.0, 3.0]])))
      [[-1.  3.]]
    """

    def __init__(self, channels: int, *, slope: float = 0.25):
        self.slope = nnx.Param(jnp.full((channels,), slope, jnp.float32))

    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        return jnp.maximum(x, 0) + jnp.broadcast_to(self.slope[...], x.shape) * jnp.minimum(x, 0)
