import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax import models
from sr_jax.assembly.degradation import of_training
from sr_jax.config import NETWORKS, Config, DataConfig, DeconvSRConfig, GaussianBlur, GaussianNoise, Subsample
from sr_jax.data.degrade import Batch
from sr_jax.errors import InputError
from sr_jax.layers import FourierDeconv
from sr_jax.models import DeconvSR, Known
from sr_jax.models.deconv_sr import with_size
from sr_jax.ops.resize import imresize
from sr_jax.training.losses import l1

SMALL = {"kernel_size": 7, "kernel_width": 4, "blocks": 1, "width": 5}


def make(scale: int = 2, **options) -> DeconvSR:
    return models.make(DeconvSRConfig(**(SMALL | options)), scale=scale, seed=0)


def images(rng, scale: int = 2, channels: int = 1) -> tuple[jax.Array, jax.Array]:
    shapes = ((2, 12, 13, channels), (2, 12 * scale, 13 * scale, channels))
    return tuple(jnp.asarray(rng.random(shape, dtype=np.float32)) for shape in shapes)


def known(rng, size: int = 7) -> Known:
    kernel = rng.random((2, size, size), dtype=np.float32)
    return Known(jnp.asarray(kernel / kernel.sum((1, 2), keepdims=True)), jnp.array([0.0, 0.02]))


def gradients(model: DeconvSR, *batches) -> list[dict[str, jax.Array]]:
    """Gradients of the objective on each batch (lr, hr, known), by the names of the parameters."""
    graph, params = nnx.split(model, nnx.Param)
    gradient = jax.jit(jax.grad(lambda params, batch: nnx.merge(graph, params).objective(*batch, loss=l1)))
    trees = [jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(gradient(params, batch)))[0] for batch in batches]
    return [{jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves} for leaves in trees]


@pytest.mark.parametrize(("name", "least", "most"), [("deconv-sr-small", 12_000, 15_000), ("deconv-sr-base", 1.3e6, 1.5e6)])
def test_sizes(name, least, most):
    """FSRCNN(56, 12, 4) has 12,809 parameters, EDSR-baseline x2 1,369,859."""
    model = nnx.eval_shape(lambda: models.make(NETWORKS[name], scale=2, seed=0))
    count = sum(p.size for p in jax.tree.leaves(nnx.state(model, nnx.Param)))
    assert least < count < most


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        *({"kernel": kernel, "lam": lam} for kernel in ("static", "given") for lam in ("predicted", "learned", "fixed")),
        *({"scale": scale, "lam": "learned"} for scale in (2, 3, 4)),
        *({"x0": x0, "lam": "fixed"} for x0 in ("zero", "nearest", "bilinear", "bicubic")),
        *({"mode": "literal", "kernel": kernel, "scale": s} for kernel in ("predicted", "static") for s in (2, 3, 4)),
        {"channels": 3, "lam_start": (0.1, 0.01, 0.001), "blocks": 0, "kernel_depth": 1},
    ],
    ids=str,
)
def test_every_choice_builds(rng, options):
    model = make(**options)
    lr, hr = images(rng, model.scale, model.channels)
    sr = model(lr, known(rng, 9)) if model.about.is_told else model(lr)
    assert sr.shape == hr.shape
    assert np.isfinite(sr).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"channels": 3, "kernel_loss": 0.1},
        {"scale": 3, "kernel": "static", "lam": "learned", "lam_start": (0.1,), "x0": "zero"},
        {"kernel": "given", "lam_start": (0.1,)},
        {"mode": "literal"},
    ],
    ids=str,
)
def test_all_parts_learn(rng, options):
    """On black images gradients are finite, too."""
    model = make(**options)
    lr, hr = images(rng, model.scale, model.channels)
    told = known(rng, 9)
    usual, black = gradients(model, (lr, hr, told), (jnp.zeros_like(lr), jnp.zeros_like(hr), told))
    assert all(np.isfinite(g).all() for g in (*usual.values(), *black.values()))
    assert [name for name, g in usual.items() if not np.any(g)] == []


