import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from sr_jax.data import degrade
from sr_jax.data.degrade.whole import degrade_images
from sr_jax.data.images import Image
from sr_jax.ops.resize import bicubic_downsample

pytestmark = pytest.mark.exact


@pytest.fixture
def images(rng):
    shapes = {"a": (30, 44, 3), "b": (22, 16, 3), "gray": (20, 24, 1)}
    return [Image(name, rng.integers(0, 256, shape, dtype=np.uint8)) for name, shape in shapes.items()]


def blurred(scale: int) -> degrade.Degrade:
    draw = degrade.BLURS["gaussian-blur"](size=7, sigma=(0.6, 2.4), anisotropic=True, shift=0.0)
    return degrade.Degrade(scale=scale, stages=[degrade.blur(draw, stride=1), degrade.subsample(scale=scale)])


def test_equals_scipy_on_the_mirrored_image(images):
    for image, (lr, drawn) in zip(images, degrade_images(blurred(2), images, scale=2), strict=True):
        kernel = drawn["kernel"][0].astype(np.float64)[:, :, None]
        # SciPy's mode "reflect" is the symmetric reflection.
        expected = ndimage.convolve(image.pixels / 255, kernel, mode="reflect")[::2, ::2] * 255
        assert lr.shape == (image.pixels.shape[0] // 2, image.pixels.shape[1] // 2, 3)
        assert np.abs(lr - np.broadcast_to(expected, lr.shape)).max() <= 0.5 + 1e-3


def test_bicubic_is_that_of_the_whole_image(images):
    for image, (lr, _) in zip(images[:2], degrade_images(degrade.Degrade(scale=2), images, scale=2), strict=False):
        np.testing.assert_array_equal(lr, bicubic_downsample(jnp.asarray(image.pixels), 2))


def test_random_values_depend_on_the_name_only(images):
    (alone, drawn), *_ = degrade_images(blurred(2), images[1:2], scale=2)
    _, (among, also), _ = degrade_images(blurred(2), images, scale=2)
    np.testing.assert_array_equal(alone, among)
    np.testing.assert_array_equal(drawn["kernel"], also["kernel"])
    renamed = Image("c", images[1].pixels)
    ((_, other),) = degrade_images(blurred(2), [renamed], scale=2)
    assert np.abs(other["kernel"] - drawn["kernel"]).max() > 1e-3
