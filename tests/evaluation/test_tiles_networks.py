"""Every network with random parameters: tiles equal the whole image, or the measurement says why the network runs whole.

The depths, and so the receptive fields, are those of the published networks, but for EDSR and DBPN; the widths are small.
Networks compute in float64 here, and `TiledNetwork` rounds their SR to float32. Tiles that see all that they need then differ
from the whole image by the rounding of float64 sums only, so at most by one unit in the last place of float32.
"""

import dataclasses
import math
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.config import NETWORKS
from sr_jax.evaluation import tiles
from sr_jax.evaluation.tiles import TiledNetwork
from sr_jax.models import MODELS, Known
from tests.evaluation.random_networks import RandomNetwork, draw
from tests.models.cases import CONVERSE, DECONV, DECONV_VARIANTS, ESPCN, FSRCNN, IMDN, USRNET


def resized(name: str, **sizes) -> Any:
    return dataclasses.replace(NETWORKS[name], **sizes)


class Case(NamedTuple):
    """A network that sees at most half a tile."""

    network: Any
    side: int = 32


TILED = {
    "srcnn": Case(resized("srcnn", n1=5, n2=4)),
    "srcnn-955": Case(resized("srcnn-955", n1=5, n2=4)),
    "fsrcnn": Case(resized("fsrcnn", d=6, s=4)),
    "fsrcnn-s": Case(resized("fsrcnn-s", d=6)),
    "espcn": Case(resized("espcn", n1=6, n2=5)),
    "vdsr": Case(resized("vdsr", width=4)),
    "drcn": Case(resized("drcn", width=4)),
    "lapsrn": Case(resized("lapsrn", width=4), 48),
    "lapsrn-3x3": Case(resized("lapsrn-3x3", width=4), 48),
    "srresnet": Case(resized("srresnet", width=4), 96),
    "edsr-baseline": Case(resized("edsr-baseline", width=4), 96),
    "edsr": Case(resized("edsr", width=4, blocks=20), 96),
    "carn": Case(resized("carn", width=4), 96),
    "carn-m": Case(resized("carn-m", width=4), 96),
    "dbpn": Case(resized("dbpn", stages=4, width=3, features=4), 64),
}
FAR = "a pixel reaches .* too far for tiles"
WHOLE = {
    "imdn": (IMDN, FAR),  # its attention needs the contrast of the whole image
    "usrnet": (USRNET, FAR),
    "usrnet-tiny": (dataclasses.replace(USRNET, boundary="smooth"), FAR),
    "converse-srresnet": (CONVERSE, FAR),
    "deconv-sr-small": (DECONV, FAR),
    "deconv-sr-base": (DECONV_VARIANTS["static-x2"][0], FAR),
    "deconv-sr-literal": (dataclasses.replace(DECONV, mode="literal", kernel="static", kernel_size=5), FAR),  # by the transform
    "deconv-sr-given": (DECONV_VARIANTS["given-x2"][0], FAR),
}
"""Networks that see the whole image, and the reason that the measurement gives."""


def run(network: RandomNetwork, scale: int, shapes, monkeypatch, *, side: int, devices: int) -> TiledNetwork:
    """Compares with whole images, and returns what was compared."""

    def always(shapes, *, radius):
        return (side, {shape for shape in shapes if min(shape) >= side}) if 2 * radius + 1 < side else (0, set())

    local = jax.local_devices()[:devices]
    monkeypatch.setattr(jax, "local_devices", lambda: local)
    monkeypatch.setattr(tiles, "plan_tiles", always)
    monkeypatch.setattr(tiles, "EXPECTED_RADII", (0,))
    monkeypatch.setattr(tiles, "PIXELS_PER_CALL", side**2)  # a call is filled up, which costs time
    rng = np.random.default_rng(0)
    images = [rng.random((*shape, network.about.channels), dtype=np.float32) for shape in shapes]
    known, arguments = None, [()] * len(images)
    if network.about.is_told:
        kernels = rng.random((len(images), 7, 7), dtype=np.float32)
        known = [Known(jnp.asarray(k / k.sum()), jnp.float32(0.01 * i)) for i, k in enumerate(kernels)]
        arguments = [(Known(k.kernel[None], k.noise[None]),) for k in known]

    def apply(params, *inputs):
        return network.apply(params, *jax.tree.map(lambda leaf: leaf.astype(jnp.float64), inputs))

    with jax.enable_x64(True):
        tiled = TiledNetwork(apply, network.about, scale=scale)
        results = dict(tiled(network.params, images, known=known))
        whole = jax.jit(apply)
        for i, image in enumerate(images):
            expected = np.asarray(whole(network.params, image[None], *arguments[i])[0])
            rounded = expected.astype(np.float32)
            least = np.finfo(np.float32).eps * 1e-6 * np.abs(rounded).max()  # a value near 0 is a difference of large ones
            error = np.abs(results[i].astype(np.float64) - rounded)
            assert (error <= np.maximum(np.spacing(np.abs(rounded)), least)).all(), (i, shapes[i], error.max())
            assert np.ptp(expected) > 1e-3
    return tiled


def test_every_published_network_is_here():
    assert set(NETWORKS) <= {*TILED, *WHOLE}
    for name in NETWORKS:
        network = TILED[name].network if name in TILED else WHOLE[name][0]
        assert network.name == NETWORKS[name].name


def everywhere(networks) -> list[tuple[str, int, int]]:
    """(name, scale, devices): the largest scale on four devices, and the smallest one on a single device."""
    scales = {name: MODELS[network.name].about.scales for name, network in networks.items()}
    return [(name, scales[name][at], devices) for name in scales for at, devices in ((-1, 4), (0, 1))]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scale", "devices"), everywhere({name: case.network for name, case in TILED.items()}))
def test_tiles_equal_the_whole_image(name, scale, devices, monkeypatch):
    """Just above a tile, and much larger, odd and not square; also one that is smaller than a tile and runs whole."""
    network, side = TILED[name]
    shapes = [(side + 1, side), (2 * side + 7, side + 13)] if devices > 1 else [(side + 1, side), (side - 1, side + 3)]
    tiled = run(draw(network, scale), scale, shapes, monkeypatch, side=side, devices=devices)
    assert tiled._radius is not None
    assert 0 < tiled._radius < side / 2


@pytest.mark.exact
@pytest.mark.parametrize(("network", "scale"), [(ESPCN, 3), (FSRCNN, 4)], ids=lambda n: getattr(n, "name", n))
def test_tiles_of_shallow_networks_equal_the_whole_image(network, scale, monkeypatch):
    tiled = run(draw(network, scale), scale, [(71, 33)], monkeypatch, side=32, devices=4)
    assert tiled._radius is not None
    assert 0 < tiled._radius < 16


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scale", "devices"), everywhere({name: network for name, (network, _) in WHOLE.items()}))
def test_networks_that_see_the_whole_image_run_whole(name, scale, devices, monkeypatch):
    network, reason = WHOLE[name]
    tiled = run(draw(network, scale), scale, [(33, 32), (19, 6)], monkeypatch, side=32, devices=devices)
    assert tiled._radius == math.inf
    assert tiled._why_whole is not None
    assert re.match(reason, tiled._why_whole)
