import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from skimage import data

from sr_jax import metrics
from sr_jax.layers import Deconvolution, PReLU, ResizeConv, SubPixel, bilinear, icnr, identity
from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.conv_forms import LAYOUT
from sr_jax.ops.interpolate import enlarge
from sr_jax.ops.resize import bicubic_downsample, bicubic_upsample

pytestmark = pytest.mark.exact


def test_the_founding_layer():
    """Deconvolution(3, 3, 4, 2, 1) doubles height and width of 480x640."""
    layer = Deconvolution(3, 3, 4, 2, 1, rngs=nnx.Rngs(0))
    assert layer(jnp.zeros((1, 480, 640, 3))).shape == (1, 960, 1280, 3)


def test_bias_is_added():
    layer = Deconvolution(1, 2, 3, 1, 1, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.array([1.0, -2.0])
    np.testing.assert_array_equal(layer(jnp.zeros((1, 2, 2, 1)))[0, 0, 0], [1.0, -2.0])


def test_prelu_has_a_slope_for_each_channel():
    layer = PReLU(2)
    layer.slope[...] = jnp.array([0.5, 0.0])
    np.testing.assert_array_equal(layer(jnp.array([[-2.0, -2.0], [3.0, 3.0]])), [[-1.0, 0.0], [3.0, 3.0]])


def test_prelu_of_one_channel_is_shared_by_all():
    layer = PReLU(1)
    layer.slope[...] = jnp.array([0.5])
    np.testing.assert_array_equal(layer(jnp.array([[-2.0, -4.0], [3.0, 3.0]])), [[-1.0, -2.0], [3.0, 3.0]])


def test_options_reach_the_operator(rng):
    layer = Deconvolution(4, 6, (3, 4), (2, 3), (1, 0), (1, 2), dilation=(1, 2), groups=2, use_bias=False, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(1, 5, 4, 4)), jnp.float32)
    options = {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "dilation": (1, 2), "groups": 2}
    np.testing.assert_array_equal(layer(x), conv_transpose2d(x, layer.kernel[...], **options))
    with pytest.raises(ValueError, match="groups=3 must divide in_channels=4"):
        Deconvolution(4, 6, 3, groups=3, rngs=nnx.Rngs(0))


def test_bilinear_start_interpolates(rng):
    x = jnp.asarray(rng.uniform(size=(1, 6, 7, 3)), jnp.float32)
    layer = Deconvolution(3, 3, 4, 2, 1, kernel_init=bilinear(stride=2, padding=1), rngs=nnx.Rngs(0))
    expected = jax.image.resize(x, (1, 12, 14, 3), "linear")
    np.testing.assert_allclose(layer(x)[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-6)
    np.testing.assert_allclose(layer(jnp.ones_like(x))[:, 1:-1, 1:-1], 1, atol=1e-6)  # constants are kept away from the border
    depthwise = Deconvolution(3, 3, 9, 3, 3, groups=3, kernel_init=bilinear(stride=3, padding=3), rngs=nnx.Rngs(0))
    expected = jax.image.resize(x, (1, 18, 21, 3), "linear")
    np.testing.assert_allclose(depthwise(x)[:, 3:-3, 3:-3], expected[:, 3:-3, 3:-3], atol=1e-6)
    with pytest.raises(
        ValueError,
        match="3x3 kernel with padding=1 does not hold all taps of an interpolation by 3: use a size of 6 with padding=1",
    ):
        Deconvolution(1, 1, 3, 3, 1, kernel_init=bilinear(stride=3, padding=1), rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="2 channels cannot become 3"):
        Deconvolution(2, 3, 4, 2, 1, kernel_init=bilinear(stride=2, padding=1), rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("k", "stride", "padding"), [(4, 2, 0), (3, 2, 1), (4, 4, 0)])
def test_bilinear_kernels_that_clip_the_interpolation_are_refused(k, stride, padding):
    with pytest.raises(ValueError, match="does not hold all taps"):
        bilinear(stride=stride, padding=padding)(jax.random.key(0), (k, k, 1, 1))


def test_half_precision_inputs_are_promoted(rng):
    layer = Deconvolution(2, 3, 4, 2, 1, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(1, 5, 4, 2)), jnp.bfloat16)
    np.testing.assert_array_equal(layer(x), layer(x.astype(jnp.float32)))


def test_icnr_starts_as_convolution_and_nearest_neighbour(rng):
    x = jnp.asarray(rng.normal(size=(1, 5, 6, 3)), jnp.float32)
    layer = SubPixel(3, 2, scale=2, rngs=nnx.Rngs(0))
    small = lax.conv_general_dilated(x, layer.conv.kernel[..., :2], (1, 1), "SAME", dimension_numbers=LAYOUT)
    np.testing.assert_allclose(layer(x), small.repeat(2, 1).repeat(2, 2), atol=1e-5)
    with pytest.raises(ValueError, match="6 output channels are not a multiple"):
        icnr(2)(jax.random.key(0), (3, 3, 1, 6))


def test_he_start():
    kernel = Deconvolution(64, 128, 5, rngs=nnx.Rngs(0)).kernel[...]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (25 * 64)), rtol=0.02)


def test_identity_start(rng):
    x = jnp.asarray(rng.normal(size=(1, 4, 5, 3)), jnp.float32)
    kernel = identity(jax.random.key(0), (3, 3, 3, 3))
    np.testing.assert_array_equal(lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT), x)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
def test_resize_convolution(rng, method):
    x = jnp.asarray(rng.normal(size=(1, 5, 6, 3)), jnp.float32)
    layer = ResizeConv(3, 2, scale=3, method=method, rngs=nnx.Rngs(0))
    large = enlarge(x, scale=3, method=method, boundary="replicate")
    np.testing.assert_array_equal(layer(x), layer.conv(large))
    assert layer(x).shape == (1, 15, 18, 2)


def upsampled(lr, kernel, padding):
    """The outputs of a transposed convolution of stride 2 with each of n kernels, k k n: h w n."""
    k = kernel.shape[0]
    options = {"stride": 2, "padding": padding, "output_padding": 2 + 2 * padding - k}
    return np.asarray(conv_transpose2d(jnp.asarray(lr)[None, :, :, None], kernel[:, :, None], **options), np.float64)[0]


@pytest.mark.slow
def test_checkerboard_of_kernels_that_the_stride_does_not_divide():
    """With s = 2 the outputs overlap unevenly for k = 3 and evenly for k = 4 (Odena et al. 2016).

    Equal weights show this clearly, and even the kernel of least squared error does not remove it.
    """
    hr = data.camera()[64:320, 64:320].astype(np.float32)[..., None]
    lr = np.asarray(bicubic_downsample(jnp.asarray(hr), 2))[..., 0]
    boxes, best = {}, {}
    for k in (3, 4):
        box = upsampled(lr, jnp.full((k, k, 1), 4 / k**2), 1)
        boxes[k] = metrics.checkerboard(box, hr, scale=2)
        columns = upsampled(lr, jnp.eye(k**2).reshape(k, k, k**2), 1)
        weights = np.linalg.lstsq(columns.reshape(-1, k**2), hr.ravel(), rcond=None)[0]
        best[k] = metrics.checkerboard((columns @ weights)[..., None], hr, scale=2)
    assert boxes[3] > 5 * boxes[4]
    assert best[3] > 3 * best[4]
    bicubic = np.asarray(bicubic_upsample(jnp.asarray(lr)[..., None], 2))
    assert max(best[4], metrics.checkerboard(bicubic, hr, scale=2)) < 0.05  # what the photograph itself has
