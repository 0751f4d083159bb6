import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.evaluation import tiles as upscale
from sr_jax.evaluation.tiles import Upscaler, cover, plan_tiles
from sr_jax.models import FSRCNN
from sr_jax.training.monitor import CompileClock

SHAPES = [(70, 81), (64, 64), (97, 66), (64, 64), (120, 75), (33, 90)]


@pytest.fixture(scope="module")
def network():
    graph, variables = nnx.split(FSRCNN(scale=2, d=8, s=4, m=1, rngs=nnx.Rngs(0)), nnx.Param)
    leaves, structure = jax.tree.flatten(nnx.to_pure_dict(variables))
    keys = jax.random.split(jax.random.key(0), len(leaves))
    params = [p + 0.1 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return lambda p, lr: nnx.merge(graph, p)(lr), jax.tree.unflatten(structure, params)


def pictures(rng, shapes=SHAPES):
    return [rng.random((*shape, 1), dtype=np.float32) for shape in shapes]


def compiled_programs(upscaler):
    return upscaler._run._cache_size()


def test_tiles_equal_the_whole_image_with_one_program(network, rng):
    """On four devices, whatever the shapes; every image once."""
    model, params = network
    images = pictures(rng)
    upscaler = Upscaler(model, scale=2)
    results = list(upscaler(params, images))
    assert sorted(i for i, _ in results) == list(range(len(images)))
    assert compiled_programs(upscaler) == 1
    for i, sr in results:
        whole = np.asarray(jax.jit(model)(params, images[i][None])[0])
        np.testing.assert_allclose(sr, whole, atol=2e-6 * np.abs(whole).max())


def test_the_radius_is_measured(network, rng):
    """FSRCNN with one mapping layer: 5x5 sees 2, 3x3 sees 1, the deconvolution 9x9 of stride 2 sees 2 pixels."""
    model, params = network
    upscaler = Upscaler(model, scale=2)
    list(upscaler(params, pictures(rng)))
    assert upscaler._radius == 5


def test_a_radius_too_small_would_be_seen(network, rng, monkeypatch):
    """The comparison with the whole image can fail: tiles that overlap by less differ."""
    model, params = network
    images = pictures(rng)
    monkeypatch.setattr(Upscaler, "_measure_radius", lambda *_, **__: 2)
    results = dict(Upscaler(model, scale=2)(params, images))
    whole = np.asarray(jax.jit(model)(params, images[0][None])[0])
    assert np.abs(results[0] - whole).max() > 1e-3


@pytest.mark.parametrize("kind", ["mean over the image", "Fourier"])
def test_networks_that_see_the_whole_image_run_whole(rng, kind):
    def model(params, lr):
        up = jnp.repeat(jnp.repeat(lr, 2, 1), 2, 2) * params
        if kind == "Fourier":
            return jnp.fft.irfft2(jnp.fft.rfft2(up, axes=(1, 2)), s=up.shape[1:3], axes=(1, 2))
        return up + lr.mean((1, 2), keepdims=True)

    images = pictures(rng)
    upscaler = Upscaler(model, scale=2)
    results = dict(upscaler(jnp.float32(1), images))
    assert upscaler._radius is None
    for i, image in enumerate(images):
        whole = np.asarray(jax.jit(model)(jnp.float32(1), image[None])[0])
        np.testing.assert_allclose(results[i], whole, atol=1e-6)


@pytest.mark.parametrize("kind", ["stride", "windows", "position", "circular"])
def test_networks_that_do_not_treat_all_pixels_alike_run_whole(rng, kind):
    """They have a small radius at most places; only moved content finds them out."""

    def model(params, lr):
        up = jnp.repeat(jnp.repeat(lr, 2, 1), 2, 2) * params
        if kind == "stride":
            coarse = lr[:, ::2, ::2]
            return up + jnp.repeat(jnp.repeat(coarse, 4, 1), 4, 2)[:, : up.shape[1], : up.shape[2]]
        if kind == "windows":
            b, h, w, c = lr.shape
            padded = jnp.pad(lr, ((0, 0), (0, -h % 4), (0, -w % 4), (0, 0)))
            means = padded.reshape(b, padded.shape[1] // 4, 4, padded.shape[2] // 4, 4, c).mean((2, 4))
            return up + jnp.repeat(jnp.repeat(means, 8, 1), 8, 2)[:, : 2 * h, : 2 * w]
        if kind == "position":
            return up * jnp.arange(up.shape[1])[None, :, None, None]
        return up + jnp.roll(up, 8, 1)

    images = pictures(rng)
    upscaler = Upscaler(model, scale=2)
    results = dict(upscaler(jnp.float32(1), images))
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], np.asarray(jax.jit(model)(jnp.float32(1), image[None])[0]), atol=1e-5)


def test_a_network_that_swallows_nan(rng):
    """A comparison with NaN is false, so that NaN alone would show no dependence."""

    def model(params, lr):
        above = jnp.pad(lr, ((0, 0), (9, 0), (0, 0), (0, 0)))[:, : lr.shape[1]]
        lr = jnp.where(above > 0.5, 1, lr) * params
        return jnp.repeat(jnp.repeat(lr, 2, 1), 2, 2)

    images = pictures(rng)
    upscaler = Upscaler(model, scale=2)
    results = dict(upscaler(jnp.float32(1), images))
    assert upscaler._radius == 9
    for i, image in enumerate(images):
        np.testing.assert_array_equal(results[i], np.asarray(jax.jit(model)(jnp.float32(1), image[None])[0]))


