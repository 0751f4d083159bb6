import functools
import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.transform import downscale_local_mean

from sr_jax.ops import resize
from tests.ops.matlab import DEFINITIONS, definition

pytestmark = pytest.mark.exact

SCALES = (2, 3, 4)
RATIONAL = ("bicubic", "bilinear", "box")


@pytest.mark.parametrize("scale", SCALES)
def test_lr_files_of_matlab_are_reproduced_byte_for_byte(research_images, scale):
    files = sorted((research_images / f"Set5/LRbicx{scale}").glob("*.png"))
    assert len(files) == 5
    for file in files:
        hr = np.array(Image.open(research_images / "Set5/HR" / file.name.replace(f"x{scale}", "")))
        h, w = (n - n % scale for n in hr.shape[:2])
        expected = np.array(Image.open(file))
        lr = jax.jit(resize.bicubic_downsample, static_argnums=1)(hr[:h, :w], scale)
        np.testing.assert_array_equal(lr, expected, err_msg=file.name)
        host = resize.imresize_host(hr[:h, :w], scale=1 / scale, kernel="bicubic", antialias=True)
        np.testing.assert_array_equal(host, expected, err_msg=file.name)


@pytest.mark.parametrize("scale", [*SCALES, 5, 8])
def test_float_agrees_with_the_definition(rng, scale):
    x = rng.random((6 * scale, 5 * scale, 2))
    options = {"kernel": "bicubic", "antialias": True}
    with jax.enable_x64(True):
        down = jax.jit(resize.bicubic_downsample, static_argnums=1)(x, scale)
        up = jax.jit(resize.bicubic_upsample, static_argnums=1)(x[:6, :5], scale)
    np.testing.assert_allclose(down, definition(x, scales=[1 / scale] * 2, **options).astype(float), atol=1e-12)
    np.testing.assert_allclose(up, definition(x[:6, :5], scales=[scale] * 2, **options).astype(float), atol=1e-12)


FACTORS = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6), Fraction(2), Fraction(3), Fraction(6)]


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("kernel", RATIONAL)
@pytest.mark.parametrize("factor", FACTORS, ids=str)
def test_integers_at_integer_factors_are_exact(rng, factor, kernel, antialias):
    """Ties are exact too, on the host and on a device, and where the size is not a multiple of the factor."""
    x = rng.integers(0, 256, (44, 39, 1) if factor < 1 else (14, 13, 1), dtype=np.uint8)
    expected = definition(x, scales=[factor] * 2, kernel=kernel, antialias=antialias, peak=255)
    options = {"scale": float(factor), "kernel": kernel, "antialias": antialias}
    host, device = resize.imresize_host(x, **options), resize.imresize(jnp.asarray(x), **options)
    assert host.dtype == device.dtype == np.uint8
    np.testing.assert_array_equal(host, expected)
    np.testing.assert_array_equal(device, expected)


def test_ties_are_rounded_up():
    """The mean of 0 and 1 is rounded to 1 after the first pass, and again after the second. One rounding would give 0."""
    x = np.array([[0, 0], [1, 0]], np.uint8)[..., None]
    assert resize.imresize_host(x, scale=0.5, kernel="box", antialias=True).item() == 1
    assert resize.imresize(jnp.asarray(x), scale=0.5, kernel="box", antialias=True).item() == 1


@pytest.mark.parametrize(("factor", "error"), [(Fraction(1, 2), 0), (Fraction(2), 0), (Fraction(1, 8), 1)], ids=str)
def test_uint16(rng, factor, error):
    """Where 32-bit integers are too short, float32 on a device may miss a level; float64 on the host does not."""
    x = rng.integers(0, 2**16, (24, 16, 1), dtype=np.uint16)
    options = {"kernel": "bicubic", "antialias": True}
    expected = definition(x, scales=[factor] * 2, peak=65535, **options).astype(int)
    np.testing.assert_array_equal(resize.imresize_host(x, scale=float(factor), **options), expected)
    device = resize.imresize(jnp.asarray(x), scale=float(factor), **options)
    assert device.dtype == jnp.uint16
    assert np.abs(np.asarray(device).astype(int) - expected).max() <= error


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("kernel", DEFINITIONS)
@pytest.mark.parametrize("scales", [(0.3, 0.7), (0.5, 1.9), (2, 0.23), (1 / 3, 3)], ids=str)
def test_host_agrees_with_the_definition(rng, scales, kernel, antialias):
    x = rng.random((13, 11, 1))
    ours = resize.imresize_host(x, scale=scales, kernel=kernel, antialias=antialias)
    expected = definition(x, scales=scales, kernel=kernel, antialias=antialias).astype(float)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", DEFINITIONS)
