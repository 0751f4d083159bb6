"""What the measurement of a network must not be fooled by, and what happens to a network that breaks its word."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.evaluation.tiles import TiledNetwork
from sr_jax.models import Known
from tests.evaluation.random_networks import draw
from tests.evaluation.test_tiles import ABOUT, SHAPES, above, doubled, pictures
from tests.models.cases import USRNET

pytestmark = pytest.mark.exact


def windows(lr, xp, *, side=4):
    """The mean over windows, in place of each of their pixels."""
    b, h, w, c = lr.shape
    padded = xp.pad(lr, ((0, 0), (0, -h % side), (0, -w % side), (0, 0)))
    means = padded.reshape(b, padded.shape[1] // side, side, padded.shape[2] // side, side, c).mean((2, 4))
    return xp.repeat(xp.repeat(means, side, 1), side, 2)[:, :h, :w]


@pytest.mark.parametrize("kind", ["windows", "position", "circular"])
def test_a_branch_that_starts_at_zero_counts(rng, kind):
    """A branch of a residual network often starts at 0, when the network is measured, and matters once it is trained."""

    def apply(params, lr, xp=jnp):
        if kind == "windows":
            branch = windows(lr, xp)
        elif kind == "position":
            branch = lr * xp.arange(lr.shape[1], dtype=lr.dtype)[None, :, None, None]
        else:
            branch = xp.roll(lr, 1, 1)
        return doubled(lr + params * branch, xp)

    images = pictures(rng, SHAPES[:3])
    network = TiledNetwork(apply, ABOUT, scale=2)
    list(network(jnp.float32(0), images))
    assert network._radius == math.inf
    results = dict(network(jnp.float32(1), images))
    for i, image in enumerate(images):
        np.testing.assert_allclose(results[i], apply(np.float32(1), image[None], np)[0], rtol=1e-6)


def test_a_branch_that_is_almost_zero_counts(rng):
    """DeconvSR starts its last layer near 0, so what that branch does hardly shows in SR at first."""

    def apply(params, lr, xp=jnp):
        return doubled(lr + params * windows(lr, xp), xp)

    network = TiledNetwork(apply, ABOUT, scale=2)
    list(network(jnp.float32(1e-6), pictures(rng, SHAPES[:3])))
    assert network._radius == math.inf


@pytest.mark.parametrize("shapes", [[(20, 30)], [(70, 81), (64, 64), (97, 66)]], ids=["whole", "tiled"])
@pytest.mark.parametrize(
    ("apply", "returned"),
    [
        (lambda params, lr: lr * params, r"\d+ x \d+ x 1"),
        (lambda params, lr: doubled(lr)[:, 1:] * params, r"\d+ x \d+ x 1"),
        (lambda params, lr: jnp.concatenate([doubled(lr)] * 3, -1) * params, r"\d+ x \d+ x 3"),
        (lambda params, lr: doubled(lr)[..., 0] * params, r"\d+ x \d+"),
    ],
    ids=["unscaled", "a row short", "three channels", "no channels"],
)
def test_a_network_that_returns_the_wrong_size_is_named(rng, shapes, apply, returned):
    network = TiledNetwork(apply, ABOUT, scale=2)
    given = "20 x 30 x 1" if len(shapes) == 1 else r"\d+ x \d+ x 1"
    message = rf"Net x2 returns SR of the shape {returned} for LR of the shape {given}; it must be \d+ x \d+ x 1"
    with pytest.raises(InputError, match=message):
        list(network(jnp.float32(1), pictures(rng, shapes)))


def test_an_image_that_is_too_small_for_a_network_is_named(rng):
    """USRNet, periodic, refuses a kernel that is larger than the image."""
    network = draw(dataclasses.replace(USRNET, boundary="circular"), 2)
    known = [Known(jnp.full((7, 7), 1 / 49), jnp.float32(0))]
    images = [rng.random((2, 3, 3), dtype=np.float32)]
    tiled = TiledNetwork(network.apply, network.about, scale=2)
    with pytest.raises(InputError, match="USRNet x2 cannot be applied to LR of 2x3: a 7x7 kernel is larger than the 4x6 image"):
        list(tiled(jax.tree.map(np.float32, network.params), images, known=known))


@pytest.mark.parametrize("shapes", [[(70, 81), (64, 64), (97, 66), (71, 80)], [(20, 30)] * 4], ids=["tiled", "whole"])
def test_nan_stays_in_its_image(rng, shapes):
    """An image that breaks the network does not break those that are computed with it."""

    def apply(params, lr, xp=jnp):
        return doubled(lr + params * above(lr, xp, rows=3), xp)

    images = pictures(rng, shapes)
    images[1][10, 10] = np.nan
    results = dict(TiledNetwork(apply, ABOUT, scale=2)(jnp.float32(1), images))
    for i, image in enumerate(images):
        np.testing.assert_array_equal(results[i], apply(1, image[None], np)[0])
        assert np.isnan(results[i]).sum() == (8 if i == 1 else 0)