def test_weights_that_are_zero_when_it_is_measured_count(rng):
    """A network is measured at its start, when some weights may be zero, and used when it is trained."""

    def model(params, lr):
        above = jnp.pad(lr, ((0, 0), (9, 0), (0, 0), (0, 0)))[:, : lr.shape[1]]
        return jnp.repeat(jnp.repeat(lr + params * above, 2, 1), 2, 2)

    images = pictures(rng)
    upscaler = Upscaler(model, scale=2)
    list(upscaler(jnp.float32(0), images))
    results = dict(upscaler(jnp.float32(1), images))
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], np.asarray(jax.jit(model)(jnp.float32(1), image[None])[0]), atol=1e-6)


def test_images_of_one_shape_run_whole_and_together(network, rng):
    """Seven of one shape on four devices: two calls of one program; no tiles needed."""
    model, params = network
    images = pictures(rng, [(40, 50)] * 7)
    upscaler = Upscaler(model, scale=2)
    results = list(upscaler(params, images))
    assert [i for i, _ in results] == list(range(7))
    assert upscaler._radius == "unknown"
    np.testing.assert_allclose(results[6][1], np.asarray(jax.jit(model)(params, images[6][None])[0]), atol=1e-5)


def test_new_parameters_compile_nothing(network, rng):
    model, params = network
    images = pictures(rng)
    upscaler = Upscaler(model, scale=2)
    first = dict(upscaler(params, images))
    second = dict(upscaler(jax.tree.map(lambda p: 2 * p, params), images))
    assert compiled_programs(upscaler) == 1
    assert np.abs(first[0] - second[0]).max() > 1e-3


def test_no_images(network):
    assert list(Upscaler(network[0], scale=2)(network[1], [])) == []


@pytest.mark.parametrize("shape", [(32, 32), (33, 95), (100, 64), (257, 40)])
@pytest.mark.parametrize(("side", "radius"), [(32, 0), (32, 5), (32, 15)])
def test_tiles_cover_every_pixel_once_and_away_from_inner_edges(shape, side, radius):
    count = np.zeros(shape, int)
    for rows, columns in cover(shape, side=side, radius=radius):
        count[rows.first : rows.stop, columns.first : columns.stop] += 1
        for span, size in ((rows, shape[0]), (columns, shape[1])):
            assert 0 <= span.start <= span.start + side <= size
            assert span.start == 0 or span.first - span.start >= radius
            assert span.start + side == size or span.start + side - span.stop >= radius
    assert (count == 1).all()


def test_tiles_are_chosen_by_their_cost():
    many = [(100 + i, 120 + i) for i in range(10)]
    side, tiled = plan_tiles(many, radius=8)
    assert side in upscale.SIDES
    assert tiled == set(many)
    assert plan_tiles([(240, 160)] * 100, radius=37) == (0, set())  # one program either way, and tiles overlap much
    assert plan_tiles([(20, 20), (21, 21)], radius=8) == (0, set())  # smaller than any tile
    side, tiled = plan_tiles([*many, (20, 400)], radius=8)
    assert tiled == set(many)


def test_each_image_is_told_what_is_known_of_it(rng):
    """Tiled or whole, in whatever batch."""
    images = [rng.random((side, side, 1), dtype=np.float32) for side in (20, 40, 40, 70)]
    known = [np.float32(value) for value in (1, 2, 3, 4)]

    def model(params, lr, known):
        return params * jnp.repeat(jnp.repeat(lr, 2, 1), 2, 2) * known[:, None, None, None]

    for which in (range(4), 30 * [1, 2]):  # the latter pay for a program of tiles
        results = dict(Upscaler(model, scale=2)(jnp.float32(1), [images[i] for i in which], known=[known[i] for i in which]))
        for place, i in enumerate(which):
            np.testing.assert_allclose(results[place], known[i] * images[i].repeat(2, 0).repeat(2, 1), rtol=1e-6)


def test_a_radius_beyond_the_first_tile_is_found_in_a_larger_one(rng):
    """As of a deep network, on images for which the first tile is small."""
    reach = 40
    kernel = jnp.asarray(rng.random((2 * reach + 1, 1, 1, 1), dtype=np.float32))

    def model(params, lr):
        options = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
        deep = jax.lax.conv_general_dilated(lr, params * kernel, (1, 1), ((reach, reach), (0, 0)), **options)
        return jnp.repeat(jnp.repeat(deep, 2, 1), 2, 2)

    images = [rng.random((170 + i, 170 + i, 1), dtype=np.float32) for i in range(12)]
    upscaler = Upscaler(model, scale=2)
    with CompileClock() as clock:
        results = dict(upscaler(jnp.float32(1), images))
    assert clock.programs < len(images)
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], model(jnp.float32(1), image[None])[0], rtol=1e-5, atol=1e-4)
