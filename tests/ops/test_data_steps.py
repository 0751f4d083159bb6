import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from jax.test_util import check_grads

from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.data_steps import data_step, data_step_mixed
from sr_jax.ops.inverse_filters import tikhonov
from tests.ops.dense import matrix, problem

# (scale, kernel size, centre or None for (k + s - 2) / 2)
CASES = [(2, 5, 2), (3, 5, None), (2, 2, None), (1, 5, None), (4, 9, 4)]
LAMBDAS = [1e-1, 1.33e-4, 1e-6]


def dense_solution(y, k, x0, lam, scale, centre):
    h, w = y.shape[1:3]
    a = matrix(k, scale, centre, h, w)
    x = np.linalg.solve(a.T @ a + lam * np.eye(a.shape[1]), a.T @ y.ravel() + lam * x0.ravel())
    return x.reshape(1, h * scale, w * scale, 1)


def published_form(y, k, x0, lam, scale, centre):
    """X = (1 / lam) (L - conj(K) T(D(K L) / (D|K|^2 + lam))) with L = conj(K) F(S^T y) + lam F(x0), by full FFTs."""
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
    """The step equals a dense linear solve, to 1e-10 in float64 and to 2e-6 in float32."""
    y, k, x0 = problem(rng, scale, size, h=9 if size > 6 * scale else 6)
    expected = dense_solution(y, k, x0, lam, scale, centre)
    with jax.enable_x64(True):
        x = data_step(*map(jnp.asarray, (y, k, x0)), lam, scale=scale, centre=centre, boundary="circular")
        assert x.dtype == jnp.float64
    np.testing.assert_allclose(x, expected, atol=1e-10)
    single = [jnp.asarray(v, jnp.float32) for v in (y, k, x0)]
    expected = dense_solution(*(np.asarray(v, np.float64) for v in single), float(np.float32(lam)), scale, centre)
    x = data_step(*single, lam, scale=scale, centre=centre, boundary="circular")
    assert x.dtype == jnp.float32
    assert np.linalg.norm(x - expected) < 2e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize(("scale", "size", "centre"), CASES)
def test_data_step_equals_the_published_form(rng, scale, size, centre):
    y, k, x0 = problem(rng, scale, size, h=7, w=10)
    with jax.enable_x64(True):
        x = data_step(*map(jnp.asarray, (y, k, x0)), 1e-3, scale=scale, centre=centre, boundary="circular")
    np.testing.assert_allclose(x, published_form(y, k, x0, 1e-3, scale, centre), atol=1e-11)


def test_large_kernels_go_through_the_transform(rng):
    """The two ways to blur agree: a 5x5 kernel padded to 19x19 with zeros is the same blur."""
    y, k, x0 = problem(rng, 3, 5, h=9, w=8, channels=2, batch=2)
    with jax.enable_x64(True):
        y, k, x0 = map(jnp.asarray, (y, k, x0))
        expected = data_step(y, k, x0, 1e-3, scale=3, boundary="circular")
        large = jnp.pad(k, 7)
        np.testing.assert_allclose(data_step(y, large, x0, 1e-3, scale=3, boundary="circular"), expected, atol=1e-11)
        expected = data_step(y, jnp.stack([k, k.T], -1), x0, 1e-3, scale=3, boundary="circular")
        large = jnp.stack([large, large.T], -1)
        np.testing.assert_allclose(data_step(y, large, x0, 1e-3, scale=3, boundary="circular"), expected, atol=1e-11)


def test_forms_of_kernel_and_lambda(rng):
    """A kernel and a lambda for each channel and image give the same as one call for each."""
    y, _, x0 = problem(rng, 2, 4, channels=3, batch=2)
    k = rng.uniform(size=(2, 4, 4, 3))
    lam = np.array([[1e-2, 1e-3, 1e-1], [1e-4, 1.0, 0.5]])
    with jax.enable_x64(True):
        y, x0, k, lam = map(jnp.asarray, (y, x0, k, lam))
        one = lambda i, c: data_step(
            y[i : i + 1, ..., c : c + 1], k[i, ..., c], x0[i : i + 1, ..., c : c + 1], lam[i, c], scale=2, boundary="circular"
        )
        x = data_step(y, k, x0, lam, scale=2, boundary="circular")
        for i, c in itertools.product(range(2), range(3)):
            np.testing.assert_allclose(x[i, ..., c], one(i, c)[0, ..., 0], atol=1e-12)
        x = data_step(y, k[0], x0, lam[1], scale=2, boundary="circular")
        np.testing.assert_allclose(
            x[1], data_step(y, k[0][None].repeat(2, 0), x0, lam[1], scale=2, boundary="circular")[1], atol=1e-12
        )


def test_limits_of_lambda(rng):
    """For lambda towards 0, the result explains y exactly; towards infinity, it stays at x0. At 0 it is finite."""
    y, k, x0 = map(jnp.asarray, problem(rng, 2, 4))
    y, k, x0 = (v.astype(jnp.float32) for v in (y, k, x0))
    misfit = [
        float(jnp.max(jnp.abs(blur_downsample(data_step(y, k, x0, lam, scale=2, boundary="circular"), k, scale=2) - y)))
        for lam in (1e-2, 1e-4, 1e-6, 0.0)
    ]
    assert misfit[0] > 30 * misfit[1] > 900 * misfit[2]
    assert misfit[3] < 2e-5
    np.testing.assert_allclose(data_step(y, k, x0, 1e9, scale=2, boundary="circular"), x0, atol=1e-6)


