import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import fftconvolve
from skimage import data

from sr_jax.ops import blur_kernels, constrained_least_squares, estimate_noise, restore, wiener

GAUSSIAN = blur_kernels.gaussian(11, 1.6)
KERNELS = {
    "Gaussian": GAUSSIAN,
    "motion": blur_kernels.motion(15, 11.0, angle=30.0),
    "disk": blur_kernels.disk(9, 4.0),
}
PHOTOGRAPH = data.camera()[60:316, 100:356] / 255


def observe(kernel, noise, rng):
    """A blurred photograph of which nothing shows what lies beyond its border, and the true pixels."""
    kernel = np.asarray(kernel, np.float64)
    reach = (len(kernel) - 1) // 2
    blurred = fftconvolve(PHOTOGRAPH, kernel, mode="valid")
    truth = PHOTOGRAPH[reach:-reach, reach:-reach]
    return (blurred + noise * rng.standard_normal(blurred.shape))[..., None], truth[..., None]


def psnr(x, truth):
    return -10 * np.log10(np.mean((np.clip(x, 0, 1) - truth) ** 2))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
def test_a_photograph_becomes_better(rng, kernel, noise):
    """With the noise given and estimated, and also where the image is stored in 8 bits."""
    y, truth = observe(KERNELS[kernel], noise, rng)
    single = jnp.asarray(y, jnp.float32)
    stored = np.clip(np.round(255 * y), 0, 255).astype(np.uint8)
    results = [
        restore(single, KERNELS[kernel], noise=noise),
        restore(single, KERNELS[kernel]),
        restore(stored, KERNELS[kernel]) / 255,
    ]
    for result in results:
        assert psnr(np.asarray(result), truth) > psnr(y, truth) + 1


def test_near_the_best_of_a_grid(rng):
    """Nothing was tuned for this image, and it is as good as constrained least squares at its best lambda."""
    y, truth = observe(GAUSSIAN, 0.01, rng)
    single = jnp.asarray(y, jnp.float32)
    grid = [constrained_least_squares(single[None], GAUSSIAN, lam, margin=48)[0] for lam in (0.01, 0.03, 0.1, 0.3)]
    assert psnr(np.asarray(restore(single, GAUSSIAN)), truth) > max(psnr(np.asarray(x), truth) for x in grid) - 0.25


def test_it_is_the_wiener_filter(rng):
    photographs = np.stack([data.astronaut()[:48, 200:240], data.astronaut()[100:148, 200:240]]) / 255
    y = jnp.asarray(photographs + 0.02 * rng.standard_normal(photographs.shape), jnp.float32)
    levels = jnp.asarray([[0.02, 0.03, 0.04], [0.05, 0.06, 0.07]])
    kernel = GAUSSIAN / jnp.sum(GAUSSIAN)
    expected = jnp.clip(wiener(y, kernel, noise=levels), 0, 1)
    np.testing.assert_allclose(restore(y, 4 * GAUSSIAN, noise=levels), expected, atol=2e-6)
    np.testing.assert_allclose(restore(y[1], GAUSSIAN, noise=levels[1]), expected[1], atol=2e-6)
    estimated = wiener(y, kernel, noise=estimate_noise(y))
    np.testing.assert_allclose(wiener(y, kernel), estimated, atol=1e-6)
    np.testing.assert_allclose(restore(y, GAUSSIAN), jnp.clip(estimated, 0, 1), atol=2e-6)


def test_types(rng):
    image = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    as_float = restore(jnp.asarray(image, jnp.float32) / 255, GAUSSIAN, noise=0.02)
    for dtype, largest in ((np.uint8, 255), (np.uint16, 65535)):
        stored = image.astype(dtype) * dtype(largest // 255)
        result = restore(stored, GAUSSIAN, noise=0.02)
        assert result.dtype == dtype
        np.testing.assert_allclose(np.asarray(result) / largest, as_float, atol=0.51 / largest + 1e-5)
    assert restore(jnp.asarray(image, jnp.bfloat16) / 255, GAUSSIAN).dtype == jnp.bfloat16


def test_under_jit(rng):
    """The kernel and the noise may be traced, too."""
    y, _ = observe(GAUSSIAN, 0.02, rng)
    y = jnp.asarray(y, jnp.float32)
    expected = restore(y, GAUSSIAN, noise=0.02)
    compiled = jax.jit(restore)
    np.testing.assert_allclose(compiled(y, GAUSSIAN, noise=0.02), expected, atol=1e-5)
    np.testing.assert_allclose(compiled(y, GAUSSIAN), restore(y, GAUSSIAN), atol=1e-5)


IMAGE = np.full((8, 8, 1), 0.5, np.float32)


@pytest.mark.parametrize(
    ("image", "psf", "options", "message"),
    [
        (IMAGE * 255, GAUSSIAN, {}, r"values from 0 to 127.5: a float image must be in \[0, 1\]"),
        (IMAGE * np.nan, GAUSSIAN, {}, "values from nan to nan"),
        (IMAGE.astype(np.int64), GAUSSIAN, {}, "a int32 image cannot be restored: it must be float"),
        (IMAGE, 0 * GAUSSIAN, {}, "the sum of the kernel=0 must be a positive number"),
        (IMAGE, np.nan * GAUSSIAN, {}, "the kernel is not finite"),
        (IMAGE, GAUSSIAN, {"noise": -0.1}, "noise=-0.1 must be a number of at least 0"),
        (IMAGE, GAUSSIAN, {"noise": jnp.ones(2)}, r"noise of shape \(1, 2\) must be one number"),
        (IMAGE, GAUSSIAN[:, :4], {}, "no tap at the centre"),
        (IMAGE[:3], GAUSSIAN, {}, "give noise"),
    ],
)
def test_bad_input(image, psf, options, message):
    with pytest.raises(ValueError, match=message):
        restore(image, psf, **options)


def test_an_image_without_channels():
    with pytest.raises(Exception, match=r"height, width, channels|\*b h w c"):
        restore(IMAGE[..., 0], GAUSSIAN)
