import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from jax.sharding import PartitionSpec
from jax.test_util import check_grads
from skimage import restoration

from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.boundary import MODES
from sr_jax.ops.conv import conv_transpose2d
from sr_jax.ops.fourier import (
    LAPLACIAN,
    constrained_least_squares,
    data_step,
    data_step_mixed,
    fourier_product,
    otf_to_psf,
    psf_to_otf,
    tikhonov,
    wiener,
)

# (scale, kernel size, centre or None for (k + s - 2) / 2)
CASES = [(2, 5, 2), (3, 5, None), (2, 2, None), (1, 5, None), (4, 9, 4)]
LAMBDAS = [1e-1, 1.33e-4, 1e-6]


def problem(rng, scale, size, *, h=6, w=6, channels=1, batch=1):
    """An LR image, a blur of positive taps that add to 1, and a first guess at the HR image."""
    k = rng.uniform(0.1, 1, (size, size))
    y, x0 = rng.uniform(size=(batch, h, w, channels)), rng.uniform(size=(batch, h * scale, w * scale, channels))
    return y, k / k.sum(), x0


def matrix(k, scale, centre, h, w):
    """A as a matrix, by the letter of its definition."""
    a = np.zeros((h * w, h * scale * w * scale))
    c = (k.shape[0] + scale - 2) // 2 if centre is None else centre
    for i, j, t, u in itertools.product(range(h), range(w), range(k.shape[0]), range(k.shape[1])):
        row = (scale * i - t + c) % (h * scale)
        column = (scale * j - u + c) % (w * scale)
        a[i * w + j, row * w * scale + column] += k[t, u]
    return a


def dense_solution(y, k, x0, lam, scale, centre):
    h, w = y.shape[1:3]
    a = matrix(k, scale, centre, h, w)
    x = np.linalg.solve(a.T @ a + lam * np.eye(a.shape[1]), a.T @ y.ravel() + lam * x0.ravel())
    return x.reshape(1, h * scale, w * scale, 1)


def published_form(y, k, x0, lam, scale, centre):
    """X = (1 / lam) (L - conj(K) T(D(K L) / (D|K|^2 + lam))), L = conj(K) F(S^T y) + lam F(x0), with full complex FFTs."""
    h, w = y.shape[1:3]
    otf = np.zeros((h * scale, w * scale))
    otf[: k.shape[0], : k.shape[1]] = k
    c = (k.shape[0] + scale - 2) // 2 if centre is None else centre
    otf = np.fft.fft2(np.roll(otf, (-c, -c), (0, 1)))
    inserted = np.zeros(x0.shape[1:3])
    inserted[::scale, ::scale] = y[0, :, :, 0]
    right = np.conj(otf) * np.fft.fft2(inserted) + lam * np.fft.fft2(x0[0, :, :, 0])

    def mean(spectrum):
        return spectrum.reshape(scale, h, scale, w).mean((0, 2))

    inner = np.tile(mean(otf * right) / (mean(np.abs(otf) ** 2) + lam), (scale, scale))
    return np.fft.ifft2((right - np.conj(otf) * inner) / lam).real[None, :, :, None]


@pytest.mark.parametrize(("scale", "size", "centre"), CASES)
@pytest.mark.parametrize("lam", LAMBDAS)
def test_data_step_solves_the_normal_equations(rng, scale, size, centre, lam):
    """Against a dense linear solve: float64 to 1e-10, float32 to 2e-6."""
    y, k, x0 = problem(rng, scale, size, h=9 if size > 6 * scale else 6)
    expected = dense_solution(y, k, x0, lam, scale, centre)
    with jax.enable_x64(True):
        x = data_step(*map(jnp.asarray, (y, k, x0)), lam, scale=scale, centre=centre)
        assert x.dtype == jnp.float64
    np.testing.assert_allclose(x, expected, atol=1e-10)
    single = [jnp.asarray(v, jnp.float32) for v in (y, k, x0)]
    expected = dense_solution(*(np.asarray(v, np.float64) for v in single), float(np.float32(lam)), scale, centre)
    x = data_step(*single, lam, scale=scale, centre=centre)
    assert x.dtype == jnp.float32
    assert np.linalg.norm(x - expected) < 2e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize(("scale", "size", "centre"), CASES)
