import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.resize import bicubic_downsample
from sr_jax.ops.resize_kernels import bicubic_kernel, downsample_weights, resize_weights, upsample_weights

RATIONAL = ("bicubic", "bilinear", "box")


@pytest.mark.parametrize("kernel", RATIONAL)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_integer_weights_are_those_of_the_general_rule(kernel, scale):
    """They are compared in the middle of an axis, where nothing is mirrored."""
    weights, denominator, offset = downsample_weights(scale, kernel=kernel, antialias=True)
    general, index = resize_weights(20 * scale, 20, scale=1 / scale, kernel=kernel, antialias=True)
    row = np.zeros(20 * scale)
    np.add.at(row, index[10], general[10])
    np.testing.assert_allclose(row[10 * scale + offset :][: len(weights)], weights / denominator, atol=1e-12)
    assert row.sum() == pytest.approx((weights / denominator).sum())

    phases, denominator, offsets = upsample_weights(scale, kernel=kernel)
    general, index = resize_weights(20, 20 * scale, scale=float(scale), kernel=kernel, antialias=True)
    for phase, weights in enumerate(phases):
        row = np.zeros(20)
        np.add.at(row, index[10 * scale + phase], general[10 * scale + phase])
        np.testing.assert_allclose(row[10 + offsets[phase] :][: len(weights)], weights / denominator, atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_kernel_is_the_blur_of_the_reduction(rng, scale):
    """They agree away from the borders, where the model is circular and MATLAB mirrors."""
    x = jnp.asarray(rng.uniform(size=(1, 12 * scale, 12 * scale, 1)), jnp.float32)
    k = jnp.asarray(bicubic_kernel(scale))
    blurred = blur_downsample(x, k, scale=scale, centre=(len(k) - 1) // 2)
    np.testing.assert_allclose(blurred[:, 3:-3, 3:-3], bicubic_downsample(x, scale)[:, 3:-3, 3:-3], atol=1e-6)
    assert k.sum() == pytest.approx(1, abs=1e-6)
