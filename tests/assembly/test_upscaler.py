import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.assembly import trained, upscaler
from sr_jax.assembly.trained import Trained
from sr_jax.assembly.upscaler import Upscaler, Way
from sr_jax.config import Config
from sr_jax.data.images import Image
from sr_jax.errors import NotFiniteError
from sr_jax.evaluation import bounded
from sr_jax.evaluation.protocol import RgbUint8
from sr_jax.models import About, Known
from sr_jax.ops.resize import imresize_host
from sr_jax.pictures.picture import Metadata, Picture
from tests.pictures import corpus

WEIGHTS = Path(__file__).parents[2] / "weights/fsrcnn_x2.safetensors"
H, W = 70, 81


def picture(channels=3, dtype="uint8", *, space=None, alpha=None):
    pixels = corpus.of_type(corpus.smooth(channels, height=H, width=W), dtype)
    return Picture(pixels, alpha, space or {1: "gray", 3: "rgb"}[channels], Metadata(), "png")


def way(dtype="uint8", size=(2 * H, 2 * W), **options):
    return Way(dtype, size, **options)


def fake(apply, *, channels=3, is_told=False):
    about = About(name="Fake", channels=channels, scales=(2,), is_told=is_told)
    network = types.SimpleNamespace(about=about, params={"gain": np.float32(1)}, apply=apply)
    return Trained(Config(scale=2), network, "fake")


def slanted(params, lr, *known):
    """A network that is not symmetric: each pixel's neighbour on the right, repeated."""
    moved = jnp.pad(lr, ((0, 0), (0, 0), (0, 1), (0, 0)))[:, :, 1:]
    gain = params["gain"] if not known else known[0].noise[:, None, None, None]
    return gain * jnp.repeat(jnp.repeat(0.75 * lr + 0.25 * moved, 2, 1), 2, 2)


def slanted_host(x):
    return np.repeat(np.repeat(0.75 * x + 0.25 * np.pad(x, ((0, 0), (0, 1), (0, 0)))[:, 1:], 2, 0), 2, 1)


@pytest.fixture(scope="module")
def fsrcnn():
    one = trained.load(str(WEIGHTS), which="latest", parameters="ema")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded, "CPU_PIXELS_PER_CALL", 1)  # one tile on each of the four devices is enough
        return one, Upscaler(one, memory=None)


def test_a_network_of_y_gets_the_chroma_of_bicubic(fsrcnn):
    """As the protocol `rgb-uint8` composes it on the host in float64, of the network on the whole image."""
    one, enlarge = fsrcnn
    given = picture()
    protocol = RgbUint8()
    hr = np.zeros((2 * H, 2 * W, 3), np.uint8)
    task = protocol.task(Image("a", hr), set="", scale=2, lr=given.pixels)
    params = jax.tree.map(jnp.asarray, one.network.params)
    sr = np.asarray(jax.jit(one.network.apply)(params, task.y[None])[0], np.float64)
    expected = protocol.picture(task, sr).pixels
    result = enlarge(given, way()).pixels
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert (result == expected).mean() > 0.999