def test_data_step_equals_the_published_form(rng, scale, size, centre):
    y, k, x0 = problem(rng, scale, size, h=7, w=10)
    with jax.enable_x64(True):
        x = data_step(*map(jnp.asarray, (y, k, x0)), 1e-3, scale=scale, centre=centre)
    np.testing.assert_allclose(x, published_form(y, k, x0, 1e-3, scale, centre), atol=1e-11)


def test_large_kernels_go_through_the_transform(rng):
    """The two ways to blur agree: a 5x5 kernel in the middle of 19x19 zeros is the same blur."""
    y, k, x0 = problem(rng, 3, 5, h=9, w=8, channels=2, batch=2)
    with jax.enable_x64(True):
        y, k, x0 = map(jnp.asarray, (y, k, x0))
        expected = data_step(y, k, x0, 1e-3, scale=3)
        large = jnp.pad(k, 7)
        np.testing.assert_allclose(data_step(y, large, x0, 1e-3, scale=3), expected, atol=1e-11)
        expected = data_step(y, jnp.stack([k, k.T], -1), x0, 1e-3, scale=3)
        large = jnp.stack([large, large.T], -1)
        np.testing.assert_allclose(data_step(y, large, x0, 1e-3, scale=3), expected, atol=1e-11)


def test_forms_of_kernel_and_lambda(rng):
    """A kernel for each channel and image, a lambda for each: as one by one."""
    y, _, x0 = problem(rng, 2, 4, channels=3, batch=2)
    k = rng.uniform(size=(2, 4, 4, 3))
    lam = np.array([[1e-2, 1e-3, 1e-1], [1e-4, 1.0, 0.5]])
    with jax.enable_x64(True):
        y, x0, k, lam = map(jnp.asarray, (y, x0, k, lam))
        one = lambda i, c: data_step(
            y[i : i + 1, ..., c : c + 1], k[i, ..., c], x0[i : i + 1, ..., c : c + 1], lam[i, c], scale=2
        )
        x = data_step(y, k, x0, lam, scale=2)
        for i, c in itertools.product(range(2), range(3)):
            np.testing.assert_allclose(x[i, ..., c], one(i, c)[0, ..., 0], atol=1e-12)
        x = data_step(y, k[0], x0, lam[1], scale=2)
        np.testing.assert_allclose(x[1], data_step(y, k[0][None].repeat(2, 0), x0, lam[1], scale=2)[1], atol=1e-12)


def test_limits_of_lambda(rng):
    """Towards 0 the result explains y exactly; towards infinity it stays at x0. At 0 it is finite."""
    y, k, x0 = map(jnp.asarray, problem(rng, 2, 4))
    y, k, x0 = (v.astype(jnp.float32) for v in (y, k, x0))
    misfit = [
        float(jnp.max(jnp.abs(blur_downsample(data_step(y, k, x0, lam, scale=2), k, scale=2) - y)))
        for lam in (1e-2, 1e-4, 1e-6, 0.0)
    ]
    assert misfit[0] > 30 * misfit[1] > 900 * misfit[2]
    assert misfit[3] < 2e-5
    np.testing.assert_allclose(data_step(y, k, x0, 1e9, scale=2), x0, atol=1e-6)


def test_exact_recovery_without_subsampling(rng):
    """s = 1, min |K| > 0, no noise: x comes back as lambda goes to 0."""
    x = rng.uniform(size=(1, 16, 15, 2))
    k = np.zeros((3, 3))
    k[1, 1], k[0, 1], k[2, 2] = 0.7, 0.2, 0.1  # |K| >= 0.4
    with jax.enable_x64(True):
        x, k = jnp.asarray(x), jnp.asarray(k)
        y = blur_downsample(x, k, scale=1)
        np.testing.assert_allclose(data_step(y, k, jnp.zeros_like(x), 0.0, scale=1), x, atol=1e-12)
        np.testing.assert_allclose(tikhonov(y, k, 0.0), x, atol=1e-12)