def test_exact_recovery_without_subsampling(rng):
    """With s = 1, min |K| > 0 and no noise, lambda = 0 recovers x."""
    x = rng.uniform(size=(1, 16, 15, 2))
    k = np.zeros((3, 3))
    k[1, 1], k[0, 1], k[2, 2] = 0.7, 0.2, 0.1  # |K| >= 0.4
    with jax.enable_x64(True):
        x, k = jnp.asarray(x), jnp.asarray(k)
        y = blur_downsample(x, k, scale=1)
        np.testing.assert_allclose(data_step(y, k, jnp.zeros_like(x), 0.0, scale=1, boundary="circular"), x, atol=1e-12)
        np.testing.assert_allclose(tikhonov(y, k, 0.0, boundary="circular"), x, atol=1e-12)


def test_a_delta_changes_nothing(rng):
    """With k = delta, s = 1 and x0 = y, the step is the identity for every lambda."""
    y = jnp.asarray(rng.uniform(size=(1, 7, 8, 1)), jnp.float32)
    for lam in (0.0, 1e-3, 1.0):
        np.testing.assert_allclose(
            data_step(y, jnp.zeros((3, 3)).at[1, 1].set(1.0), y, lam, scale=1, boundary="circular"), y, atol=1e-6
        )


def test_shift_by_one_lr_pixel(rng):
    y, k, x0 = map(jnp.asarray, problem(rng, 3, 5, h=8, w=7))
    y, k, x0 = (v.astype(jnp.float32) for v in (y, k, x0))
    shifted = data_step(jnp.roll(y, (1, 2), (1, 2)), k, jnp.roll(x0, (3, 6), (1, 2)), 1e-2, scale=3, boundary="circular")
    np.testing.assert_allclose(
        shifted, jnp.roll(data_step(y, k, x0, 1e-2, scale=3, boundary="circular"), (3, 6), (1, 2)), atol=1e-5
    )


@pytest.mark.parametrize(("scale", "size", "centre"), [(2, 5, 2), (3, 5, None), (2, 2, None), (1, 5, None)])
def test_gradients(rng, scale, size, centre):
    """The gradients by y, k, x0 and lambda equal finite differences, in forward and reverse mode."""
    y, k, x0 = problem(rng, scale, size, h=6, w=5)
    with jax.enable_x64(True):
        step = lambda *args: data_step(*map(jnp.asarray, args), scale=scale, centre=centre, boundary="circular")
        check_grads(
            step, (*map(jnp.asarray, (y, k, x0)), jnp.asarray(0.05)), order=1, modes=("fwd", "rev"), eps=1e-5, rtol=1e-6
        )


def test_gradients_where_the_kernel_vanishes(rng):
    """Values and gradients are finite where K = 0, also at lambda = 0."""
    y, _, x0 = problem(rng, 2, 4)
    y, x0 = (jnp.asarray(v, jnp.float32) for v in (y, x0))

    def loss(y, k, x0, lam):
        return jnp.sum(data_step(y, k, x0, lam, scale=2, boundary="circular") ** 2)

    for k in (jnp.zeros((4, 4)), jnp.full((4, 4), 1 / 16)):  # the box of two cells removes the highest frequency
        for lam in (0.0, 1e-3):
            value, gradients = jax.value_and_grad(loss, (0, 1, 2, 3))(y, k, x0, jnp.float32(lam))
            assert np.isfinite(value)
            assert all(np.isfinite(g).all() for g in gradients)


def test_under_transformations(rng):
    """jit, vmap, pmap and shard_map give the same as the plain call."""
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


def test_mixed_channels_solve_the_normal_equations(rng):
    y, x0 = rng.normal(size=(2, 4, 5, 2)), rng.normal(size=(2, 8, 10, 3))
    k = rng.normal(size=(4, 4, 3, 2))
    lam = 1e-2
    blocks = [[matrix(k[:, :, o, i], 2, None, 4, 5) for o in range(3)] for i in range(2)]
    a = np.block(blocks)
    with jax.enable_x64(True):
        x = data_step_mixed(*map(jnp.asarray, (y, k, x0)), lam, scale=2, boundary="circular")
    flat = lambda image: np.moveaxis(image, -1, 0).ravel()
    for b in range(2):
        expected = np.linalg.solve(a.T @ a + lam * np.eye(a.shape[1]), a.T @ flat(y[b]) + lam * flat(x0[b]))
        np.testing.assert_allclose(flat(np.asarray(x)[b]), expected, atol=1e-10)


def test_nothing_hides_a_bad_lambda(rng):
    """A traced lambda cannot be checked, so the result must be NaN."""
    y, k, x0 = (jnp.asarray(v, jnp.float32) for v in problem(rng, 2, 4))
    assert np.isnan(jax.jit(lambda lam: data_step(y, k, x0, lam, scale=2, boundary="circular"))(jnp.nan)).all()
