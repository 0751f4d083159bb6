import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.ops.interpolate import METHODS, enlarge
from sr_jax.ops.resize import bicubic_upsample


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_matlabs(rng, scale):
    x = jnp.asarray(rng.uniform(size=(1, 6, 7, 2)), jnp.float32)
    out = enlarge(x, scale=scale, method="bicubic", boundary="symmetric")
    np.testing.assert_allclose(out, bicubic_upsample(x, scale), atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3])
def test_bilinear_and_nearest_are_jax_image(rng, scale):
    x = jnp.asarray(rng.uniform(size=(1, 6, 7, 2)), jnp.float32)
    shape = (1, 6 * scale, 7 * scale, 2)
    for method, theirs in (("bilinear", "linear"), ("nearest", "nearest")):
        out = enlarge(x, scale=scale, method=method, boundary="replicate")
        np.testing.assert_allclose(out, jax.image.resize(x, shape, theirs), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("offset", [(0.0, 0.0), (1.0, 0.5), (-1.0, 2.0)])
def test_alignment(method, offset):
    """A ramp stays a ramp, with input pixel 0 at the offset; the nearest pixel is at most half a pixel away."""
    ramp = jnp.arange(12.0)[None, :, None, None] + 10 * jnp.arange(12.0)[None, None, :, None]
    out = enlarge(ramp, scale=2, method=method, boundary="replicate", offset=offset)[0, 8:16, 8:16, 0]
    y, x = (np.arange(8, 16)[:, None] - offset[0]) / 2, (np.arange(8, 16)[None] - offset[1]) / 2
    np.testing.assert_allclose(out, y + 10 * x, atol=1e-4 if method != "nearest" else 5.6)


def test_a_far_offset_does_not_wrap():
    """A large offset needs many replicated pixels."""
    ramp = jnp.arange(8.0)[None, :, None, None].repeat(8, 2)
    for method in METHODS:
        out = enlarge(ramp, scale=2, method=method, boundary="replicate", offset=(-6.0, 0.0))[0, :, 0, 0]
        np.testing.assert_allclose(out[-4:], 7, atol=1e-5)


def test_bad_input():
    with pytest.raises(ValueError, match="method='cubic' is not one of nearest, bilinear, bicubic"):
        enlarge(jnp.zeros((1, 2, 2, 1)), scale=2, method="cubic", boundary="zero")