def test_a_delta_changes_nothing(rng):
    """k = delta, s = 1, x0 = y: the identity for every lambda."""
    y = jnp.asarray(rng.uniform(size=(1, 7, 8, 1)), jnp.float32)
    for lam in (0.0, 1e-3, 1.0):
        np.testing.assert_allclose(data_step(y, jnp.zeros((3, 3)).at[1, 1].set(1.0), y, lam, scale=1), y, atol=1e-6)


def test_shift_by_one_lr_pixel(rng):
    y, k, x0 = map(jnp.asarray, problem(rng, 3, 5, h=8, w=7))
    y, k, x0 = (v.astype(jnp.float32) for v in (y, k, x0))
    shifted = data_step(jnp.roll(y, (1, 2), (1, 2)), k, jnp.roll(x0, (3, 6), (1, 2)), 1e-2, scale=3)
    np.testing.assert_allclose(shifted, jnp.roll(data_step(y, k, x0, 1e-2, scale=3), (3, 6), (1, 2)), atol=1e-5)


@pytest.mark.parametrize(("scale", "size", "centre"), [(2, 5, 2), (3, 5, None), (2, 2, None), (1, 5, None)])
def test_gradients(rng, scale, size, centre):
    """Finite differences for y, k, x0 and lambda, in forward and reverse mode."""
    y, k, x0 = problem(rng, scale, size, h=6, w=5)
    with jax.enable_x64(True):
        step = lambda *args: data_step(*map(jnp.asarray, args), scale=scale, centre=centre)
        check_grads(
            step, (*map(jnp.asarray, (y, k, x0)), jnp.asarray(0.05)), order=1, modes=("fwd", "rev"), eps=1e-5, rtol=1e-6
        )


def test_gradients_where_the_kernel_vanishes(rng):
    """K = 0, and frequencies with K = 0, at lambda = 0 too: finite values and gradients."""
    y, _, x0 = problem(rng, 2, 4)
    y, x0 = (jnp.asarray(v, jnp.float32) for v in (y, x0))

    def loss(y, k, x0, lam):
        return jnp.sum(data_step(y, k, x0, lam, scale=2) ** 2)

    for k in (jnp.zeros((4, 4)), jnp.full((4, 4), 1 / 16)):  # the box of two cells removes the highest frequency
        for lam in (0.0, 1e-3):
            value, gradients = jax.value_and_grad(loss, (0, 1, 2, 3))(y, k, x0, jnp.float32(lam))
            assert np.isfinite(value)
            assert all(np.isfinite(g).all() for g in gradients)


def test_half_precision_is_computed_in_single(rng):
    """All of it in bfloat16 gives the float32 result of the same values, rounded once."""
    half = [jnp.asarray(v, jnp.bfloat16) for v in problem(rng, 2, 4, channels=4)]
    single = [v.astype(jnp.float32) for v in half]
    for call in (
        lambda y, k, x0: data_step(y, k, x0, 1e-3, scale=2),
        lambda y, k, x0: data_step(y, k, x0, 1e-3, scale=2, boundary="smooth"),
        lambda y, k, x0: data_step_mixed(y, k[:, :, None, None] * jnp.ones((1, 1, 4, 4), k.dtype), x0, 1e-3, scale=2),
        lambda y, k, x0: fourier_product(y, k, scale=2),
        lambda y, k, x0: tikhonov(y, k[:3, :3], 1e-2),
    ):
        assert call(*half).dtype == jnp.bfloat16
        np.testing.assert_array_equal(call(*half), call(*single).astype(jnp.bfloat16))


