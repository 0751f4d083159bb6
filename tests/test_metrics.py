import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import metrics as reference
from skimage.color import rgb2ycbcr

from sr_jax import metrics
from sr_jax.data.images import decode_image
from sr_jax.data.pack import crop_to_multiple
from sr_jax.ops.color import OFFSET, STANDARDS
from sr_jax.ops.resize import bicubic_downsample, bicubic_upsample


@pytest.fixture
def pair(rng):
    a = rng.integers(0, 256, (31, 40, 3), dtype=np.uint8)
    noise = rng.integers(-20, 21, a.shape)
    return a, np.clip(a + noise, 0, 255).astype(np.uint8)


def test_psnr_agrees_with_scikit_image(pair):
    assert metrics.psnr(*pair) == pytest.approx(reference.peak_signal_noise_ratio(*pair), abs=1e-12)


def test_psnr_of_equal_images():
    assert metrics.psnr(np.zeros((2, 2, 1)), np.zeros((2, 2, 1))) == math.inf


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_agrees_with_scikit_image(pair, channels):
    """The options are those that scikit-image documents for Wang et al."""
    a, b = (image[..., :channels] for image in pair)
    expected = reference.structural_similarity(
        a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=1e-10)


def test_ssim_of_a_tiny_image():
    with pytest.raises(ValueError, match="at least 11x11 pixels, not 10x12"):
        metrics.ssim(np.zeros((10, 12, 1)), np.zeros((10, 12, 1)))


def test_luma_is_the_y_of_scikit_image(pair):
    np.testing.assert_allclose(metrics.luma(pair[0])[..., 0], rgb2ycbcr(pair[0])[..., 0], atol=1e-10)


def test_luma_is_that_of_the_colour_conversion():
    """The three weights stand in both modules, because `sr_jax.metrics` must not import JAX."""
    np.testing.assert_array_equal(metrics.LUMA_WEIGHTS, STANDARDS["bt601"].matrix[0] / 255)
    assert OFFSET[0] == metrics.LUMA_OFFSET


def test_metrics_need_no_jax():
    """Tools that only score files should start at once."""
    subprocess.run([sys.executable, "-c", "import sys, sr_jax.metrics; assert 'jax' not in sys.modules"], check=True)


def test_a_gray_image_is_its_own_luma(pair):
    np.testing.assert_array_equal(metrics.luma(pair[0][..., :1]), pair[0][..., :1])


def test_shave():
    x = np.arange(30).reshape(5, 6, 1)
    np.testing.assert_array_equal(metrics.shave(x, 2), x[2:3, 2:4])
    np.testing.assert_array_equal(metrics.shave(x, 0), x)


@pytest.mark.parametrize(("scale", "psnr", "ssim"), [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)])
def test_published_bicubic_row_of_set5(research_images, scale, psnr, ssim):
    """The papers' protocol rounds Y, resizes it in float, rounds and shaves. Resize, PSNR and SSIM must all be right."""
    scores = []
    for path in sorted((research_images / "Set5/HR").glob("*.png")):
        hr = np.floor(metrics.luma(crop_to_multiple(decode_image(path.read_bytes(), path.name), scale)) + 0.5)
        with jax.enable_x64(True):
            up = jax.jit(lambda x: bicubic_upsample(bicubic_downsample(x, scale), scale))(jnp.asarray(hr))
        pair = [metrics.shave(y, scale) for y in (np.clip(np.floor(np.asarray(up) + 0.5), 0, 255), hr)]
        scores.append((metrics.psnr(*pair), metrics.ssim(*pair)))
    mean = np.mean(scores, 0)
    assert mean[0] == pytest.approx(psnr, abs=0.005)
    assert mean[1] == pytest.approx(ssim, abs=0.0001)


