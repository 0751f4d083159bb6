import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.layers import FourierDeconv
from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.data_steps import data_step
from sr_jax.ops.interpolate import enlarge


def features(rng, *shape):
    return jnp.asarray(rng.uniform(size=shape), jnp.float32)


def randomised(layer, rng):
    """The layer with a random kernel that does not sum to 1, so that nothing cancels."""
    layer.kernel[...] = jnp.asarray(rng.normal(size=layer.kernel.shape) / layer.kernel.shape[0], jnp.float32)
    return layer


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("x0", ["zero", "nearest", "bilinear", "bicubic"])
def test_static_and_regularised_is_the_data_step(rng, scale, x0):
    layer = randomised(
        FourierDeconv(3, kernel_size=scale + 2, scale=scale, x0=x0, lam=1e-2, boundary="replicate", margin=3), rng
    )
    y = features(rng, 2, 6, 7, 3)
    first = jnp.zeros((2, 6 * scale, 7 * scale, 3))
    if x0 != "zero":
        first = enlarge(y, scale=scale, method=x0, boundary="replicate")
    expected = data_step(y, layer.kernel[...], first, 1e-2, scale=scale, boundary="replicate", margin=3)
    np.testing.assert_allclose(layer(y), expected, atol=1e-6)


def test_it_inverts_a_known_blur(rng):
    """On LR images that its own blur and subsampling made, an oracle is far better than its first guess."""
    t = np.arange(7) - 3
    psf = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * 1.2**2))
    psf /= psf.sum()
    x = enlarge(features(rng, 1, 16, 16, 1), scale=4, method="bicubic", boundary="symmetric")
    y = blur_downsample(x, jnp.asarray(psf, jnp.float32), scale=2, centre=(3, 3))
    oracle = FourierDeconv(1, scale=2, kernel="oracle", psf=psf, lam=1e-3, centre=3, boundary="circular")
    error = lambda out: float(jnp.sqrt(jnp.mean((out - x) ** 2)))
    guess = enlarge(y, scale=2, method="bicubic", boundary="circular", offset=(0.0, 0.0))
    assert error(oracle(y)) < error(guess) / 2
    assert not jax.tree.leaves(nnx.state(oracle, nnx.Param))


def test_first_guess_follows_the_centre():
    """With an odd kernel centred on the kept pixel, LR pixel i lies on HR pixel 2 i, and x0 has it there."""
    layer = FourierDeconv(
        1, scale=2, kernel="oracle", psf=np.eye(3)[1][:, None] * np.eye(3)[1], lam=1e6, centre=1, x0="bilinear"
    )
    ramp = jnp.arange(16.0)[None, :, None, None].repeat(16, 2)
    np.testing.assert_allclose(layer(ramp)[0, 8:24, 16, 0], np.arange(8, 24) / 2, atol=1e-4)


def test_literal_oracle(rng):
    """A known G can be used in the literal mode."""
    g = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
    layer = FourierDeconv(2, scale=2, kernel="oracle", psf=g, mode="literal", boundary="replicate")
    y = features(rng, 1, 6, 5, 2)
    np.testing.assert_allclose(layer(y), enlarge(y, scale=2, method="bilinear", boundary="replicate"), atol=1e-6)


@pytest.mark.parametrize("channels", ["depthwise", "full"])
def test_literal_starts_as_bilinear_interpolation(rng, channels):
    layer = FourierDeconv(2, kernel_size=4, scale=2, mode="literal", channels=channels, boundary="replicate")
    y = features(rng, 1, 6, 5, 2)
    np.testing.assert_allclose(layer(y), enlarge(y, scale=2, method="bilinear", boundary="replicate"), atol=1e-6)


def test_regularised_starts_consistent_with_means_of_cells(rng):
    layer = FourierDeconv(2, kernel_size=4, scale=2, lam=1e-4, boundary="circular")
    y = features(rng, 1, 6, 5, 2)
    np.testing.assert_allclose(layer(y).reshape(1, 6, 2, 5, 2, 2).mean((2, 4)), y, atol=1e-3)


def test_full_channels(rng):
    """Block-diagonal full kernels are depthwise ones."""
    y = features(rng, 2, 6, 5, 2)
    k = rng.normal(size=(4, 4, 2)).astype(np.float32) / 4
    diagonal = np.zeros((4, 4, 2, 2), np.float32)
    diagonal[..., [0, 1], [0, 1]] = k
    for mode, full in (("regularised", diagonal), ("literal", diagonal[None])):
        options = {"kernel_size": 4, "scale": 2, "mode": mode, "boundary": "circular", "lam": 0.1}
        one, many = FourierDeconv(2, **options), FourierDeconv(2, channels="full", **options)
        assert many.kernel.shape == full.shape
        one.kernel[...], many.kernel[...] = jnp.asarray(k), jnp.asarray(full)
        np.testing.assert_allclose(many(y), one(y), atol=1e-5)
    assert FourierDeconv(2, 5, 4, scale=2, channels="full", x0="zero")(y).shape == (2, 12, 10, 5)
    assert FourierDeconv(2, 5, 4, scale=2, channels="full", mode="literal")(y).shape == (2, 12, 10, 5)