def test_under_transformations(rng):
    """jit, vmap, pmap and shard_map give what the plain call gives."""
    y, k, x0 = problem(rng, 2, 4, channels=2, batch=4)
    y, k, x0 = (jnp.asarray(v, jnp.float32) for v in (y, k, x0))
    step = lambda y, x0: data_step(y, k, x0, 1e-3, scale=2, boundary="symmetric", margin=3)
    expected = step(y, x0)
    close = lambda x: np.testing.assert_allclose(x, expected, atol=3e-6)
    close(jax.jit(step)(y, x0))
    one = lambda y, x0: step(y[None], x0[None])[0]
    close(jax.vmap(one)(y, x0))
    close(jax.pmap(one)(y, x0))
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    batch = PartitionSpec("data")
    close(jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(batch, batch), out_specs=batch))(y, x0))


@pytest.mark.parametrize("boundary", ["zero", "reflect", "symmetric", "replicate", "edgetaper", "smooth"])
def test_boundaries_keep_the_interior(rng, boundary):
    """Inside, all agree with the same inverse of an image that really goes on; at the border they beat the circular one."""
    whole = np.cumsum(np.cumsum(rng.normal(size=(1, 160, 160, 1)), 1), 2)  # a random surface, not periodic
    whole = jnp.asarray((whole - whole.min()) / (whole.max() - whole.min()), jnp.float32)
    t = np.arange(5) - 2
    k = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / 2)
    k = jnp.asarray(k / k.sum(), jnp.float32)
    blurred = blur_downsample(whole, k, scale=1)
    inside = (slice(None), slice(48, 112), slice(48, 112))
    expected = tikhonov(blurred, k, 1e-3)[inside]
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
        lambda **m: data_step(y, k, x0, 1e-2, scale=2, **m),
        lambda **m: data_step_mixed(y, mixed, x0, 1e-2, scale=2, **m),
        lambda **m: fourier_product(y, k, scale=2, **m),
        lambda **m: tikhonov(y, k[:3, :3], 1e-2, **m),
        lambda **m: wiener(y, k[:3, :3], 1e-2, **m),
        lambda **m: constrained_least_squares(y, k[:3, :3], 1e-2, **m),
    ):
        np.testing.assert_array_equal(call(margin=4), call())


def test_every_operator_takes_every_boundary(rng):
    y, k, x0 = (jnp.asarray(v, jnp.float32) for v in problem(rng, 2, 4, channels=2))
    for mode in MODES:
        assert data_step(y, k, x0, 1e-2, scale=2, boundary=mode).shape == x0.shape
        assert (
            data_step_mixed(y, k[:, :, None, None] * jnp.ones((1, 1, 2, 2)), x0, 1e-2, scale=2, boundary=mode).shape == x0.shape
        )
        assert fourier_product(y, k, scale=2, boundary=mode).shape == x0.shape
        assert wiener(y, k[:3, :3], lambda fy, fx: jnp.asarray(0.01 + fy**2 + fx**2), boundary=mode).shape == y.shape
        assert constrained_least_squares(y, k[:3, :3], 1e-2, boundary=mode).shape == y.shape


def test_zero_boundary_is_linear_convolution(rng):
    """With zeros beyond the border, blurring is SciPy's full convolution."""
    x, g = rng.normal(size=(1, 8, 9, 1)), rng.normal(size=(5, 3))
    with jax.enable_x64(True):
        out = fourier_product(jnp.asarray(x), jnp.asarray(g), scale=1, boundary="zero", margin=6)
    np.testing.assert_allclose(out[0, :, :, 0], scipy.signal.convolve2d(x[0, :, :, 0], g, mode="same"), atol=1e-12)


