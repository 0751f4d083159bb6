import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.layers import Converse2D, FourierDeconv
from sr_jax.ops.blur import blur_downsample
from sr_jax.ops.data_steps import data_step
from sr_jax.ops.interpolate import enlarge


def features(rng, *shape):
    return jnp.asarray(rng.uniform(size=shape), jnp.float32)


def randomised(layer, rng):
    """The layer with its kernel off the simplex of its start, so that nothing cancels."""
    layer.kernel[...] = jnp.asarray(rng.normal(size=layer.kernel.shape) / layer.kernel.shape[0], jnp.float32)
    return layer


class TestFourierDeconv:
    @pytest.mark.parametrize("scale", [1, 2, 3])
    @pytest.mark.parametrize("x0", ["zero", "nearest", "bilinear", "bicubic"])
    def test_static_and_regularised_is_the_data_step(self, rng, scale, x0):
        layer = randomised(
            FourierDeconv(3, kernel_size=scale + 2, scale=scale, x0=x0, lam=1e-2, boundary="replicate", margin=3), rng
        )
        y = features(rng, 2, 6, 7, 3)
        first = jnp.zeros((2, 6 * scale, 7 * scale, 3))
        if x0 != "zero":
            first = enlarge(y, scale=scale, method=x0, boundary="replicate")
        expected = data_step(y, layer.kernel[...], first, 1e-2, scale=scale, boundary="replicate", margin=3)
        np.testing.assert_allclose(layer(y), expected, atol=1e-6)

    def test_it_inverts_a_known_blur(self, rng):
        """An oracle on LR images made by its own blur and subsampling beats its first guess by far."""
        t = np.arange(7) - 3
        psf = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * 1.2**2))
        psf /= psf.sum()
        x = enlarge(features(rng, 1, 16, 16, 1), scale=4, method="bicubic", boundary="symmetric")
        y = blur_downsample(x, jnp.asarray(psf, jnp.float32), scale=2, centre=(3, 3))
        oracle = FourierDeconv(1, scale=2, kernel="oracle", psf=psf, lam=1e-3, centre=3, boundary="circular")
        error = lambda out: float(jnp.sqrt(jnp.mean((out - x) ** 2)))
        guess = enlarge(y, scale=2, method="bicubic", boundary="circular", offset=(0.0, 0.0))
        assert error(oracle(y)) < error(guess) / 2
        assert not jax.tree.leaves(nnx.state(oracle, nnx.Param))  # a known blur is not learned

    def test_first_guess_follows_the_centre(self):
        """With an odd kernel centred on the kept pixel, LR pixel i lies on HR pixel 2 i, and x0 is drawn there."""
        layer = FourierDeconv(
            1, scale=2, kernel="oracle", psf=np.eye(3)[1][:, None] * np.eye(3)[1], lam=1e6, centre=1, x0="bilinear"
        )
        ramp = jnp.arange(16.0)[None, :, None, None].repeat(16, 2)
        np.testing.assert_allclose(layer(ramp)[0, 8:24, 16, 0], np.arange(8, 24) / 2, atol=1e-4)

    def test_literal_oracle(self, rng):
        """A known G, literally."""
        g = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
        layer = FourierDeconv(2, scale=2, kernel="oracle", psf=g, mode="literal", boundary="replicate")
        y = features(rng, 1, 6, 5, 2)
        np.testing.assert_allclose(layer(y), enlarge(y, scale=2, method="bilinear", boundary="replicate"), atol=1e-6)

    @pytest.mark.parametrize("channels", ["depthwise", "full"])
    def test_literal_starts_as_bilinear_interpolation(self, rng, channels):
        layer = FourierDeconv(2, kernel_size=4, scale=2, mode="literal", channels=channels, boundary="replicate")
        y = features(rng, 1, 6, 5, 2)
        np.testing.assert_allclose(layer(y), enlarge(y, scale=2, method="bilinear", boundary="replicate"), atol=1e-6)

    def test_regularised_starts_consistent_with_means_of_cells(self, rng):
        layer = FourierDeconv(2, kernel_size=4, scale=2, lam=1e-4, boundary="circular")
        y = features(rng, 1, 6, 5, 2)
        np.testing.assert_allclose(layer(y).reshape(1, 6, 2, 5, 2, 2).mean((2, 4)), y, atol=1e-3)

    def test_full_channels(self, rng):
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
    def test_predicted_kernels_act_on_their_own_image(self, rng, mode, channels):
        layer = FourierDeconv(2, kernel_size=4, scale=2, kernel="predicted", mode=mode, channels=channels, margin=2)
        y = features(rng, 3, 6, 5, 2)
        k = features(rng, 3, 4, 4, *((2, 2) if channels == "full" else (2,)))
        out = layer(y, k)
        np.testing.assert_allclose(out[1:2], layer(y[1:2], k[1:2]), atol=1e-5)
        assert np.abs(out - layer(y, k[::-1])).max() > 1e-2

    def test_lambda(self, rng):
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

    def test_margin_of_an_oracle_reaches_as_far_as_its_inverse(self):
        t = np.arange(9) - 4
        psf = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * 1.6**2))
        margins = [FourierDeconv(1, scale=1, kernel="oracle", psf=psf / psf.sum(), lam=lam).margin for lam in (1e-1, 1e-4)]
        assert 4 < margins[0] < margins[1]

    def test_bfloat16(self, rng):
        layer = FourierDeconv(2, kernel_size=4, scale=2)
        assert layer(features(rng, 1, 6, 5, 2).astype(jnp.bfloat16)).dtype == jnp.bfloat16

    def test_trains_under_jit(self, rng):
        """One step of gradient descent on every parameter lowers the loss; as the training step calls a layer."""
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
            ({"kernel_size": 4, "mode": "inverse"}, "mode='inverse' is none of regularised, literal"),
            ({"kernel_size": 4, "kernel": "oracle"}, "kernel='oracle' needs a psf"),
            ({"kernel_size": 4, "lam": 0.0}, "lam=0.0 must be positive"),
            ({"kernel_size": 4, "x0": "cubic"}, "x0='cubic' is none of zero, nearest"),
            ({"kernel_size": 4, "out_channels": 3}, "depthwise kernels keep 2 channels"),
            ({"kernel_size": 4, "out_channels": 3, "channels": "full"}, "use x0='zero'"),
            ({}, "needs a kernel_size"),
            ({"kernel_size": 4, "scale": 0}, "scale=0 must be an integer of at least 1"),
            ({"kernel_size": 4, "margin": -1}, "margin=-1 must not be negative"),
            ({"kernel_size": 4, "mode": "literal", "lam_mode": "learned"}, "the literal mode has no lambda"),
            ({"kernel_size": 4, "boundary": "wrap"}, "boundary='wrap' is none of"),
            ({"kernel": "oracle", "psf": np.ones((4, 4, 2))}, r"a psf is \(kh, kw\)"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            FourierDeconv(2, **{"scale": 2, **options})

    def test_predicted_kernels_of_another_size_are_refused(self, rng):
        layer = FourierDeconv(1, kernel_size=4, scale=2, kernel="predicted")
        with pytest.raises(ValueError, match=r"shape \(1, 6, 6, 1\) does not fit: it must have 4 axes.*4x4 taps"):
            layer(features(rng, 1, 6, 5, 1), features(rng, 1, 6, 6, 1))

    def test_an_oracle_can_be_built_abstractly(self):
        nnx.eval_shape(lambda: FourierDeconv(1, scale=1, kernel="oracle", psf=np.eye(3) / 3))

    def test_what_is_predicted_must_be_given(self, rng):
        y = features(rng, 1, 6, 5, 1)
        with pytest.raises(ValueError, match="whose kernel is predicted needs one with each call"):
            FourierDeconv(1, kernel_size=4, scale=2, kernel="predicted")(y)
        with pytest.raises(ValueError, match="whose lam is fixed takes none"):
            FourierDeconv(1, kernel_size=4, scale=2)(y, lam=0.1)


def published(y, k, lam, scale):
    """The published forward pass on a torus, by the letter but in float64: full FFTs, division by lambda, roll by -(k // 2)."""
    _, h, w, c = y.shape
    first = y.repeat(scale, 1).repeat(scale, 2)
    otf = np.zeros((h * scale, w * scale, c))
    otf[: k.shape[0], : k.shape[1]] = k
    otf = np.fft.fft2(np.roll(otf, (-(k.shape[0] // 2), -(k.shape[1] // 2)), (0, 1)), axes=(0, 1))[None]
    inserted = np.zeros_like(first)
    inserted[:, ::scale, ::scale] = y
    right = np.conj(otf) * np.fft.fft2(inserted, axes=(1, 2)) + lam * np.fft.fft2(first, axes=(1, 2))
    mean = lambda v: v.reshape(v.shape[0], scale, h, scale, w, c).mean((1, 3))
    inner = np.tile(mean(otf * right) / (mean(np.abs(otf) ** 2) + lam), (1, scale, scale, 1))
    return np.fft.ifft2((right - np.conj(otf) * inner) / lam, axes=(1, 2)).real


class TestConverse2D:
    @pytest.mark.parametrize(("kernel_size", "scale"), [(5, 1), (2, 2), (3, 1), (7, 1)])
    def test_is_the_published_one(self, rng, kernel_size, scale):
        layer = randomised(Converse2D(3, kernel_size, scale=scale, rngs=nnx.Rngs(0)), rng)
        y = features(rng, 2, 8, 9, 3)
        lam = np.asarray(layer.lam, np.float64)
        expected = published(np.asarray(y, np.float64), np.asarray(layer.kernel[...], np.float64), lam, scale)
        np.testing.assert_allclose(layer(y), expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())

    @pytest.mark.parametrize("scale", [2, 3, 4])
    def test_starts_as_nearest_neighbour(self, rng, scale):
        """k = s on the simplex: the stencil is all ones."""
        layer = Converse2D(2, scale, scale=scale, rngs=nnx.Rngs(0))
        y = features(rng, 1, 5, 4, 2)
        np.testing.assert_allclose(layer(y), y.repeat(scale, 1).repeat(scale, 2), atol=1e-6)

    @pytest.mark.parametrize("scale", [2, 3, 4])
    def test_the_stencil_is_the_fourier_form(self, rng, scale):
        """k = s needs no transform: the same by the general solver and by the transfer function."""
        layer = randomised(Converse2D(2, scale, scale=scale, rngs=nnx.Rngs(0)), rng)
        y = features(rng, 1, 6, 5, 2)
        np.testing.assert_allclose(layer(y), layer._on_torus(y), atol=1e-5)
        np.testing.assert_allclose(layer(y), layer._by_transfer(y, layer.transfer(6, 5)), atol=2e-5)

    @pytest.mark.parametrize(("kernel_size", "scale"), [(5, 1), (4, 2), (6, 2), (5, 3)])
    @pytest.mark.parametrize("boundary", ["circular", "replicate"])
    def test_transfer(self, rng, kernel_size, scale, boundary):
        layer = Converse2D(2, kernel_size, scale=scale, boundary=boundary, eps=1e-2, rngs=nnx.Rngs(0))
        y = features(rng, 1, 8, 7, 2)
        np.testing.assert_allclose(layer(y, layer.transfer(8, 7)), layer(y), atol=2e-5)
        with pytest.raises(ValueError, match="of another size"):
            layer(y, layer.transfer(9, 7))

    @pytest.mark.parametrize(("kernel_size", "scale"), [(3, 1), (4, 2), (5, 3)])
    def test_materialised(self, rng, kernel_size, scale):
        """A depthwise transposed convolution of the impulse response, to the tolerance that was asked for."""
        layer = Converse2D(2, kernel_size, scale=scale, eps=0.1, rngs=nnx.Rngs(0))
        y = features(rng, 1, 40, 41, 2)
        plain = layer.materialise(tolerance=1e-3)
        gain = np.abs(plain.kernel[...]).sum((0, 1)).max()
        np.testing.assert_allclose(plain(y), layer(y), atol=1e-3 * gain)
        assert np.abs(plain(y) - layer(y)).max() > 0  # it is another computation

    def test_a_long_response_is_not_materialised(self):
        layer = Converse2D(1, 5, scale=1, rngs=nnx.Rngs(3))
        with pytest.raises(ValueError, match=r"reaches over \d+ LR pixels at tolerance=1e-06, more than largest=5"):
            layer.materialise(tolerance=1e-6, largest=5)

    def test_lambda_starts_as_published(self):
        lam = Converse2D(1, rngs=nnx.Rngs(0)).lam
        np.testing.assert_allclose(lam, 1 / (1 + np.exp(9)) + 1e-5, rtol=1e-5)

    def test_gradients_are_finite_where_the_kernel_vanishes(self, rng):
        y = features(rng, 1, 6, 6, 2)
        for kernel_size, scale in ((5, 1), (2, 2), (4, 2)):
            layer = Converse2D(2, kernel_size, scale=scale, rngs=nnx.Rngs(0))
            layer.kernel[...] = jnp.zeros_like(layer.kernel[...])
            gradient = nnx.grad(lambda layer: jnp.sum(layer(y) ** 2))(layer)
            assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))

    def test_bfloat16(self, rng):
        y = features(rng, 1, 6, 5, 2).astype(jnp.bfloat16)
        for kernel_size, scale in ((5, 1), (2, 2)):
            assert Converse2D(2, kernel_size, scale=scale, rngs=nnx.Rngs(0))(y).dtype == jnp.bfloat16

    def test_bad_options(self):
        with pytest.raises(ValueError, match="must both be even or both odd: use 4 or 6"):
            Converse2D(1, 5, scale=2, rngs=nnx.Rngs(0))
        with pytest.raises(ValueError, match="use symmetric or replicate"):
            Converse2D(1, 5, boundary="edgetaper", rngs=nnx.Rngs(0))
