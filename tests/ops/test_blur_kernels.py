"""Blur kernels against closed forms and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from sr_jax.ops import blur_kernels

SIZE = 41


def moments(kernel):
    """The middle (row, column) and the covariance (x to the right, y upwards)."""
    kernel = np.asarray(kernel, np.float64)
    y, x = np.mgrid[: len(kernel), : len(kernel)] - (len(kernel) - 1) / 2
    middle = np.array([(kernel * y).sum(), (kernel * x).sum()])
    u, v = x - middle[1], -(y - middle[0])
    return middle, np.array(
        [[(kernel * u * u).sum(), (kernel * u * v).sum()], [(kernel * u * v).sum(), (kernel * v * v).sum()]]
    )


def rotated(along, across, degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.diag([along, across]) @ turn.T


@pytest.mark.parametrize(("sigma", "angle", "shift"), [((3.0, 1.2), 0.0, 0.0), ((3.0, 1.2), 30.0, 0.5), ((2.0, 2.0), 0.0, 1.5)])
def test_gaussians_moments_are_its_parameters(sigma, angle, shift):
    kernel = blur_kernels.gaussian(SIZE, sigma=sigma, angle=angle, shift=shift)
    middle, covariance = moments(kernel)
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(middle, shift, atol=1e-4)
    np.testing.assert_allclose(covariance, rotated(sigma[0] ** 2, sigma[1] ** 2, angle), atol=2e-3)


def test_a_narrow_gaussian_between_taps_is_finite():
    kernel = blur_kernels.gaussian(5, sigma=(0.1, 0.1), angle=0.0, shift=0.5)
    np.testing.assert_allclose(kernel[2:4, 2:4], 0.25, atol=1e-6)


def test_generalisations_hold_the_gaussian_and_have_the_published_profile():
    shape = {"sigma": (2.0, 2.0), "angle": 0.0, "shift": 0.0}
    plain = np.asarray(blur_kernels.gaussian(21, **shape))
    np.testing.assert_allclose(blur_kernels.generalised_gaussian(21, **shape, beta=1.0), plain, atol=1e-7)
    q = (np.arange(11) / 2.0) ** 2
    for make, profile in [
        (blur_kernels.generalised_gaussian, np.exp(-0.5 * q**0.7)),
        (blur_kernels.plateau, 1 / (1 + q**0.7)),
    ]:
        row = np.asarray(make(21, **shape, beta=0.7))[10, 10:]
        np.testing.assert_allclose(row / row[0], profile, rtol=1e-5)


def test_bessel_function_is_scipys():
    x = np.linspace(0, 50, 500, dtype=np.float32)
    np.testing.assert_allclose(blur_kernels.bessel_j1(jnp.asarray(x)), scipy.special.j1(x), atol=1e-5)


def test_sinc_passes_below_its_cutoff_and_stops_above():
    kernel = np.asarray(blur_kernels.sinc(101, cutoff=1.0))
    gain = np.abs(np.fft.fft2(kernel, (256, 256)))[0]
    frequency = 2 * np.pi * np.fft.fftfreq(256)
    assert gain[np.abs(frequency) < 0.85].min() > 0.9
    assert gain[np.abs(frequency) > 1.15].max() < 0.1
    y, x = np.mgrid[-50:51, -50:51]
    r = np.hypot(y, x) + 1e-30
    ideal = scipy.special.j1(r) / r
    np.testing.assert_allclose(kernel[50, 51:80], (ideal / ideal.sum())[50, 51:80], atol=1e-6)


@pytest.mark.parametrize("radius", [2.0, 5.5])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_disk_is_the_area_of_each_pixel_within_it(radius, shift):
    kernel = blur_kernels.disk(17, radius=radius, shift=shift)
    fine = (np.arange(17 * 40) + 0.5) / 40 - 8.5 - shift
    inside = np.hypot(*np.meshgrid(fine, fine)) <= radius
    areas = inside.reshape(17, 40, 17, 40).mean((1, 3))
    np.testing.assert_allclose(kernel, areas / (np.pi * radius**2), atol=0.01 * float(kernel.max()))
    np.testing.assert_allclose(moments(kernel)[0], shift, atol=1e-4)


@pytest.mark.parametrize("angle", [0.0, 45.0, 120.0])
def test_motion_has_the_length_and_the_angle(angle):
    length = 16.0
    kernel = blur_kernels.motion(SIZE, length=length, angle=angle, shift=0.5)
    middle, covariance = moments(kernel)
    np.testing.assert_allclose(middle, 0.5, atol=1e-4)
    values, vectors = np.linalg.eigh(covariance)
    assert np.sqrt(12 * values[1]) == pytest.approx(length, rel=0.02)
    assert values[0] < 0.25 + 1e-5  # half a pixel to either side
    direction = np.rad2deg(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180
    assert min(abs(direction - angle), 180 - abs(direction - angle)) < 1


def test_path_shares_points_bilinearly():
    kernel = blur_kernels.path(5, jnp.array([0.0, -1.0]), jnp.array([0.25, 2.0]), shift=0.0)
    expected = np.zeros((5, 5))
    expected[2, 2:4], expected[1, 4] = [0.375, 0.125], 0.5
    np.testing.assert_allclose(kernel, expected, atol=1e-6)


def test_within_and_delta():
    kernel = blur_kernels.within(jnp.ones((7, 7)), jnp.int32(3))
    np.testing.assert_allclose(kernel, np.pad(np.full((3, 3), 1 / 9), 2), atol=1e-7)
    assert blur_kernels.delta(5)[2, 2] == blur_kernels.delta(5).sum() == 1


def test_parameters_may_be_traced():
    made = jax.jit(lambda s: blur_kernels.gaussian(9, sigma=(s, 2 * s), angle=s, shift=0.0))(jnp.float32(1))
    np.testing.assert_allclose(made, blur_kernels.gaussian(9, sigma=(1.0, 2.0), angle=1.0, shift=0.0), atol=1e-6)