@pytest.mark.parametrize(("scale", "size"), [(1, 3), (2, 4), (2, 6), (3, 5), (4, 2)])
def test_fourier_product_is_a_circular_transposed_convolution(rng, scale, size):
    """H = F^-1{F{LR} F{G}} on the zero-inserted LR, literally with NumPy; and `conv_transpose2d` of wrapped LR."""
    lr, g = rng.normal(size=(2, 6, 7, 3)), rng.normal(size=(size, size, 3))
    c = (size - scale) // 2
    inserted = np.zeros((2, 6 * scale, 7 * scale, 3))
    inserted[:, ::scale, ::scale] = lr
    torus = np.zeros((6 * scale, 7 * scale, 3))
    torus[:size, :size] = g
    torus = np.roll(torus, (-c, -c), (0, 1))
    literal = np.fft.ifft2(np.fft.fft2(inserted, axes=(1, 2)) * np.fft.fft2(torus, axes=(0, 1)), axes=(1, 2)).real
    with jax.enable_x64(True):
        out = fourier_product(jnp.asarray(lr), jnp.asarray(g), scale=scale)
        np.testing.assert_allclose(out, literal, atol=1e-12)
        wrapped = jnp.pad(jnp.asarray(lr), ((0, 0), (3, 3), (3, 3), (0, 0)), mode="wrap")
        transposed = conv_transpose2d(wrapped, jnp.asarray(g)[:, :, :, None], stride=scale, padding=0, groups=3)
    first = 3 * scale + c
    np.testing.assert_allclose(transposed[:, first : first + 6 * scale, first : first + 7 * scale], literal, atol=1e-12)


def test_fourier_product_mixes_channels(rng):
    lr, g = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(1, 4, 4, 2, 3))
    with jax.enable_x64(True):
        lr, g = jnp.asarray(lr), jnp.asarray(g)
        out = fourier_product(lr, g, scale=2)
        expected = sum(fourier_product(lr[..., i : i + 1].repeat(3, -1), g[0, :, :, i], scale=2) for i in range(2))
        np.testing.assert_allclose(out, expected, atol=1e-12)


def test_the_data_step_is_a_transposed_convolution_of_its_impulse_response(rng):
    """Linear and equivariant, so with x0 = 0 its impulse response says all: `papers.md`'s equivalence."""
    y, k, _ = problem(rng, 2, 4, h=8, w=8)
    with jax.enable_x64(True):
        y, k = jnp.asarray(y), jnp.asarray(k)
        impulse = jnp.zeros((1, 8, 8, 1)).at[0, 4, 4].set(1.0)
        response = data_step(impulse, k, jnp.zeros((1, 16, 16, 1)), 1e-2, scale=2)[0, :, :, 0]
        out = fourier_product(y, response, scale=2, centre=(8, 8))
        np.testing.assert_allclose(out, data_step(y, k, jnp.zeros((1, 16, 16, 1)), 1e-2, scale=2), atol=1e-12)


def test_mixed_channels_solve_the_normal_equations(rng):
    y, x0 = rng.normal(size=(2, 4, 5, 2)), rng.normal(size=(2, 8, 10, 3))
    k = rng.normal(size=(4, 4, 3, 2))
    lam = 1e-2
    blocks = [[matrix(k[:, :, o, i], 2, None, 4, 5) for o in range(3)] for i in range(2)]
    a = np.block(blocks)
    with jax.enable_x64(True):
        x = data_step_mixed(*map(jnp.asarray, (y, k, x0)), lam, scale=2)
    flat = lambda image: np.moveaxis(image, -1, 0).ravel()
    for b in range(2):
        expected = np.linalg.solve(a.T @ a + lam * np.eye(a.shape[1]), a.T @ flat(y[b]) + lam * flat(x0[b]))
        np.testing.assert_allclose(flat(np.asarray(x)[b]), expected, atol=1e-10)


def test_an_integer_lambda_is_a_number_like_any_other(rng):
    y, k = (jnp.asarray(rng.uniform(size=s), jnp.float32) for s in ((1, 8, 9, 2), (3, 3)))
    one = jnp.asarray(1)
    np.testing.assert_array_equal(constrained_least_squares(y, k, one), constrained_least_squares(y, k, 1.0))
    np.testing.assert_array_equal(tikhonov(y, k, one), tikhonov(y, k, 1.0))


