import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.ops.data_steps import data_step
from sr_jax.ops.inverse_filters import tikhonov
from sr_jax.ops.margins import inverse_support


def gaussian(size, sigma):
    t = np.arange(size) - (size - 1) / 2
    k = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * sigma**2))
    return jnp.asarray(k / k.sum(), jnp.float32)


def test_support_is_the_inverses_not_the_kernels():
    """The inverse of a kernel within one pixel stays there. That of a Gaussian reaches farther the less it is regularised."""
    assert inverse_support(jnp.ones((2, 2)) / 4, 1e-3, scale=2) <= 1
    assert inverse_support(jnp.zeros((5, 5)).at[2, 2].set(1.0), 1e-3) == 0
    reach = [inverse_support(gaussian(9, 1.2), lam) for lam in (1e-1, 1e-3, 1e-5)]
    assert reach[0] < reach[1] < reach[2]
    assert reach[2] > 4  # the radius of the kernel


@pytest.mark.parametrize("scale", [1, 2])
def test_energy_outside_of_the_support(scale):
    """In the response of the operator, at most `tail` of the energy lies outside of the radius."""
    k = gaussian(8 if scale == 2 else 9, 1.6)
    radius = inverse_support(k, 1e-3, scale=scale, tail=1e-3)
    impulse = jnp.zeros((1, 128, 128, 1)).at[0, 64, 64, 0].set(1.0)
    x = data_step(impulse, k, jnp.zeros((1, 128 * scale, 128 * scale, 1)), 1e-3, scale=scale, boundary="circular")
    energy = np.asarray(x[0, :, :, 0], np.float64) ** 2
    inside = lambda r: (
        energy[(64 - r) * scale : (64 + r + 1) * scale, (64 - r) * scale : (64 + r + 1) * scale].sum() / energy.sum()
    )
    assert inside(radius) >= 1 - 1.1e-3
    assert inside(radius - 2) < 1 - 1e-3


def test_margin_by_default_is_enough(rng):
    """A wider margin than the default changes the interior by no more than the tail allows."""
    y = jnp.asarray(rng.uniform(size=(1, 40, 40, 1)), jnp.float32)
    k = gaussian(9, 1.2)
    default, wide = (tikhonov(y, k, 1e-3, boundary="symmetric", margin=m) for m in (None, 40))
    assert np.abs(default - wide)[0, 12:-12, 12:-12].max() < 1e-3
