"""Most networks here are written for JAX and NumPy alike: NumPy's result on the whole image is what the tiles are held to."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.evaluation import tiles
from sr_jax.evaluation.tiles import TiledNetwork, cover, plan_tiles
from sr_jax.models import FSRCNN
from sr_jax.models.about import About
from sr_jax.system.compilation import CompileClock

pytestmark = pytest.mark.exact

ABOUT = About(name="Net", channels=1, scales=(2,))
SHAPES = [(70, 81), (64, 64), (97, 66), (64, 64), (120, 75), (33, 90)]


@pytest.fixture(scope="module")
def fsrcnn():
    """A small FSRCNN with random parameters: (params, LR) -> SR, jitted, and params."""
    abstract = nnx.eval_shape(lambda: FSRCNN(scale=2, d=8, s=4, m=1, rngs=nnx.Rngs(0)))  # initialising it would take seconds
    graph, variables = nnx.split(abstract, nnx.Param)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda p: rng.normal(scale=0.2, size=p.shape).astype(np.float32), nnx.to_pure_dict(variables))
    return jax.jit(lambda p, lr: nnx.merge(graph, p)(lr)), params


def tiled(apply):
    return TiledNetwork(apply, ABOUT, scale=2)


def pictures(rng, shapes=SHAPES):
    return [rng.random((*shape, 1), dtype=np.float32) for shape in shapes]


def compiled_programs(network):
    return network._run._cache_size()


def doubled(x, xp=jnp):
    return xp.repeat(xp.repeat(x, 2, 1), 2, 2)


def above(lr, xp, *, rows):
    """Each pixel's neighbour so many rows up, 0 beyond the border."""
    return xp.pad(lr, ((0, 0), (rows, 0), (0, 0), (0, 0)))[:, : lr.shape[1]]


def test_tiles_equal_the_whole_image_with_one_program(fsrcnn, rng):
    """On four devices, whatever the shapes; every image once. New parameters compile nothing.

    The radius of FSRCNN with one mapping layer: 5x5 sees 2, 3x3 sees 1, the deconvolution 9x9 of stride 2 sees 2 pixels.
    """
    apply, params = fsrcnn
    images = pictures(rng)
    network = tiled(apply)
    for scaled in (params, jax.tree.map(lambda p: 2 * p, params)):
        results = list(network(scaled, images))
        assert network._radius == 5
        assert compiled_programs(network) == 1
        assert sorted(i for i, _ in results) == list(range(len(images)))
        for i, sr in results:
            whole = np.asarray(apply(scaled, images[i][None])[0])
            np.testing.assert_allclose(sr, whole, atol=2e-6 * np.abs(whole).max())


def test_a_radius_too_small_would_be_seen(fsrcnn, rng, monkeypatch):
    """The comparison with the whole image can fail: tiles that overlap by less differ."""
    apply, params = fsrcnn
    images = pictures(rng)
    monkeypatch.setattr(TiledNetwork, "_measure_radius", lambda *_, **__: 2)
    results = dict(tiled(apply)(params, images))
    whole = np.asarray(apply(params, images[0][None])[0])
    assert np.abs(results[0] - whole).max() > 1e-3


@pytest.mark.parametrize("kind", ["mean over the image", "Fourier"])
def test_networks_that_see_the_whole_image_run_whole(rng, kind):
    def apply(params, lr, xp=jnp):
        up = doubled(lr, xp) * params
        if kind == "Fourier":
            return xp.fft.irfft2(xp.fft.rfft2(up, axes=(1, 2)), s=up.shape[1:3], axes=(1, 2))
        return up + lr.mean((1, 2), keepdims=True)

    images = pictures(rng)
    network = tiled(apply)
    results = dict(network(jnp.float32(1), images))
    assert network._radius == math.inf
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], apply(1, image[None], np)[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["stride", "windows", "position", "circular"])
def test_networks_that_do_not_treat_all_pixels_alike_run_whole(rng, kind):
    """They have a small radius at most places; only moved content finds them out."""

    def apply(params, lr, xp=jnp):
        up = doubled(lr, xp) * params
        if kind == "stride":
            return up + doubled(doubled(lr[:, ::2, ::2], xp), xp)[:, : up.shape[1], : up.shape[2]]
        if kind == "windows":
            b, h, w, c = lr.shape
            padded = xp.pad(lr, ((0, 0), (0, -h % 4), (0, -w % 4), (0, 0)))
            means = padded.reshape(b, padded.shape[1] // 4, 4, padded.shape[2] // 4, 4, c).mean((2, 4))
            return up + xp.repeat(xp.repeat(means, 8, 1), 8, 2)[:, : 2 * h, : 2 * w]
        if kind == "position":
            return up * xp.arange(up.shape[1])[None, :, None, None]
        return up + xp.roll(up, 8, 1)

    images = pictures(rng)
    network = tiled(apply)
    results = dict(network(jnp.float32(1), images))
    assert network._radius == math.inf
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], apply(1, image[None], np)[0], atol=1e-5)