def test_a_spectrum_for_each_channel_and_every_boundary(rng):
    y, k = (jnp.asarray(rng.uniform(size=s), jnp.float32) for s in ((1, 8, 9, 2), (3, 3)))
    prior = lambda fy, fx: jnp.asarray(np.stack([0.1 + 0 * (fy + fx), 0.2 + 0 * (fy + fx)], -1), jnp.float32)
    for boundary in ("circular", "symmetric"):
        out = wiener(y, k, prior, boundary=boundary, margin=5)
        np.testing.assert_allclose(out[..., 1], tikhonov(y, k, 0.2, boundary=boundary, margin=5)[..., 1], atol=1e-6)
    assert wiener(y, k, prior, boundary="symmetric").shape == y.shape


def test_nothing_hides_a_bad_lambda(rng):
    """Traced, it cannot be refused; it must show."""
    y, k, x0 = (jnp.asarray(v, jnp.float32) for v in problem(rng, 2, 4))
    assert np.isnan(jax.jit(lambda lam: data_step(y, k, x0, lam, scale=2))(jnp.nan)).all()


def test_otf_and_back(rng):
    k = rng.normal(size=(5, 4, 2))
    with jax.enable_x64(True):
        otf = psf_to_otf(jnp.asarray(k), (9, 8), centre=(2, 1))
        assert otf.shape == (9, 5, 2)
        np.testing.assert_allclose(otf_to_psf(otf, (9, 8), (5, 4), centre=(2, 1)), k, atol=1e-13)
        image = jnp.asarray(rng.normal(size=(1, 9, 8, 2)))
        product = jnp.fft.irfft2(otf[None] * jnp.fft.rfft2(image, axes=(1, 2)), (9, 8), axes=(1, 2))
        np.testing.assert_allclose(product, blur_downsample(image, jnp.asarray(k), scale=1, centre=(2, 1)), atol=1e-12)
        np.testing.assert_allclose(psf_to_otf(jnp.asarray(k[:4, :, 0]), (9, 8), scale=2)[0, 0], k[:4, :, 0].sum(), atol=1e-12)


def test_scikit_image_wiener(rng):
    """Its `wiener` is constrained least squares with the Laplacian, and Tikhonov's with the identity, as regulariser."""
    y, k = rng.uniform(size=(16, 20)), rng.uniform(size=(5, 5))
    k /= k.sum()
    laplacian = np.zeros((3, 3))
    laplacian[1, 1], laplacian[0, 1], laplacian[2, 1], laplacian[1, 0], laplacian[1, 2] = 4, -1, -1, -1, -1
    np.testing.assert_array_equal(4 * LAPLACIAN, laplacian)
    with jax.enable_x64(True):
        image, kernel = jnp.asarray(y)[None, :, :, None], jnp.asarray(k)
        ours = constrained_least_squares(image, kernel, 0.3, penalty=laplacian)
        np.testing.assert_allclose(ours[0, :, :, 0], restoration.wiener(y, k, 0.3, clip=False), atol=1e-12)
        identity = np.zeros((3, 3))
        identity[1, 1] = 1
        theirs = restoration.wiener(y, k, 0.02, reg=identity, clip=False)
        np.testing.assert_allclose(tikhonov(image, kernel, 0.02)[0, :, :, 0], theirs, atol=1e-12)
        np.testing.assert_allclose(wiener(image, kernel, 0.02)[0, :, :, 0], theirs, atol=1e-12)


def test_scipy_wiener_filter(rng):
    """Per frequency: written out with SciPy's transforms."""
    y, k = rng.uniform(size=(16, 15)), rng.uniform(size=(3, 3))
    prior = lambda fy, fx: 0.01 + fy**2 + fx**2
    torus = np.zeros((16, 15))
    torus[:3, :3] = k
    otf = scipy.fft.fft2(np.roll(torus, (-1, -1), (0, 1)))
    nsr = prior(scipy.fft.fftfreq(16)[:, None], scipy.fft.fftfreq(15)[None])
    expected = scipy.fft.ifft2(np.conj(otf) * scipy.fft.fft2(y) / (np.abs(otf) ** 2 + nsr)).real
    with jax.enable_x64(True):
        image, kernel = jnp.asarray(y)[None, :, :, None], jnp.asarray(k)
        np.testing.assert_allclose(wiener(image, kernel, prior)[0, :, :, 0], expected, atol=1e-12)
        table = jnp.asarray(nsr[:, :8])
        np.testing.assert_allclose(wiener(image, kernel, table)[0, :, :, 0], expected, atol=1e-12)
        twice = wiener(jnp.concatenate([image, image], -1), kernel, jnp.array([0.1, 0.2]))
        np.testing.assert_allclose(twice[..., 1:], tikhonov(image, kernel, 0.2), atol=1e-12)


