"""Losses between a super-resolved image and the true one, both in [0, 1]."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float


def l1(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """Mean absolute error."""
    return jnp.mean(jnp.abs(sr - hr))


def mse(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """Mean squared error."""
    return jnp.mean(jnp.square(sr - hr))


def charbonnier(sr: Float[Array, "b h w c"], hr: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """Mean of `sqrt(error^2 + 0.001^2)`, the absolute error made smooth at 0 (Lai et al., CVPR 2017, section 3.2)."""
    return jnp.mean(jnp.sqrt(jnp.square(sr - hr) + 0.001**2))


LOSSES: dict[str, Callable[[Array, Array], Array]] = {"l1": l1, "mse": mse, "charbonnier": charbonnier}
