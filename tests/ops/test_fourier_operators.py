import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.boundary import BOUNDARIES, crop_border, extend_border
from sr_jax.ops.circular_conv import fourier_product
from sr_jax.ops.data_steps import data_step, data_step_mixed
from sr_jax.ops.inverse_filters import constrained_least_squares, tikhonov, wiener
from sr_jax.ops.spectra import psf_to_otf
from tests.ops.dense import problem

pytestmark = pytest.mark.exact


def test_half_precision_is_computed_in_single(rng):
    """With all arguments in bfloat16, the result is that of float32, rounded once."""
    half = [jnp.asarray(v, jnp.bfloat16) for v in problem(rng, 2, 4, channels=4)]
    single = [v.astype(jnp.float32) for v in half]
    for call in (
        lambda y, k, x0: data_step(y, k, x0, 1e-3, scale=2, boundary="circular"),
        lambda y, k, x0: data_step(y, k, x0, 1e-3, scale=2, boundary="smooth"),
        lambda y, k, x0: data_step_mixed(
            y, k[:, :, None, None] * jnp.ones((1, 1, 4, 4), k.dtype), x0, 1e-3, scale=2, boundary="circular"
        ),
        lambda y, k, x0: fourier_product(y, k, scale=2),
        lambda y, k, x0: tikhonov(y, k[:3, :3], 1e-2, boundary="circular"),
    ):
        assert call(*half).dtype == jnp.bfloat16
        np.testing.assert_array_equal(call(*half), call(*single).astype(jnp.bfloat16))


@pytest.mark.parametrize("boundary", ["zero", "reflect", "symmetric", "replicate", "edgetaper", "smooth"])
def test_boundaries_keep_the_interior(rng, boundary):
    """Inside, each agrees with the inverse of the larger image; at the border, each is better than the circular one."""
    whole = np.cumsum(np.cumsum(rng.normal(size=(1, 160, 160, 1)), 1), 2)  # a random surface, not periodic
    whole = jnp.asarray((whole - whole.min()) / (whole.max() - whole.min()), jnp.float32)
    t = np.arange(5) - 2
    k = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / 2)
    k = jnp.asarray(k / k.sum(), jnp.float32)
    blurred = blur_downsample(whole, k, scale=1)
    inside = (slice(None), slice(48, 112), slice(48, 112))
    expected = tikhonov(blurred, k, 1e-3, boundary="circular")[inside]
    errors = [
        np.abs(np.asarray(tikhonov(blurred[inside], k, 1e-3, boundary=mode) - expected))[0, :, :, 0]
        for mode in (boundary, "circular")
    ]
    assert errors[0][16:-16, 16:-16].max() < 1e-3
    if boundary != "zero":
        assert errors[0].max() < errors[1].max() / 3


def test_a_margin_changes_nothing_for_the_circular_boundary(rng):
    y, k, x0 = (jnp.asarray(v, jnp.float32) for v in problem(rng, 2, 4))
    mixed = k[:, :, None, None]
    for call in (
        lambda **m: data_step(y, k, x0, 1e-2, scale=2, boundary="circular", **m),
        lambda **m: data_step_mixed(y, mixed, x0, 1e-2, scale=2, boundary="circular", **m),
        lambda **m: fourier_product(y, k, scale=2, boundary="circular", **m),
        lambda **m: tikhonov(y, k[:3, :3], 1e-2, boundary="circular", **m),
        lambda **m: wiener(y, k[:3, :3], nsr=1e-2, boundary="circular", **m),
        lambda **m: constrained_least_squares(y, k[:3, :3], 1e-2, boundary="circular", **m),
    ):
        np.testing.assert_array_equal(call(margin=4), call())