@pytest.mark.parametrize("kernel", ["predicted", "static"])
def test_kernels_are_blurs(rng, kernel):
    model = make(kernel=kernel)
    lr, _ = images(rng)
    kernels, log_lam = model.predict(10 * lr)
    assert kernels.shape == (2, 7, 7)
    assert (kernels > 0).all()
    np.testing.assert_allclose(jnp.sum(kernels, (1, 2)), 1, rtol=1e-6)
    assert log_lam.shape == (2, 2)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_starts_with_a_gaussian_in_the_middle_of_the_cell(rng, scale):
    """The middle tap lies on the kept pixel, so the middle of the cell is (scale - 1) / 2 pixels before it."""
    model = make(scale, kernel="static", kernel_size=17)
    kernel = np.asarray(model.predict(images(rng)[0])[0][0], np.float64)
    positions = np.arange(17) - 8
    assert (kernel.sum(1) * positions).sum() == pytest.approx(-(scale - 1) / 2, abs=0.02)
    assert (kernel.sum(0) * positions).sum() == pytest.approx(-(scale - 1) / 2, abs=0.02)


@pytest.mark.parametrize(("scale", "size"), [(2, 7), (3, 9), (4, 21)])
def test_given_kernels_are_undone_as_by_an_oracle(rng, scale, size):
    """With zero weights in the upsampling, SR is the first deconvolved image, and an oracle gives the same."""
    model = make(scale, kernel="given", lam="fixed", lam_start=(0.02, 0.3), x0="zero")
    model.upsampling.conv.kernel[...] *= 0
    lr, _ = images(rng)
    told = known(rng, size)
    margin = size // scale + 1
    for index in range(2):
        psf = np.asarray(told.kernel[index])
        oracle = FourierDeconv(
            1, kernel="oracle", psf=psf, scale=scale, lam=0.02, x0="zero", margin=margin, centre=(size - 1) // 2
        )
        np.testing.assert_allclose(model(lr, told)[index], oracle(lr[index : index + 1])[0], atol=2e-6)


@pytest.mark.parametrize("scale", [2, 3])
def test_the_kernel_that_a_degradation_drew_restores_best(rng, scale):
    """For noise-free LR of a smooth image, the drawn kernel restores better than the same kernel shifted by one pixel."""
    blur = GaussianBlur(size=13, sigma=(1.0, 1.6))
    stages = (blur, Subsample(), GaussianNoise(sigma=(0.0, 0.0)))
    config = Config(scale=scale, data=DataConfig(patch=24 * scale, degradation=stages))
    degradation = of_training(config)
    cutoff = 0.2 / scale  # [cycles per HR pixel]
    side = 24 * scale + 2 * degradation.margin
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * np.exp(-((np.fft.fftfreq(side)[:, None] / cutoff) ** 2))
    smooth = np.fft.irfft2(spectrum * np.exp(-((np.fft.rfftfreq(side)[None] / cutoff) ** 2)), (side, side))
    window = np.clip(0.5 + 0.15 * smooth / smooth.std(), 0, 1)[None, :, :, None].repeat(3, -1)
    batch = Batch(jnp.asarray(np.round(255 * window), jnp.uint8), jnp.zeros(1, jnp.int32), jnp.array([[1, 2]], jnp.uint32))
    lr, hr, drawn = degradation.degrade(batch)
    lr, hr = (np.asarray(x[..., :1], np.float32) / 255 for x in (lr, hr))
    told = degradation.known(drawn, examples=1)
    model = make(scale, kernel="given", lam="fixed", lam_start=(1e-3,))
    model.upsampling.conv.kernel[...] *= 0

    def error(shift: tuple[int, int]) -> float:
        sr = model(jnp.asarray(lr), told._replace(kernel=jnp.roll(told.kernel, shift, (1, 2))))
        return float(np.mean((np.asarray(sr) - hr)[:, 8:-8, 8:-8] ** 2))

    enlarged = imresize(jnp.asarray(lr), scale=scale, kernel="bicubic", antialias=True)
    assert error((0, 0)) < 0.5 * float(np.mean((np.asarray(enlarged) - hr)[:, 8:-8, 8:-8] ** 2))
    for shift in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        assert error((0, 0)) < 0.5 * error(shift)