@pytest.mark.parametrize("antialias", [True, False])
def test_device_agrees_with_host(rng, kernel, antialias):
    x = rng.random((2, 13, 12, 3))
    options = {"shape": (7, 17), "kernel": kernel, "antialias": antialias}
    host = resize.imresize_host(x, **options)
    assert host.shape == (2, 7, 17, 3)
    with jax.enable_x64(True):
        np.testing.assert_allclose(resize.imresize(jnp.asarray(x), **options), host, atol=1e-14)
    single = resize.imresize(jnp.asarray(x), **options)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, host, atol=1e-6)
    half = resize.imresize(jnp.asarray(x, jnp.bfloat16), **options)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), host, atol=2e-2)


@pytest.mark.parametrize("kernel", DEFINITIONS)
def test_integers_at_other_factors(rng, kernel):
    """The result of each pass in float64 is rounded."""
    x = rng.integers(0, 256, (12, 15, 1), dtype=np.uint8)
    options = {"kernel": kernel, "antialias": True}
    expected = definition(x, scales=(0.7, 1.7), peak=255, **options)
    np.testing.assert_array_equal(resize.imresize_host(x, scale=(0.7, 1.7), **options), expected)


@pytest.mark.parametrize("scale", [(0.7, 1), (1, 1.7)], ids=str)
@pytest.mark.parametrize("kernel", DEFINITIONS)
def test_integers_at_other_factors_on_a_device(rng, kernel, scale):
    """A sum within the rounding error of a tie may be rounded either way; nothing else differs."""
    x = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    options = {"scale": scale, "kernel": kernel, "antialias": True}
    host = resize.imresize_host(x, **options).astype(int)
    difference = np.abs(np.asarray(resize.imresize(jnp.asarray(x), **options)) - host)
    unrounded = resize.imresize_host(x.astype(np.float64), **options)
    tie = np.abs(unrounded - np.floor(unrounded) - 0.5) < 1e-4
    assert tie.mean() < 0.5  # ties are common where few pixels have simple weights
    assert difference[~tie].max() == 0
    assert difference.max() <= 1


def test_the_dimension_of_the_smaller_scale_comes_first(rng):
    x = rng.integers(0, 256, (32, 32, 1), dtype=np.uint8)
    options = {"kernel": "bicubic", "antialias": True}
    both = resize.imresize_host(x, scale=(0.5, 0.25), **options)
    passes = [functools.partial(resize.imresize_host, scale=s, **options) for s in ((1, 0.25), (0.5, 1))]
    np.testing.assert_array_equal(both, passes[1](passes[0](x)))
    assert (both != passes[0](passes[1](x))).any()
    equal = resize.imresize_host(x, scale=0.5, **options)
    passes = [functools.partial(resize.imresize_host, scale=s, **options) for s in ((0.5, 1), (1, 0.5))]
    np.testing.assert_array_equal(equal, passes[1](passes[0](x)))
    assert (equal != passes[0](passes[1](x))).any()


def test_size_is_rounded_up():
    """11 * 0.3 = 3.3 and 10 * 0.31 = 3.1 become 4. The scale stays as given; the ratio of the sizes does not replace it."""
    x = np.arange(110.0).reshape(11, 10, 1)
    options = {"kernel": "bilinear", "antialias": True}
    by_scale = resize.imresize_host(x, scale=(0.3, 0.31), **options)
    by_shape = resize.imresize_host(x, shape=(4, 4), **options)
    assert by_scale.shape == by_shape.shape == (4, 4, 1)
    assert np.abs(by_scale - by_shape).max() > 1


@pytest.mark.parametrize("scale", SCALES)
def test_bicubic_is_that_of_training(rng, scale):
    x = rng.integers(0, 256, (12 * scale, 8 * scale, 3), dtype=np.uint8)
    options = {"kernel": "bicubic", "antialias": True}
    expected = jax.jit(resize.bicubic_downsample, static_argnums=1)(x, scale)
    for shape in ({"scale": 1 / scale}, {"shape": (12, 8)}):
        np.testing.assert_array_equal(resize.imresize(jnp.asarray(x), **shape, **options), expected)
        np.testing.assert_array_equal(resize.imresize_host(x, **shape, **options), expected)
    expected = jax.jit(resize.bicubic_upsample, static_argnums=1)(x, scale)
    np.testing.assert_array_equal(resize.imresize(jnp.asarray(x), scale=scale, **options), expected)
    np.testing.assert_array_equal(resize.imresize_host(x, scale=scale, **options), expected)