@pytest.mark.parametrize("mode", ["regularised", "literal"])
@pytest.mark.parametrize("channels", ["depthwise", "full"])
def test_predicted_kernels_act_on_their_own_image(rng, mode, channels):
    layer = FourierDeconv(2, kernel_size=4, scale=2, kernel="predicted", mode=mode, channels=channels, margin=2)
    y = features(rng, 3, 6, 5, 2)
    k = features(rng, 3, 4, 4, *((2, 2) if channels == "full" else (2,)))
    out = layer(y, k)
    np.testing.assert_allclose(out[1:2], layer(y[1:2], k[1:2]), atol=1e-5)
    assert np.abs(out - layer(y, k[::-1])).max() > 1e-2


@pytest.mark.slow
def test_lambda(rng):
    y = features(rng, 2, 6, 5, 2)
    options = {"kernel_size": 4, "scale": 2}
    fixed = randomised(FourierDeconv(2, lam=0.1, **options), rng)
    learned = FourierDeconv(2, lam=0.1, lam_mode="learned", **options)
    predicted = FourierDeconv(2, lam_mode="predicted", **options)
    learned.kernel[...] = predicted.kernel[...] = fixed.kernel[...]
    np.testing.assert_allclose(learned(y), fixed(y), atol=1e-6)
    lam = jnp.array([[0.1, 0.2], [0.1, 0.3]])
    np.testing.assert_allclose(predicted(y, lam=lam)[..., :1], fixed(y)[..., :1], atol=1e-6)
    full = FourierDeconv(2, lam=0.1, lam_mode="learned", channels="full", **options)
    for layer, shape in ((learned, (2,)), (full, ())):
        gradient = nnx.grad(lambda layer: jnp.sum((layer(y) - 0.3) ** 2))(layer)
        assert gradient["log_lam"].shape == shape
        assert np.all(gradient["log_lam"][...] != 0)


def test_margin_of_an_oracle_reaches_as_far_as_its_inverse():
    t = np.arange(9) - 4
    psf = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * 1.6**2))
    margins = [FourierDeconv(1, scale=1, kernel="oracle", psf=psf / psf.sum(), lam=lam).margin for lam in (1e-1, 1e-4)]
    assert 4 < margins[0] < margins[1]


def test_bfloat16(rng):
    layer = FourierDeconv(2, kernel_size=4, scale=2)
    assert layer(features(rng, 1, 6, 5, 2).astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_trains_under_jit(rng):
    """One step of gradient descent on all parameters lowers the loss; the layer is called as in a training step."""
    layer = FourierDeconv(2, kernel_size=4, scale=2, lam_mode="learned")
    y, target = features(rng, 2, 6, 5, 2), features(rng, 2, 12, 10, 2)
    graph, params = nnx.split(layer, nnx.Param)
    loss = lambda params: jnp.mean((nnx.merge(graph, params)(y) - target) ** 2)
    value, gradient = jax.jit(jax.value_and_grad(loss))(params)
    better = jax.tree.map(lambda p, g: p - 0.01 * g, params, gradient)
    assert loss(better) < value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 5}, "use a kernel of even size"),
        ({"kernel_size": 4, "mode": "inverse"}, "mode='inverse' is not one of regularised, literal"),
        ({"kernel_size": 4, "kernel": "oracle"}, "kernel='oracle' needs a psf"),
        ({"kernel_size": 4, "lam": 0.0}, "lam=0.0 must be positive"),
        ({"kernel_size": 4, "x0": "cubic"}, "x0='cubic' is not one of zero, nearest"),
        ({"kernel_size": 4, "out_channels": 3}, "depthwise kernels keep 2 channels"),
        ({"kernel_size": 4, "out_channels": 3, "channels": "full"}, "use x0='zero'"),
        ({}, "needs a kernel_size"),
        ({"kernel_size": 4, "scale": 0}, "scale=0 must be an integer of at least 1"),
        ({"kernel_size": 4, "margin": -1}, "margin=-1 must not be negative"),
        ({"kernel_size": 4, "mode": "literal", "lam_mode": "learned"}, "the literal mode has no lambda"),
        ({"kernel_size": 4, "boundary": "wrap"}, "boundary='wrap' is not one of"),
        ({"kernel": "oracle", "psf": np.ones((4, 4, 2))}, r"a psf has the shape \(kh, kw\)"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        FourierDeconv(2, **{"scale": 2, **options})


def test_predicted_kernels_of_another_size_are_refused(rng):
    layer = FourierDeconv(1, kernel_size=4, scale=2, kernel="predicted")
    with pytest.raises(ValueError, match=r"shape \(1, 6, 6, 1\) does not fit: it must have 4 axes.*4x4 taps"):
        layer(features(rng, 1, 6, 5, 1), features(rng, 1, 6, 6, 1))


def test_an_oracle_can_be_built_abstractly():
    nnx.eval_shape(lambda: FourierDeconv(1, scale=1, kernel="oracle", psf=np.eye(3) / 3))


def test_a_call_must_give_exactly_what_is_predicted(rng):
    y = features(rng, 1, 6, 5, 1)
    with pytest.raises(ValueError, match="whose kernel is predicted needs one with each call"):
        FourierDeconv(1, kernel_size=4, scale=2, kernel="predicted")(y)
    with pytest.raises(ValueError, match="whose lam is fixed does not take one"):
        FourierDeconv(1, kernel_size=4, scale=2)(y, lam=0.1)