def moments(kernel) -> tuple[float, float, float]:
    """Variances along y and x, and their covariance [pixels^2], of a kernel that sums to 1."""
    kernel = np.asarray(kernel, np.float64)
    positions = np.arange(len(kernel))
    along_y, along_x = kernel.sum(1), kernel.sum(0)
    y, x = positions - along_y @ positions, positions - along_x @ positions
    return float(along_y @ y**2), float(along_x @ x**2), float(y @ kernel @ x)


def test_starts_able_to_tell_widths_and_directions():
    """The first three numbers of the code change the width, the shape and the slant of the kernel, which stays Gaussian."""
    model = make(kernel_size=17)
    model.to_kernel.kernel[...] = jnp.round(model.to_kernel.kernel[...], 1)  # without the noise of size 0.01

    def kernel(code: list[float]) -> tuple[float, float, float]:
        logits = model.to_kernel(jnp.array([code]))
        return moments(jax.nn.softmax(logits).reshape(17, 17))

    variance = kernel([0, 0, 0, 0])[0]
    assert kernel([0, 0, 0, 0]) == pytest.approx((variance, variance, 0), abs=1e-5)
    assert kernel([0.5, 0, 0, 0]) == pytest.approx((variance / 1.5, variance / 1.5, 0), rel=0.05, abs=1e-5)
    assert kernel([-0.5, 0, 0, 0])[0] > 1.8 * variance
    y, x, slant = kernel([0, 0.5, 0, 0])
    assert y > 1.8 * variance > 2 * x
    assert slant == pytest.approx(0, abs=1e-5)
    y, x, slant = kernel([0, 0, 0.5, 0])
    assert y == pytest.approx(x)
    assert slant > 0.2 * variance


def test_reads_contrast_apart_from_the_rest(rng):
    """At first the code depends only on differences of pixels; without its last input it does not depend on contrast."""
    model = make()
    lr, _ = images(rng)
    code = model.reader(lr, None)
    np.testing.assert_allclose(model.reader(lr + 0.3, None), code, atol=1e-5)
    assert np.abs(model.reader(3 * lr, None) - code).max() > 1e-2
    model.reader.summary.kernel[-1] *= 0
    np.testing.assert_allclose(model.reader(3 * lr, None), model.reader(lr, None), atol=1e-3)


def test_starts_as_a_data_step_and_little_more(rng):
    model = make(lam_start=(0.3, 0.02), blocks=4)
    lr, _ = images(rng)
    _, log_lam = model.predict(lr)
    np.testing.assert_allclose(jnp.exp(log_lam), jnp.broadcast_to(jnp.array([0.3, 0.02]), (2, 2)), rtol=0.5)
    sr = model(lr)
    model.upsampling.conv.kernel[...] *= 0
    np.testing.assert_allclose(sr, model(lr), atol=0.01)


@pytest.mark.parametrize("log_lam", [-1e3, 1e3])
def test_no_step_of_training_makes_lambda_zero_or_infinite(rng, log_lam):
    model = make(lam="learned", lam_start=(0.1,))
    model.log_lam[...] = jnp.full(1, log_lam)
    lr, _ = images(rng)
    lam = jnp.exp(model.predict(lr)[1])
    assert (lam > 0).all()
    assert np.isfinite(lam).all()
    assert np.isfinite(model(lr)).all()


def test_literal_starts_as_interpolation(rng):
    model = make(mode="literal", kernel_size=17)
    model.upsampling.conv.kernel[...] *= 0
    model.to_kernel.kernel[...] *= 0
    lr, _ = images(rng)
    bilinear = jax.image.resize(lr, (2, 24, 26, 1), "bilinear")
    np.testing.assert_allclose(model(lr), bilinear, atol=1e-5)