PILLOW = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
    "lanczos3": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("kernel", PILLOW)
@pytest.mark.parametrize("shape", [(20, 17), (47, 51), (90, 120)], ids=str)
def test_interior_agrees_with_pillow(rng, kernel, shape):
    """Pillow has the same kernels and centres, but it ignores what lies beyond the border, where MATLAB mirrors."""
    x = rng.random((60, 55)).astype(np.float32)
    pillow = np.array(Image.fromarray(x).resize(shape[::-1], PILLOW[kernel]))
    ours = resize.imresize_host(x[..., None], shape=shape, kernel=kernel, antialias=True)[..., 0]
    border = [math.ceil(3 * max(1, out / n)) for out, n in zip(shape, x.shape, strict=True)]
    inside = tuple(slice(b, -b) for b in border)
    np.testing.assert_allclose(ours[inside], pillow[inside], atol=2e-6)
    if kernel.startswith(("bicubic", "lanczos")):
        assert np.abs(ours - pillow).max() > 1e-3


@pytest.mark.parametrize("shape", [(5, 9), (19, 31)], ids=str)
def test_bilinear_without_antialiasing_agrees_with_scipy(rng, shape):
    """The borders agree too: SciPy's "reflect" repeats the border pixel."""
    x = rng.random((12, 14))
    factors = [out / n for out, n in zip(shape, x.shape, strict=True)]
    expected = ndimage.zoom(x, factors, order=1, mode="reflect", grid_mode=True)
    ours = resize.imresize_host(x[..., None], shape=shape, kernel="bilinear", antialias=False)[..., 0]
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_box_is_the_mean_of_cells(rng):
    x = rng.random((12, 20, 3))
    ours = resize.imresize_host(x, scale=(1 / 3, 1 / 4), kernel="box", antialias=True)
    np.testing.assert_allclose(ours, downscale_local_mean(x, (3, 4, 1)), atol=1e-14)


@pytest.mark.parametrize("kernel", DEFINITIONS)
def test_identity_constants_and_flips(rng, kernel):
    x = rng.random((9, 8, 2))
    options = {"kernel": kernel, "antialias": True}
    np.testing.assert_array_equal(resize.imresize_host(x, scale=1, **options), x)
    np.testing.assert_array_equal(resize.imresize_host(x, shape=(9, 8), **options), x)
    for scale in (0.37, 0.5, 1.3, 2):
        np.testing.assert_allclose(resize.imresize_host(np.full((9, 8, 1), 0.7), scale=scale, **options), 0.7, atol=1e-15)
        level = np.full((9, 8, 1), 255, np.uint8)
        assert (resize.imresize_host(level, scale=scale, **options) == 255).all()
    shape = (3, 16) if kernel == "box" else (4, 15)  # a box is open to one side, which shows at some factors
    flipped = resize.imresize_host(x[::-1, ::-1], shape=shape, **options)
    np.testing.assert_allclose(flipped[::-1, ::-1], resize.imresize_host(x, shape=shape, **options), atol=1e-12)


def test_tiny_images_are_mirrored_many_times(rng):
    x = rng.random((1, 2, 1))
    for scale, kernel in itertools.product((0.25, 0.3, 3), DEFINITIONS):
        ours = resize.imresize_host(x, scale=scale, kernel=kernel, antialias=True)
        expected = definition(x, scales=[scale] * 2, kernel=kernel, antialias=True).astype(float)
        np.testing.assert_allclose(ours, expected, atol=1e-12)
    down = resize.imresize(jnp.asarray(x), scale=0.25, kernel="bicubic", antialias=True)
    np.testing.assert_allclose(
        down, definition(x, scales=[0.25] * 2, kernel="bicubic", antialias=True).astype(float), atol=1e-6
    )