def test_a_network_that_swallows_nan(rng):
    """A comparison with NaN is false, so NaN alone would show no dependence."""

    def apply(params, lr, xp=jnp):
        return doubled(xp.where(above(lr, xp, rows=9) > 0.5, 1, lr) * params, xp)

    images = pictures(rng)
    network = tiled(apply)
    results = dict(network(jnp.float32(1), images))
    assert network._radius == 9
    for i, image in enumerate(images):
        np.testing.assert_array_equal(results[i], apply(1, image[None], np)[0])


def test_weights_that_are_zero_when_it_is_measured_count(rng):
    """A network is measured at its start, when some weights may be zero, and used when it is trained."""

    def apply(params, lr, xp=jnp):
        return doubled(lr + params * above(lr, xp, rows=9), xp)

    images = pictures(rng)
    network = tiled(apply)
    list(network(jnp.float32(0), images))
    results = dict(network(jnp.float32(1), images))
    assert network._radius == 9
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], apply(1, image[None], np)[0], atol=1e-6)


def test_images_of_one_shape_run_whole_and_together(rng):
    """Seven of one shape on four devices: two calls of one program; no tiles needed."""

    def apply(params, lr, xp=jnp):
        return doubled(lr + params * above(lr, xp, rows=3), xp)

    images = pictures(rng, [(40, 50)] * 7)
    network = tiled(apply)
    results = list(network(jnp.float32(1), images))
    assert [i for i, _ in results] == list(range(7))
    assert network._radius is None
    assert compiled_programs(network) == 1
    for i, sr in results:
        np.testing.assert_allclose(sr, apply(1, images[i][None], np)[0], atol=1e-5)


def test_no_images(fsrcnn):
    assert list(tiled(fsrcnn[0])(fsrcnn[1], [])) == []


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
    side, shapes = plan_tiles(many, radius=8)
    assert side in tiles.SIDES
    assert shapes == set(many)
    assert plan_tiles([(240, 160)] * 100, radius=37) == (0, set())  # one program either way, and tiles overlap much
    assert plan_tiles([(20, 20), (21, 21)], radius=8) == (0, set())  # smaller than any tile
    assert plan_tiles(many, radius=math.inf) == (0, set())
    side, shapes = plan_tiles([*many, (20, 400)], radius=8)
    assert shapes == set(many)


def test_each_image_is_told_what_is_known_of_it(rng):
    """Tiled or whole, in whatever batch."""
    images = [rng.random((side, side, 1), dtype=np.float32) for side in (20, 40, 40, 70)]
    known = [np.float32(value) for value in (1, 2, 3, 4)]

    def apply(params, lr, known):
        return params * doubled(lr) * known[:, None, None, None]

    for which in (range(4), 30 * [1, 2]):  # the latter pay for a program of tiles
        results = dict(tiled(apply)(jnp.float32(1), [images[i] for i in which], known=[known[i] for i in which]))
        for place, i in enumerate(which):
            np.testing.assert_allclose(results[place], known[i] * images[i].repeat(2, 0).repeat(2, 1), rtol=1e-6)


def test_a_radius_beyond_the_first_tile_is_found_in_a_larger_one(rng):
    """As of a deep network, on images for which the first tile is small."""

    def apply(params, lr, xp=jnp):
        return doubled(lr + params * above(lr, xp, rows=40), xp)

    images = [rng.random((170 + i, 170 + i, 1), dtype=np.float32) for i in range(12)]
    network = tiled(apply)
    with CompileClock() as clock:
        results = dict(network(jnp.float32(1), images))
    assert network._radius == 40
    assert clock.programs < len(images)
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], apply(1, image[None], np)[0], rtol=1e-5)