def test_phase_errors(rng):
    """An error in one phase of four shows only there, and the spread of the phases' errors is sqrt(3)."""
    a = rng.uniform(0, 255, size=(9, 8, 3))
    b = a.copy()
    b[1:8:2, ::2] += 3  # row phase 1, column phase 0 of the 8 x 8 pixels that make whole cells
    np.testing.assert_allclose(metrics.phase_errors(a, b, scale=2), [[0, 0], [9, 0]])
    assert metrics.checkerboard(a, b, scale=2) == pytest.approx(np.sqrt(3))
    assert metrics.checkerboard(a, a + 2, scale=2) == pytest.approx(0)
    assert metrics.checkerboard(a, a, scale=2) == 0
    with pytest.raises(ValueError, match="different shapes"):
        metrics.phase_errors(a, b[:, :4], scale=2)
    with pytest.raises(ValueError, match="9x8 image is smaller than a cell of 9x9"):
        metrics.phase_errors(a, b, scale=9)


REFERENCE = {"channel_axis": -1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


@pytest.mark.parametrize("levels", [(255, 255), (255, 254), (0, 255), (0, 0), (0, 1)], ids=str)
def test_constant_images(levels):
    a, b = (np.full((11, 14, 2), level, np.uint8) for level in levels)
    assert metrics.ssim(a, b) == pytest.approx(reference.structural_similarity(a, b, **REFERENCE), rel=1e-12)
    difference = abs(levels[0] - levels[1])
    assert metrics.psnr(a, b) == pytest.approx(20 * math.log10(255 / difference) if difference else math.inf)


def test_the_negative_of_a_checkerboard():
    """It resembles the checkerboard less than every other image."""
    a = (np.indices((33, 35)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    expected = reference.structural_similarity(a, 255 - a, **REFERENCE)
    assert metrics.ssim(a, 255 - a) == pytest.approx(expected, abs=1e-12)
    assert metrics.ssim(a, 255 - a) < -0.99


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (9, 1, 4), (1, 100000, 1), (11, 20000, 1), (11, 11, 5)], ids=str)
def test_thin_and_long_images(rng, shape):
    a, b = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    assert metrics.psnr(a, b) == pytest.approx(reference.peak_signal_noise_ratio(a, b), abs=1e-12)
    if min(shape[:2]) >= 11:
        assert metrics.ssim(a, b) == pytest.approx(reference.structural_similarity(a, b, **REFERENCE), abs=1e-12)


@pytest.mark.slow
def test_a_large_image(rng):
    a, b = rng.integers(0, 256, (2, 3000, 4000, 1), dtype=np.uint8)
    assert metrics.psnr(a, b) == pytest.approx(reference.peak_signal_noise_ratio(a, b), abs=1e-9)
    assert metrics.ssim(a, b) == pytest.approx(reference.structural_similarity(a, b, **REFERENCE), abs=1e-9)


@pytest.mark.parametrize("metric", [metrics.psnr, metrics.ssim])
@pytest.mark.parametrize("shape", [(14, 14, 3), (1, 14, 1), (14, 15, 1), (0, 14, 1)], ids=str)
def test_images_of_different_shapes_are_refused(rng, metric, shape):
    """NumPy would broadcast the first two and compare what does not correspond."""
    a, b = rng.random((14, 14, 1)), rng.random(shape)
    with pytest.raises(ValueError, match="of different shapes"):
        metric(a, b)


def test_images_without_pixels_are_refused():
    for shape in ((0, 4, 1), (14, 14, 0)):
        with pytest.raises(ValueError, match="without pixels"):
            metrics.psnr(np.zeros(shape), np.zeros(shape))
    with pytest.raises(ValueError, match="without pixels"):
        metrics.ssim(np.zeros((14, 14, 0)), np.zeros((14, 14, 0)))


def test_psnr_of_enormous_errors():
    """The square of such an error is infinite."""
    assert metrics.psnr(np.full((2, 2, 1), 1e200), np.zeros((2, 2, 1))) == -math.inf


def test_wrong_borders_scales_and_channels_are_refused():
    image = np.zeros((8, 9, 4), np.uint8)
    with pytest.raises(ValueError, match="border=-1 must be at least 0"):
        metrics.shave(image, -1)
    with pytest.raises(ValueError, match="border=4 leaves nothing of a 8x9 image"):
        metrics.shave(image, 4)
    with pytest.raises(ValueError, match="an image of 4 channels has no Y: it must be RGB or gray"):
        metrics.luma(image)
    for scale in (0, -1):
        with pytest.raises(ValueError, match=f"scale={scale} must be at least 1"):
            metrics.phase_errors(image, image, scale=scale)