@pytest.mark.parametrize(("kernel", "shape"), [("bicubic", (5, 20)), ("lanczos3", (7, 13))])
def test_gradient_is_the_adjoint(rng, kernel, shape):
    """<A x, r> = <x, A^T r>. The host resizes unit pixels, which gives the dense matrix A."""
    f = functools.partial(resize.imresize, shape=shape, kernel=kernel, antialias=True)
    units = np.eye(10 * 10).reshape(100, 10, 10, 1)
    dense = resize.imresize_host(units, shape=shape, kernel=kernel, antialias=True).reshape(100, -1)
    r = rng.random((*shape, 1))
    with jax.enable_x64(True):
        gradient = jax.grad(lambda x: jnp.sum(f(x) * r))(jnp.asarray(rng.random((10, 10, 1))))
    np.testing.assert_allclose(gradient.ravel(), dense @ r.ravel(), atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "scale=None and shape=None: give exactly one of them"),
        ({"scale": 2, "shape": (4, 4)}, r"scale=2 and shape=\(4, 4\): give exactly one of them"),
        ({"scale": 0}, "scale=0 must be a positive number, or a pair of them"),
        ({"scale": (1, -0.5)}, r"scale=\(1, -0.5\) must be a positive number"),
        ({"scale": (1.0, 1.0, 1.0)}, "must be a positive number, or a pair"),
        ({"scale": math.nan}, "scale=nan must be a positive number"),
        ({"scale": math.inf}, "scale=inf must be a positive number"),
        ({"shape": (4, 0)}, r"shape=\(4, 0\) must be two positive integers"),
        ({"shape": (4,)}, r"shape=\(4,\) must be two positive integers"),
        ({"scale": 2, "kernel": "bicubc"}, "kernel='bicubc' is not one of bicubic, bilinear, .*; did you mean 'bicubic'?"),
        ({"scale": 2, "x": np.zeros((0, 4, 1))}, r"image of shape \(0, 4, 1\) cannot be resized: it must have pixels"),
        (
            {"scale": 2, "x": np.zeros((4, 4, 1), np.int32)},
            "a int32 image cannot be resized: it must be uint8, uint16 or float",
        ),
    ],
    ids=str,
)
def test_bad_input(options, message):
    options = {"x": np.zeros((4, 4, 1), np.float32), "kernel": "bicubic", "antialias": True} | options
    with pytest.raises(ValueError, match=message):
        resize.imresize_host(**options)
    with pytest.raises(ValueError, match=message):
        resize.imresize(**options | {"x": jnp.asarray(options["x"])})


def test_size_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match="11x12 image cannot be reduced by 2"):
        resize.bicubic_downsample(jnp.zeros((11, 12, 1)), 2)


def test_integer_overflow_is_refused():
    with pytest.raises(ValueError, match="convert it to float"):
        resize.bicubic_downsample(jnp.zeros((16, 16, 1), jnp.uint16), 8)


def test_a_float_image_is_reduced_by_a_large_factor_on_a_device():
    """The sum of the integer weights does not fit into 32 bits there, which shows when the program is traced."""
    f = functools.partial(resize.imresize, scale=(1 / 128, 1), kernel="bicubic", antialias=True)
    assert jax.eval_shape(f, jax.ShapeDtypeStruct((128, 1, 1), jnp.float32)).shape == (1, 1, 1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 1), (7, 1, 3), (2, 1, 4)], ids=str)
@pytest.mark.parametrize("factor", [Fraction(1, 8), Fraction(1, 3), Fraction(4), Fraction(5)], ids=str)
@pytest.mark.parametrize("kernel", RATIONAL)
def test_thin_images_of_extreme_values(rng, kernel, factor, shape):
    x = (rng.integers(0, 2, shape) * 65535).astype(np.uint16)
    expected = definition(x, scales=[factor] * 2, kernel=kernel, antialias=True, peak=65535)
    np.testing.assert_array_equal(resize.imresize_host(x, scale=float(factor), kernel=kernel, antialias=True), expected)


def test_a_long_line(rng):
    """Pillow mirrors nothing, so the borders are left out."""
    x = rng.random((1, 100_000), dtype=np.float32)
    pillow = np.array(Image.fromarray(x).resize((31_234, 1), Image.Resampling.BICUBIC))
    ours = resize.imresize_host(x[..., None], shape=(1, 31_234), kernel="bicubic", antialias=True)[..., 0]
    np.testing.assert_allclose(ours[:, 3:-3], pillow[:, 3:-3], atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", PILLOW)
@pytest.mark.parametrize("shape", [(1500, 2000), (1111, 2345)], ids=str)
def test_a_large_image(rng, kernel, shape):
    x = rng.random((3000, 4000), dtype=np.float32)
    pillow = np.array(Image.fromarray(x).resize(shape[::-1], PILLOW[kernel]))
    ours = resize.imresize_host(x[..., None], shape=shape, kernel=kernel, antialias=True)[..., 0]
    np.testing.assert_allclose(ours[3:-3, 3:-3], pillow[3:-3, 3:-3], atol=2e-6)