@pytest.mark.parametrize("mode", ["regularised", "literal"])
def test_images_may_be_smaller_than_the_kernel(rng, mode):
    model = make(mode=mode, kernel_size=15)
    sr = model(jnp.asarray(rng.random((1, 3, 4, 1), dtype=np.float32)))
    assert sr.shape == (1, 6, 8, 1)
    assert np.isfinite(sr).all()


def test_images_of_a_batch_do_not_see_each_other(rng):
    model = make()
    lr, _ = images(rng)
    np.testing.assert_allclose(model(lr)[:1], model(lr[:1]), atol=1e-6)


def test_all_channels_share_the_kernel(rng):
    """One kernel deconvolves all channels, so equal channels stay equal."""
    model = make(channels=3)
    model.upsampling.conv.kernel[...] *= 0
    lr = jnp.broadcast_to(images(rng)[0], (2, 12, 13, 3))
    sr = model(lr)
    np.testing.assert_array_equal(sr[..., 0], sr[..., 1])
    np.testing.assert_array_equal(sr[..., 0], sr[..., 2])


def test_says_what_it_is():
    assert (DeconvSR.about.channels, DeconvSR.about.is_told) == (1, False)
    model = nnx.eval_shape(lambda: make(channels=3, kernel="given"))
    assert (model.about.channels, model.about.is_told) == (3, True)
    graph, params = nnx.split(model, nnx.Param)
    assert nnx.merge(graph, params).about == model.about


def test_kernels_are_padded_and_cropped_about_their_middle(rng):
    kernel = jnp.asarray(rng.random((2, 5, 5), dtype=np.float32))
    np.testing.assert_array_equal(with_size(kernel, 9)[:, 2:7, 2:7], kernel)
    assert float(jnp.sum(with_size(kernel, 9))) == pytest.approx(float(jnp.sum(kernel)))
    np.testing.assert_array_equal(with_size(kernel, 3), kernel[:, 1:4, 1:4])
    np.testing.assert_array_equal(with_size(kernel, 5), kernel)


def test_bfloat16(rng):
    model = make()
    lr, hr = images(rng)
    graph, params = nnx.split(model, nnx.Param)
    model = nnx.merge(graph, jax.tree.map(lambda p: p.astype(jnp.bfloat16), params))
    sr = model(lr.astype(jnp.bfloat16))
    assert sr.dtype == jnp.bfloat16
    np.testing.assert_allclose(sr.astype(jnp.float32), make()(lr), atol=0.05)
    assert model.objective(lr.astype(jnp.bfloat16), hr, None, loss=l1).dtype == jnp.float32


def test_a_kernel_that_is_not_known_is_asked_for(rng):
    lr, hr = images(rng)
    with pytest.raises(
        InputError, match="kernel='given' needs the true kernel and the noise of each image, which are not known"
    ):
        make(kernel="given").objective(lr, hr, None, loss=l1)
    with pytest.raises(
        InputError, match=r"kernel_loss=0\.1 compares with the true kernel of each image, which is not known; use 0"
    ):
        make(kernel_loss=0.1).objective(lr, hr, None, loss=l1)
    with pytest.raises(InputError, match="scale=5: DeconvSR knows the scales 2, 3, 4"):
        make(5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "given", "mode": "literal"}, "use mode='regularised'"),
        ({"kernel": "static", "kernel_loss": 0.1}, "kernel_loss=0.1 trains a predicted blur"),
        ({"mode": "literal", "kernel_loss": 0.1}, "kernel_loss=0.1 trains a predicted blur"),
        ({"end_to_end": False}, "give kernel_loss a weight"),
        ({"kernel_size": 8}, "use 7 or 9"),
        ({"lam_start": ()}, "lam_start"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(InputError, match=message):
        DeconvSRConfig(**options)