def test_against_iterative_and_self_tuning_restoration(rng):
    """On a noisy blurred photograph the Wiener filter with the true spectra does not lose to scikit-image's methods."""
    from skimage import data

    image = data.camera()[100:228, 100:228] / 255
    k = np.full((5, 5), 1 / 25)
    blurred = scipy.ndimage.convolve(image, k, mode="wrap") + rng.normal(scale=0.02, size=image.shape)
    spectrum = np.abs(np.fft.rfft2(image - image.mean())) ** 2
    fy, fx = np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None]
    slope = np.mean(spectrum * (fy**2 + fx**2))  # an image of power slope / f^2
    ours = wiener(
        jnp.asarray(blurred, jnp.float32)[None, :, :, None],
        jnp.asarray(k, jnp.float32),
        lambda fy, fx: jnp.asarray(128**2 * 0.02**2 * (fy**2 + fx**2) / slope, jnp.float32),
    )[0, :, :, 0]
    psnr = lambda x: -10 * np.log10(np.mean((x - image) ** 2))
    theirs, _ = restoration.unsupervised_wiener(blurred, k, clip=False, rng=0)
    lucy = restoration.richardson_lucy(np.clip(blurred, 1e-3, 1), k, num_iter=10)
    assert psnr(ours) > max(psnr(theirs), psnr(lucy), psnr(blurred) + 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, k, x: data_step(y, k, x, -1e-3, scale=2), "lam=-0.001 must not be negative"),
        (lambda y, k, x: data_step(y, k, x[:, 1:], 1e-3, scale=2), r"must be \(1, 12, 12, 2\)"),
        (lambda y, k, x: data_step(y, k, x, jnp.ones(3), scale=2), r"lam of shape \(1, 3\) is none of"),
        (lambda y, k, x: data_step(y, k, x, 1e-3, scale=2, boundary="mirror"), "boundary='mirror' is none of circular, zero"),
        (lambda y, k, x: data_step(y, k, x, 1e-3, scale=2, boundary="zero", margin=-1), "margin=-1"),
        (lambda y, k, x: data_step(y, jnp.ones((5, 5)), x, 1e-3, scale=2), "use a kernel of even size"),
        (lambda y, k, x: data_step(y, jnp.ones((14, 14)), x, 1e-3, scale=2), "14x14 kernel is larger than the 12x12 image"),
        (lambda y, k, x: data_step_mixed(y, jnp.ones((4, 4, 2, 2)), x, 0.0, scale=2), "lam=0 must be a positive number"),
        (lambda y, k, x: tikhonov(y, k, 1e-3), "no tap at the centre"),
        (lambda y, k, x: data_step(y, k, x, float("nan"), scale=2), "lam=nan must not be negative, but a number"),
        (lambda y, k, x: fourier_product(y, k, scale=2, centre=100), "centre=100 is no tap of a 4x4 kernel"),
        (lambda y, k, x: data_step_mixed(y, jnp.ones((4, 4, 2, 2)), x, jnp.ones(2), scale=2), "must be one number"),
        (lambda y, k, x: wiener(y, jnp.ones((3, 3)), jnp.ones((5, 5))), r"half-spectrum .* \(6, 4\)"),
        (lambda y, k, x: wiener(y, jnp.ones((3, 3)), lambda fy, fx: fx - 1.0), "nsr=-1 must not be negative"),
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
