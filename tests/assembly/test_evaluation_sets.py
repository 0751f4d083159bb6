import numpy as np
import pytest
from scipy import ndimage

from sr_jax.assembly.degradation import Degradation, bicubic
from sr_jax.assembly.evaluation_sets import EvaluationSet, make_tasks
from sr_jax.config import Bicubic, GaussianBlur, GaussianNoise, Jpeg, Subsample
from sr_jax.data.images import Image
from sr_jax.evaluation.protocol import PROTOCOLS


def task_of(image, degradation, *, protocol="rgb-uint8"):
    (task,) = make_tasks(PROTOCOLS[protocol], EvaluationSet("s", [image], None, {}), degradation)
    return task


def chain(*stages):
    return Degradation(stages, scale=2)


def test_what_is_known_makes_the_lr(rng):
    """Blurring with the known kernel and keeping the top left pixel of each cell gives LR."""
    image = Image("a", rng.integers(0, 256, (41, 36, 3), dtype=np.uint8))
    degradation = chain(GaussianBlur(size=11, sigma=(1.0, 2.0), anisotropic=True), Subsample())
    task = task_of(image, degradation)
    assert task.known.noise == 0
    blurred = ndimage.convolve(image.pixels[:40] / 255, task.known.kernel[:, :, None], mode="reflect")
    assert np.abs(task.lr - 255 * blurred[::2, ::2]).max() <= 0.5 + 1e-2
    np.testing.assert_array_equal(task.hr, image.pixels[:40])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_known_too(rng, scale):
    image = Image("a", rng.integers(0, 256, (60, 72, 3), dtype=np.uint8))
    task = task_of(image, bicubic(scale), protocol="papers")
    y = np.float64(65.481 * image.pixels[..., 0] + 128.553 * image.pixels[..., 1] + 24.966 * image.pixels[..., 2]) / 255 + 16
    inside = np.s_[5:-5, 5:-5]
    expected = ndimage.convolve(np.round(y), task.known.kernel)[::scale, ::scale][inside]
    np.testing.assert_allclose(task.y[inside][..., 0] * 255, expected, atol=1e-3)


def test_noise_is_known_in_units_of_the_image():
    flat = Image("flat", np.full((64, 64, 3), 128, np.uint8))
    task = task_of(flat, chain(Subsample(), GaussianNoise(sigma=(10.0, 20.0))))
    assert task.known.noise == pytest.approx(task.lr.std() / 255, rel=0.1)


@pytest.mark.parametrize(
    "stages",
    [
        *((Bicubic(), Jpeg()), (GaussianBlur(), Bicubic()), (Subsample(), GaussianBlur())),
        *((GaussianNoise(), GaussianBlur(), Subsample()), (GaussianNoise(), Subsample(), GaussianNoise())),
    ],
)
def test_other_degradations_are_not_known(stages):
    image = Image("a", np.arange(40 * 40 * 3, dtype=np.uint8).reshape(40, 40, 3))
    task = task_of(image, chain(*stages))
    assert task.known is None


def test_a_gray_image_is_degraded_as_rgb(rng):
    image = Image("a", rng.integers(0, 256, (40, 40, 1), dtype=np.uint8))
    task = task_of(image, chain(GaussianBlur(), Subsample()))
    assert task.lr.shape == (20, 20, 3)
    assert task.hr.shape == (40, 40, 3)
