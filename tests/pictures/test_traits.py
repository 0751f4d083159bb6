import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from sr_jax.pictures import traits


def textured(rng, side=160):
    """Noise of all scales, as photographs have: its power falls with the square of the frequency."""
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(rng.standard_normal((side, side))) / np.maximum(frequencies, 1 / side)
    values = np.fft.ifft2(spectrum).real
    return np.clip(128 + 40 * values / values.std(), 20, 235)[..., None]


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 51, 75, 90, 95, 100])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_the_quality_of_a_jpeg_file(quality, options, rng):
    pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    for array in (pixels, pixels[..., 0]):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "JPEG", quality=quality, **options)
        assert traits.jpeg_quality(file.getvalue()) == quality


def test_other_and_damaged_files_have_no_quality(rng):
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8)).save(file, "JPEG")
    jpeg = file.getvalue()
    assert traits.jpeg_quality(b"") is None
    assert traits.jpeg_quality(b"\x89PNG" + jpeg) is None
    for end in range(len(jpeg)):
        assert traits.jpeg_quality(jpeg[:end]) in (None, 75)


@pytest.mark.parametrize("sigma", [5, 10, 20])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_estimated(sigma, channels, rng):
    picture = np.repeat(gaussian_filter(textured(rng), (2, 2, 0)), channels, -1)
    noisy = np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).round().astype(np.uint8)
    assert traits.noise(traits.middle(noisy)) == pytest.approx(sigma, rel=0.15)


def test_texture_is_not_noise_and_black_is_not_the_absence_of_it(rng):
    """The right half of a picture is smooth, and so no noise covers it."""
    half = textured(rng).round().astype(np.uint8)
    half[:, 80:] = np.linspace(50, 80, 80)[:, None].round()
    assert traits.noise(traits.middle(half)) < 1
    noisy = np.clip(textured(rng) + rng.normal(0, 10, (160, 160, 1)), 0, 255)
    noisy[:, 60:] = 0
    assert traits.noise(traits.middle(noisy.round().astype(np.uint8))) > 7


def test_detail_is_missing_after_a_blur_and_after_an_enlargement(rng):
    sharp = textured(rng).round().astype(np.uint8)
    kept = traits.detail(traits.middle(sharp))
    blurred = gaussian_filter(sharp.astype(float), (1.5, 1.5, 0)).round().astype(np.uint8)
    enlarged = np.asarray(Image.fromarray(sharp[..., 0]).resize((320, 320), Image.Resampling.LANCZOS))[..., None]
    assert kept is not None
    for changed in (blurred, enlarged):
        left = traits.detail(traits.middle(changed))
        assert left is not None
        assert left < kept / 10


def test_what_cannot_be_measured():
    assert traits.middle(np.zeros((95, 400, 3), np.uint8)) is None
    flat = traits.middle(np.full((96, 96, 3), 0.5, np.float32))
    assert traits.noise(flat) == 0
    assert traits.detail(flat) is None


def test_depth_does_not_matter_and_large_pictures_are_measured_in_their_middle(rng):
    picture = textured(rng, side=600)
    low = traits.middle(picture.round().astype(np.uint8))
    deep = traits.middle((picture.round() * 257).astype(np.uint16))
    np.testing.assert_allclose(low, deep, atol=1e-9)
    assert low.shape == (512, 512, 1)
    np.testing.assert_array_equal(low, picture.round()[44:556, 44:556])