def test_16_bits_are_not_rounded_on_the_way(fsrcnn):
    _, enlarge = fsrcnn
    deep = picture(dtype="uint16")
    shallow = deep._replace(pixels=(deep.pixels // 257).astype(np.uint8))
    ours, floats = enlarge(deep, way("uint16")).pixels, enlarge(deep, way("float32")).pixels
    assert np.abs(ours - floats.astype(np.float64).clip(0, 65535)).max() < 0.6
    assert np.abs(ours - 257.0 * enlarge(shallow, way()).pixels).mean() > 50
    np.testing.assert_array_equal(enlarge(deep, way("uint8")).pixels, np.floor(ours / 257 + 0.5))


@pytest.mark.parametrize("mode", ["network", "bicubic"])
def test_a_cut_out_has_no_halo(fsrcnn, mode, monkeypatch):
    """The colour of a disc under which the file has another colour, over black and over white."""
    _, enlarge = fsrcnn
    y, x = np.mgrid[:H, :W]
    opacity = (np.clip(25.5 - np.hypot(y - 35, x - 40), 0, 1) * 255).round().astype(np.uint8)[..., None]
    colour = np.array([200, 40, 60], np.uint8)
    pixels = np.where(opacity > 0, colour, np.array([0, 255, 0], np.uint8))
    given = Picture(pixels, opacity, "rgb", Metadata(), "png")

    def halo():
        result = enlarge(given, way(alpha=mode))
        shown = result.alpha / 255
        over = [result.pixels * shown + background * (1 - shown) for background in (0, 255)]
        ideal = [colour * shown + background * (1 - shown) for background in (0, 255)]
        return result, max(np.abs(ours - theirs).max() for ours, theirs in zip(over, ideal, strict=True))

    result, difference = halo()
    assert difference <= 3
    far = np.hypot(*(np.mgrid[: 2 * H, : 2 * W] - np.array([70.5, 80.5])[:, None, None]))
    assert (result.alpha[far > 56] == 0).all()
    assert (result.alpha[far < 45] == 255).all()
    monkeypatch.setattr(upscaler, "bleed", lambda pixels, _: pixels)
    assert halo()[1] > 20


def test_an_opaque_picture_stays_opaque(fsrcnn):
    result = fsrcnn[1](picture(alpha=np.full((H, W, 1), 255, np.uint8)), way("uint16", (10, 12)))
    assert result.alpha.shape == (10, 12, 1)
    assert (result.alpha == 65535).all()


def test_channels_are_enlarged_each_by_itself():
    enlarge = Upscaler(fake(slanted), memory=None)
    many = picture(5, "float32", space="channels")
    np.testing.assert_allclose(enlarge(many, way("float32")).pixels, slanted_host(many.pixels), atol=1e-6)
    wide = many._replace(pixels=(many.pixels[..., :1] * 4000 - 1000), space="gray")
    np.testing.assert_allclose(enlarge(wide, way("float32")).pixels[:, :-2], slanted_host(wide.pixels)[:, :-2], atol=0.01)


def test_the_ensemble_is_the_mean_over_the_symmetries():
    enlarge = Upscaler(fake(slanted), memory=None)
    given = picture(1, "float32")
    result = enlarge(given, way("float32", self_ensemble=True)).pixels
    total = np.zeros_like(result, np.float64)
    for quarters in range(4):
        for mirrored in (False, True):
            turned = np.rot90(given.pixels, quarters)
            turned = slanted_host(turned[:, ::-1])[:, ::-1] if mirrored else slanted_host(turned)
            total += np.rot90(turned, -quarters)
    np.testing.assert_allclose(result, total / 8, atol=1e-6)


def test_other_sizes_are_resized_before_they_are_rounded():
    enlarge = Upscaler(fake(slanted), memory=None)
    given = picture(1)
    result = enlarge(given, way(size=(101, 99))).pixels
    floats = imresize_host(slanted_host(given.pixels / 255), shape=(101, 99), kernel="bicubic", antialias=True)
    assert np.abs(result - floats.clip(0, 1) * 255).max() < 0.501


def test_a_network_is_told_what_is_known():
    known = Known(np.ones((3, 3), np.float32) / 9, np.float32(0.5))
    enlarge = Upscaler(fake(slanted, is_told=True), memory=None, known=known)
    given = picture(3, "float32")
    np.testing.assert_allclose(enlarge(given, way("float32")).pixels, 0.5 * slanted_host(given.pixels), atol=1e-6)


def test_broken_weights_are_an_error():
    enlarge = Upscaler(fake(lambda p, lr: slanted(p, lr) * jnp.inf), memory=None)
    with pytest.raises(NotFiniteError, match="Fake returns values that are not finite"):
        enlarge(picture(), way())


def test_windows_are_compared(fsrcnn):
    assert max(fsrcnn[1].differences(picture(), seed=0, count=2)) < 1e-5