def test_every_operator_takes_every_boundary(rng):
    y, k, x0 = (jnp.asarray(v, jnp.float32) for v in problem(rng, 2, 4, channels=2))
    for mode in BOUNDARIES:
        assert data_step(y, k, x0, 1e-2, scale=2, boundary=mode).shape == x0.shape
        assert (
            data_step_mixed(y, k[:, :, None, None] * jnp.ones((1, 1, 2, 2)), x0, 1e-2, scale=2, boundary=mode).shape == x0.shape
        )
        assert fourier_product(y, k, scale=2, boundary=mode).shape == x0.shape
        assert wiener(y, k[:3, :3], nsr=lambda fy, fx: jnp.asarray(0.01 + fy**2 + fx**2), boundary=mode).shape == y.shape
        assert constrained_least_squares(y, k[:3, :3], 1e-2, boundary=mode).shape == y.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, k, x: data_step(y, k, x, -1e-3, scale=2, boundary="circular"), "lam=-0.001 must be a number of at least 0"),
        (lambda y, k, x: data_step(y, k, x[:, 1:], 1e-3, scale=2, boundary="circular"), r"must be \(1, 12, 12, 2\)"),
        (
            lambda y, k, x: data_step(y, k, x, jnp.ones(3), scale=2, boundary="circular"),
            r"lam of shape \(1, 3\) must be one number",
        ),
        (
            lambda y, k, x: data_step(y, k, x, 1e-3, scale=2, boundary="mirror"),
            "boundary='mirror' is not one of circular, zero",
        ),
        (lambda y, k, x: data_step(y, k, x, 1e-3, scale=2, boundary="zero", margin=-1), "margin=-1"),
        (lambda y, k, x: data_step(y, jnp.ones((5, 5)), x, 1e-3, scale=2, boundary="circular"), "use a kernel of even size"),
        (
            lambda y, k, x: data_step(y, jnp.ones((14, 14)), x, 1e-3, scale=2, boundary="circular"),
            "14x14 kernel is larger than the 12x12 image",
        ),
        (
            lambda y, k, x: data_step_mixed(y, jnp.ones((4, 4, 2, 2)), x, 0.0, scale=2, boundary="circular"),
            "lam=0 must be a positive number",
        ),
        (lambda y, k, x: tikhonov(y, k, 1e-3, boundary="circular"), "no tap at the centre"),
        (
            lambda y, k, x: data_step(y, k, x, float("nan"), scale=2, boundary="circular"),
            "lam=nan must be a number of at least 0",
        ),
        (lambda y, k, x: fourier_product(y, k, scale=2, centre=100), "centre=100 is not a tap of a 4x4 kernel"),
        (
            lambda y, k, x: data_step_mixed(y, jnp.ones((4, 4, 2, 2)), x, jnp.ones(2), scale=2, boundary="circular"),
            "must be one number",
        ),
        (lambda y, k, x: wiener(y, jnp.ones((3, 3)), nsr=jnp.ones((5, 5)), boundary="circular"), r"half-spectrum .* \(6, 4\)"),
        (
            lambda y, k, x: wiener(y, jnp.ones((3, 3)), nsr=lambda fy, fx: fx - 1.0, boundary="circular"),
            "nsr=-1 must be a number of at least 0",
        ),
        (lambda y, k, x: fourier_product(y, jnp.ones((1, 4, 4, 3, 1)), scale=2), "does not fit an input"),
        (lambda y, k, x: fourier_product(y, jnp.ones((13, 13)), scale=2, centre=6), "larger than the"),
        (lambda y, k, x: psf_to_otf(k, (3, 3), centre=1), "larger than the 3x3 image"),
        (
            lambda y, k, x: jax.jit(lambda k: data_step(y, k, x, 1e-3, scale=2, boundary="zero"))(k),
            "traced .* give margin=",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.ones((1, 6, 6, 2)), jnp.ones((4, 4)) / 16, jnp.ones((1, 12, 12, 2)))


OPERATORS = {
    "data_step": lambda y, k, **options: data_step(y, k, jnp.zeros(y.shape), 1e-2, scale=1, **options),
    "data_step_mixed": lambda y, k, **options: data_step_mixed(
        y, k[:, :, None, None], jnp.zeros(y.shape), 1e-2, scale=1, **options
    ),
    "fourier_product": lambda y, k, **options: fourier_product(y, k, scale=1, **options),
    "tikhonov": lambda y, k, **options: tikhonov(y, k, 1e-2, **options),
    "wiener": lambda y, k, **options: wiener(y, k, nsr=1e-2, **options),
    "wiener, noise": lambda y, k, **options: wiener(y, k, noise=1e-2, **options),
    "constrained_least_squares": lambda y, k, **options: constrained_least_squares(y, k, 1e-2, **options),
}
each_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


@each_operator
def test_a_kernel_must_fit_the_image_with_its_margin(rng, operator):
    """A kernel larger than the image is computed as long as the extended image holds it, whatever the operator."""
    y, k = jnp.asarray(rng.uniform(size=(1, 6, 7, 1)), jnp.float32), jnp.full((9, 9), 1 / 81)
    for boundary in ("symmetric", "edgetaper"):
        extended = extend_border(y, 2, boundary, psf=k[None, :, :, None])
        if operator is not OPERATORS["wiener, noise"]:  # its filter depends on the image without the margin
            expected = crop_border(operator(extended, k, boundary="circular"), 2)
            np.testing.assert_allclose(operator(y, k, boundary=boundary, margin=2), expected, atol=1e-6)
        with pytest.raises(
            ValueError, match="a 9x9 kernel is larger than the 8x9 image with its margin: crop the kernel, or give"
        ):
            operator(y, k, boundary=boundary, margin=1)
    with pytest.raises(ValueError, match="a 9x9 kernel is larger than the 6x7 image: crop the kernel, or use a larger image"):
        operator(y, k, boundary="circular", margin=2)
    assert operator(y, k, boundary="symmetric").shape == y.shape


@each_operator
def test_integer_images_are_refused(operator):
    with pytest.raises(ValueError, match=r"has the type uint8, but must be float: convert images with sr_jax.ops.to_float"):
        operator(jnp.ones((1, 8, 8, 1), jnp.uint8), jnp.ones((3, 3)) / 9)


@pytest.mark.parametrize("size", [2, 3, 19])
def test_an_integer_first_guess_is_refused(size):
    with pytest.raises(ValueError, match="x0 has the type int32"):
        data_step(
            jnp.ones((1, 32, 32, 1)), jnp.ones((size, size)), jnp.zeros((1, 32, 32, 1), jnp.int32), 1e-2, scale=1, centre=1
        )


@pytest.mark.parametrize("factor", [1e20, 1e-25])
@pytest.mark.parametrize("size", [1, 3, 19])
def test_a_kernel_whose_power_overflows_is_refused(factor, size):
    """x0 must not come back as if it were the solution. Traced kernels cannot be checked, and give NaN if |K|^2 overflows."""
    y, k = jnp.ones((1, 24, 24, 1)), jnp.ones((size, size)) / size**2 * factor
    for name in OPERATORS.keys() - {"fourier_product"}:
        with pytest.raises(ValueError, match=r"absolute taps of the kernel have the sum .* divide the kernel by its sum"):
            OPERATORS[name](y, k)
        if factor > 1:
            traced = jax.jit(lambda k, name=name: OPERATORS[name](y, k, boundary="circular"))
            assert np.isnan(traced(k)).any()
