import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from sr_jax.ops.blur import as_batch, blur_downsample, blur_downsample_adjoint, check_scale

# (scale, kernel size, centre): the middle of the cell where the parities allow it, otherwise the middle tap.
CASES = [(2, 5, 2), (3, 5, None), (2, 2, None), (1, 5, None), (4, 9, 4), (4, 2, None), (3, 1, None), (2, 6, (1, 4))]


def definition(x, k, scale, centre):
    """The definition: y[i] = sum_t k[t] x[s i - (t - centre)]."""
    h, w = x.shape[1] // scale, x.shape[2] // scale
    y = np.zeros((x.shape[0], h, w, x.shape[3]))
    for t in range(k.shape[1]):
        for u in range(k.shape[2]):
            rows = (scale * np.arange(h) - t + centre[0]) % x.shape[1]
            columns = (scale * np.arange(w) - u + centre[1]) % x.shape[2]
            y += k[:, t, u][:, None, None] * x[:, rows][:, :, columns]
    return y


def centre_of(size, scale, centre):
    c = (size + scale - 2) // 2 if centre is None else centre
    return c if isinstance(c, tuple) else (c, c)


@pytest.mark.parametrize(("scale", "size", "centre"), CASES)
def test_definition_and_adjoint(rng, scale, size, centre):
    """All shapes of kernels agree with the definition, and <A x, r> = <x, A^T r>."""
    with jax.enable_x64(True):
        x = jnp.asarray(rng.normal(size=(2, 6 * scale, 5 * scale, 3)))
        r = jnp.asarray(rng.normal(size=(2, 6, 5, 3)))
        for shape, full in (
            ((size, size), (1, size, size, 1)),
            ((size, size, 3), (1, size, size, 3)),
            ((2, size, size, 3), (2, size, size, 3)),
        ):
            k = rng.normal(size=shape)
            y = blur_downsample(x, jnp.asarray(k), scale=scale, centre=centre)
            expected = definition(np.asarray(x), k.reshape(full), scale, centre_of(size, scale, centre))
            np.testing.assert_allclose(y, expected, atol=1e-12)
            back = blur_downsample_adjoint(r, jnp.asarray(k), scale=scale, centre=centre)
            np.testing.assert_allclose(jnp.sum(y * r), jnp.sum(x * back), atol=1e-11)


def test_scipy(rng):
    """At scale 1, the blur is a convolution (not a correlation) centred on the middle tap."""
    x, k = rng.normal(size=(9, 8)), rng.normal(size=(3, 5))
    with jax.enable_x64(True):
        y = blur_downsample(jnp.asarray(x)[None, :, :, None], jnp.asarray(k), scale=1)
    np.testing.assert_allclose(y[0, :, :, 0], ndimage.convolve(x, k, mode="wrap"), atol=1e-12)


def test_a_box_of_the_cell_is_the_mean_of_the_cell(rng):
    """An s x s box with c = (k + s - 2) / 2 covers exactly the cell of the LR pixel."""
    x = rng.normal(size=(1, 6, 9, 1)).astype(np.float32)
    y = blur_downsample(jnp.asarray(x), jnp.full((3, 3), 1 / 9), scale=3)
    np.testing.assert_allclose(y[0, :, :, 0], x[0, :, :, 0].reshape(2, 3, 3, 3).mean((1, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "scale", "options", "message"),
    [
        ((5, 5), 2, {}, r"5x5 kernel has no tap at the centre .* scale=2: use a kernel of even size.*centre=\(2, 2\)"),
        ((4, 4), 3, {}, "use a kernel of odd size"),
        ((13, 5), 1, {}, "13x5 kernel is larger than the 12x12 image"),
        ((5, 5), 0, {}, "scale=0 must be an integer of at least 1"),
        ((5, 5), 5, {}, "12x12 image cannot be subsampled by 5"),
        ((5, 5, 2), 1, {}, "does not fit 1 images of 3 channels"),
        ((5, 5), 1, {"centre": 5}, "centre=5 is not a tap of a 5x5 kernel"),
    ],
)
def test_bad_input(shape, scale, options, message):
    with pytest.raises(ValueError, match=message):
        blur_downsample(jnp.zeros((1, 12, 12, 3)), jnp.zeros(shape), scale=scale, **options)


@pytest.mark.parametrize("scale", [2.0, True, "2", None])
def test_scale_is_an_integer(scale):
    with pytest.raises(ValueError, match=f"scale={scale!r} must be an integer"):
        check_scale(scale)


def test_axes_of_a_kernel():
    with pytest.raises(ValueError, match=r"shape \(5,\) does not have the axes \(kh, kw\)"):
        as_batch(jnp.zeros(5), (1, 8, 8, 1))
