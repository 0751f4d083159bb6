import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.layers import Converse2D


def features(rng, *shape):
    return jnp.asarray(rng.uniform(size=shape), jnp.float32)


def randomised(layer, rng):
    """The layer with a random kernel that does not sum to 1, so that nothing cancels."""
    layer.kernel[...] = jnp.asarray(rng.normal(size=layer.kernel.shape) / layer.kernel.shape[0], jnp.float32)
    return layer


def published(y, k, lam, scale):
    """The published forward pass on a torus: full FFTs, division by lambda, roll by -(k // 2). Only float64 is ours."""
    _, h, w, c = y.shape
    first = y.repeat(scale, 1).repeat(scale, 2)
    otf = np.zeros((h * scale, w * scale, c))
    otf[: k.shape[0], : k.shape[1]] = k
    otf = np.fft.fft2(np.roll(otf, (-(k.shape[0] // 2), -(k.shape[1] // 2)), (0, 1)), axes=(0, 1))[None]
    inserted = np.zeros_like(first)
    inserted[:, ::scale, ::scale] = y
    right = np.conj(otf) * np.fft.fft2(inserted, axes=(1, 2)) + lam * np.fft.fft2(first, axes=(1, 2))
    mean = lambda v: v.reshape(v.shape[0], scale, h, scale, w, c).mean((1, 3))
    inner = np.tile(mean(otf * right) / (mean(np.abs(otf) ** 2) + lam), (1, scale, scale, 1))
    return np.fft.ifft2((right - np.conj(otf) * inner) / lam, axes=(1, 2)).real


@pytest.mark.parametrize(("kernel_size", "scale"), [(5, 1), (2, 2), (3, 1), (7, 1)])
def test_equals_the_published_form(rng, kernel_size, scale):
    layer = randomised(Converse2D(3, kernel_size, scale=scale, rngs=nnx.Rngs(0)), rng)
    y = features(rng, 2, 8, 9, 3)
    lam = np.asarray(layer.lam, np.float64)
    expected = published(np.asarray(y, np.float64), np.asarray(layer.kernel[...], np.float64), lam, scale)
    np.testing.assert_allclose(layer(y), expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_starts_as_nearest_neighbour(rng, scale):
    """A kernel with k = s that sums to 1 gives a stencil of ones."""
    layer = Converse2D(2, scale, scale=scale, rngs=nnx.Rngs(0))
    y = features(rng, 1, 5, 4, 2)
    np.testing.assert_allclose(layer(y), y.repeat(scale, 1).repeat(scale, 2), atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_stencil_is_the_fourier_form(rng, scale):
    """For k = s, which needs no transform, the general solver and the transfer function give the same."""
    layer = randomised(Converse2D(2, scale, scale=scale, rngs=nnx.Rngs(0)), rng)
    y = features(rng, 1, 6, 5, 2)
    np.testing.assert_allclose(layer(y), layer._on_torus(y), atol=1e-5)
    np.testing.assert_allclose(layer(y), layer._by_transfer(y, layer.transfer(6, 5)), atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("kernel_size", "scale"), [(5, 1), (4, 2), (6, 2), (5, 3)])
@pytest.mark.parametrize("boundary", ["circular", "replicate"])
def test_transfer(rng, kernel_size, scale, boundary):
    layer = Converse2D(2, kernel_size, scale=scale, boundary=boundary, eps=1e-2, rngs=nnx.Rngs(0))
    y = features(rng, 1, 8, 7, 2)
    np.testing.assert_allclose(layer(y, layer.transfer(8, 7)), layer(y), atol=2e-5)
    with pytest.raises(ValueError, match="for another size"):
        layer(y, layer.transfer(9, 7))


@pytest.mark.parametrize(("kernel_size", "scale"), [(3, 1), (4, 2), (5, 3)])
def test_materialised(rng, kernel_size, scale):
    """A transposed convolution with the impulse response equals the layer to the tolerance that was asked for."""
    layer = Converse2D(2, kernel_size, scale=scale, eps=0.1, rngs=nnx.Rngs(0))
    y = features(rng, 1, 40, 41, 2)
    plain = layer.materialise(tolerance=1e-3)
    gain = np.abs(plain.kernel[...]).sum((0, 1)).max()
    np.testing.assert_allclose(plain(y), layer(y), atol=1e-3 * gain)
    assert np.abs(plain(y) - layer(y)).max() > 0  # the two are different computations


def test_a_long_response_is_not_materialised():
    layer = Converse2D(1, 5, scale=1, rngs=nnx.Rngs(3))
    with pytest.raises(ValueError, match=r"is \d+ LR pixels long at tolerance=1e-06, more than largest=5"):
        layer.materialise(tolerance=1e-6, largest=5)


def test_lambda_starts_as_published():
    lam = Converse2D(1, rngs=nnx.Rngs(0)).lam
    np.testing.assert_allclose(lam, 1 / (1 + np.exp(9)) + 1e-5, rtol=1e-5)


@pytest.mark.slow
def test_gradients_are_finite_where_the_kernel_vanishes(rng):
    y = features(rng, 1, 6, 6, 2)
    for kernel_size, scale in ((5, 1), (2, 2), (4, 2)):
        layer = Converse2D(2, kernel_size, scale=scale, rngs=nnx.Rngs(0))
        layer.kernel[...] = jnp.zeros_like(layer.kernel[...])
        gradient = nnx.grad(lambda layer: jnp.sum(layer(y) ** 2))(layer)
        assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


def test_bfloat16(rng):
    y = features(rng, 1, 6, 5, 2).astype(jnp.bfloat16)
    for kernel_size, scale in ((5, 1), (2, 2)):
        assert Converse2D(2, kernel_size, scale=scale, rngs=nnx.Rngs(0))(y).dtype == jnp.bfloat16


def test_bad_options():
    with pytest.raises(ValueError, match="must both be even or both odd: use 4 or 6"):
        Converse2D(1, 5, scale=2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="use symmetric or replicate"):
        Converse2D(1, 5, boundary="edgetaper", rngs=nnx.Rngs(0))
