import jax
import numpy as np
import pytest

from sr_jax.assembly.degradation import Degradation
from sr_jax.assembly.known_blur import known_blur
from sr_jax.config import GaussianBlur, Subsample
from sr_jax.data.degrade import Batch
from sr_jax.errors import InputError
from sr_jax.models import About
from sr_jax.ops import bicubic_kernel

TOLD = About(name="Told", channels=3, scales=(2, 3), is_told=True)


def test_a_gaussian_is_that_of_training():
    """Training moves the kernel to the middle of the cell, where LR pixels of photographs lie, too."""

    degradation = Degradation((GaussianBlur(size=17, sigma=(1.6, 1.6)), Subsample()), scale=3)
    window = np.zeros((1, 2 * degradation.margin + 6, 2 * degradation.margin + 6, 3), np.uint8)
    draw = np.zeros((1, 2), np.uint32)
    pairs = jax.jit(degradation.degrade)(Batch(window, np.zeros(1, np.int32), draw))
    known = known_blur(TOLD, scale=3, kernel="gaussian:1.6", noise=0.0)
    assert known.kernel.shape == (17, 17)
    np.testing.assert_allclose(known.kernel, pairs.drawn["kernel"][0], atol=1e-6)


def test_noise_is_in_grey_levels(tmp_path):
    kernel = np.ones((3, 3), np.float32)
    np.save(tmp_path / "k.npy", kernel)
    known = known_blur(TOLD, scale=2, kernel=str(tmp_path / "k.npy"), noise=5.1)
    np.testing.assert_allclose(known.kernel, kernel / 9)
    assert float(known.noise) == pytest.approx(0.02)
    np.testing.assert_array_equal(known_blur(TOLD, scale=2, kernel="bicubic", noise=0.0).kernel, bicubic_kernel(2))


def test_what_is_missing_or_superfluous_is_said(tmp_path):
    free = TOLD._replace(is_told=False)
    assert known_blur(free, scale=2, kernel=None, noise=None) is None
    np.save(tmp_path / "two.npy", np.ones((2, 3, 3)))
    for about, kernel, noise, message in (
        (TOLD, None, None, "Told must be told the blur and the noise .* give --kernel"),
        (TOLD, "gaussian:1", None, "and --noise"),
        (free, None, 0.0, "--noise: Told is not told"),
        (TOLD, "gaussian:0", 0.0, "--kernel gaussian:0: give a standard deviation above 0"),
        (TOLD, "gaussian:13", 0.0, "at most 12"),
        (TOLD, "gaussian:x", 0.0, "there is no kernel file gaussian:x"),
        (TOLD, str(tmp_path / "two.npy"), 0.0, "holds 2 kernels; give a file of one"),
    ):
        with pytest.raises(InputError, match=message):
            known_blur(about, scale=2, kernel=kernel, noise=noise)
