import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
import scipy.signal

from sr_jax.ops.circular_conv import fourier_product
from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.data_steps import data_step
from tests.ops.dense import problem


def test_zero_boundary_is_linear_convolution(rng):
    """With zeros beyond the border, the product equals SciPy's convolution."""
    x, g = rng.normal(size=(1, 8, 9, 1)), rng.normal(size=(5, 3))
    with jax.enable_x64(True):
        out = fourier_product(jnp.asarray(x), jnp.asarray(g), scale=1, boundary="zero", margin=6)
    np.testing.assert_allclose(out[0, :, :, 0], scipy.signal.convolve2d(x[0, :, :, 0], g, mode="same"), atol=1e-12)


@pytest.mark.parametrize(("scale", "size"), [(1, 3), (2, 4), (2, 6), (3, 5), (4, 2)])
def test_fourier_product_is_a_circular_transposed_convolution(rng, scale, size):
    """The result equals F^-1{F{LR} F{G}} in NumPy, and `conv_transpose2d` of LR with a wrapped border."""
    lr, g = rng.normal(size=(2, 6, 7, 3)), rng.normal(size=(size, size, 3))
    c = (size - scale) // 2
    inserted = np.zeros((2, 6 * scale, 7 * scale, 3))
    inserted[:, ::scale, ::scale] = lr
    torus = np.zeros((6 * scale, 7 * scale, 3))
    torus[:size, :size] = g
    torus = np.roll(torus, (-c, -c), (0, 1))
    literal = np.fft.ifft2(np.fft.fft2(inserted, axes=(1, 2)) * np.fft.fft2(torus, axes=(0, 1)), axes=(1, 2)).real
    with jax.enable_x64(True):
        out = fourier_product(jnp.asarray(lr), jnp.asarray(g), scale=scale)
        np.testing.assert_allclose(out, literal, atol=1e-12)
        wrapped = jnp.pad(jnp.asarray(lr), ((0, 0), (3, 3), (3, 3), (0, 0)), mode="wrap")
        transposed = conv_transpose2d(wrapped, jnp.asarray(g)[:, :, :, None], stride=scale, padding=0, groups=3)
    first = 3 * scale + c
    np.testing.assert_allclose(transposed[:, first : first + 6 * scale, first : first + 7 * scale], literal, atol=1e-12)


def test_fourier_product_mixes_channels(rng):
    lr, g = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(1, 4, 4, 2, 3))
    with jax.enable_x64(True):
        lr, g = jnp.asarray(lr), jnp.asarray(g)
        out = fourier_product(lr, g, scale=2)
        expected = sum(fourier_product(lr[..., i : i + 1].repeat(3, -1), g[0, :, :, i], scale=2) for i in range(2))
        np.testing.assert_allclose(out, expected, atol=1e-12)


def test_the_data_step_is_a_transposed_convolution_of_its_impulse_response(rng):
    """The data step is linear and shifts with y, so with x0 = 0 its impulse response defines it."""
    y, k, _ = problem(rng, 2, 4, h=8, w=8)
    with jax.enable_x64(True):
        y, k = jnp.asarray(y), jnp.asarray(k)
        impulse = jnp.zeros((1, 8, 8, 1)).at[0, 4, 4].set(1.0)
        response = data_step(impulse, k, jnp.zeros((1, 16, 16, 1)), 1e-2, scale=2, boundary="circular")[0, :, :, 0]
        out = fourier_product(y, response, scale=2, centre=(8, 8))
        np.testing.assert_allclose(
            out, data_step(y, k, jnp.zeros((1, 16, 16, 1)), 1e-2, scale=2, boundary="circular"), atol=1e-12
        )
