import math

import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.data.images import Image
from sr_jax.errors import InputError, NotFiniteError
from sr_jax.evaluation.evaluator import Evaluator
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.evaluation.rows import Stamp, overall
from sr_jax.evaluation.tiles import TiledNetwork
from sr_jax.models.about import About
from sr_jax.ops.resize import bicubic_upsample

STAMP = Stamp("papers", "computed", "float32", "", "abc")
RGB_UINT8 = PROTOCOLS["rgb-uint8"]
ABOUT = About(name="Net", paper="", year=2000, upsampler="", channels=1, scales=(2,), last="")


def bicubic(params, y):
    return bicubic_upsample(y, 2) * params


@pytest.fixture(scope="module")
def network():
    return TiledNetwork(bicubic, ABOUT, scale=2)


@pytest.fixture
def tasks(rng):
    shapes = {"one": {"a": (40, 36, 3), "b": (41, 60, 3)}, "two": {"gray": (40, 36, 1)}}
    return [
        PROTOCOLS["papers"].task(Image(name, rng.integers(0, 256, shape, dtype=np.uint8)), set=set, scale=2, lr=None)
        for set, images in shapes.items()
        for name, shape in images.items()
    ]


def test_rows_and_samples(network, tasks):
    """Images, then means, in the order of the tasks (a and gray are finished first); a network that is bicubic scores so."""
    count = []
    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP, on_scored=lambda: count.append(1))
    rows, samples = evaluator(network, jnp.float32(1), method="net", weights="w")
    assert [(row.set, row.image) for row in rows] == [
        ("one", "a"), ("one", "b"), ("two", "gray"), ("one", "mean"), ("two", "mean"),
    ]  # fmt: skip
    assert len(count) == 6
    for ours, theirs in zip(rows, evaluator.bicubic_rows, strict=True):
        assert ours[4:8] == pytest.approx(theirs[4:8], abs=1e-3)  # a float32 Y may round the other way
        assert (ours.method, theirs.method, ours.weights, theirs.weights) == ("net", "bicubic", "w", "")
    for sample, task in zip(samples, tasks, strict=True):
        assert (sample.set, sample.image) == (task.set, task.image)
        np.testing.assert_array_equal(sample.hr, task.hr)
        assert sample.sr.shape == sample.bicubic.shape == task.hr.shape
    scores = [(theirs.psnr_y, ours.psnr_y) for theirs, ours in zip(evaluator.bicubic_rows, rows, strict=True)]
    assert [(sample.bicubic_psnr, sample.sr_psnr) for sample in samples] == scores[: len(tasks)]


def test_pictures_are_kept_of_the_first_images_of_each_set(network, rng):
    protocol = PROTOCOLS["papers"]
    images = [Image(f"{i}", rng.integers(0, 256, (40, 36, 1), dtype=np.uint8)) for i in range(10)]
    tasks = [protocol.task(image, set="many", scale=2, lr=None) for image in images]
    tasks += [protocol.task(images[0], set="few", scale=2, lr=None)]
    rows, samples = Evaluator(protocol, tasks, stamp=STAMP)(network, jnp.float32(1), method="n", weights="")
    assert len(rows) == 10 + 1 + 2
    assert [(sample.set, sample.image) for sample in samples] == [*(("many", str(i)) for i in range(8)), ("few", "0")]


def test_another_network_scores_otherwise(network, tasks):
    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP)
    rows, _ = evaluator(network, jnp.float32(0.5), method="net", weights="")
    assert all(ours.psnr_y < theirs.psnr_y for ours, theirs in zip(rows, evaluator.bicubic_rows, strict=True))


def test_a_network_gets_the_channels_that_it_reads(rng):
    """Three also of a gray image, whose rows are those of its one channel."""
    protocol = PROTOCOLS["rgb-uint8"]
    images = [Image(f"{c}", rng.integers(0, 256, (40, 36, c), dtype=np.uint8)) for c in (1, 3)]
    tasks = [protocol.task(image, set="set", scale=2, lr=None) for image in images]
    shapes = []

    def apply(params, lr):
        shapes.append(lr.shape)
        return bicubic(params, lr)

    evaluator = Evaluator(protocol, tasks, stamp=STAMP)
    rows, _ = evaluator(TiledNetwork(apply, ABOUT._replace(channels=3), scale=2), jnp.float32(1), method="net", weights="")
    assert {shape[1:] for shape in shapes} == {(20, 18, 3)}
    for ours, theirs in zip(rows, evaluator.bicubic_rows, strict=True):
        assert ours[4:8] == pytest.approx(theirs[4:8], abs=2e-2)  # bicubic is rounded after each pass, the network once


def test_a_network_that_gives_nan_is_named(network, tasks):
    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP)
    with pytest.raises(NotFiniteError, match=r"net: SR of \w+ \((one|two)\) has values that are not finite"):
        evaluator(network, jnp.float32(np.nan), method="net", weights="")


def test_a_network_is_told_what_is_known_of_each_task(tasks):
    """Where it is told to give bicubic, it scores as bicubic."""
    tasks = [task._replace(known=np.float32(index == 1)) for index, task in enumerate(tasks)]

    def apply(params, lr, known):
        return bicubic(params, lr) * known[:, None, None, None]

    network = TiledNetwork(apply, ABOUT._replace(is_told=True), scale=2)
    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP)
    rows, _ = evaluator(network, jnp.float32(1), method="net", weights="")
    gains = [ours.psnr_y - theirs.psnr_y for ours, theirs in zip(rows, evaluator.bicubic_rows, strict=True)][: len(tasks)]
    assert gains[1] == pytest.approx(0, abs=1e-2)
    assert gains[0] < -3
    assert gains[2] < -3
    evaluator = Evaluator(PROTOCOLS["papers"], [tasks[0]._replace(known=None)], stamp=STAMP._replace(lr_source="files"))
    with pytest.raises(
        InputError, match="net must be told the blur kernel and the noise of each image, which LR files do not say"
    ):
        evaluator(network, jnp.float32(1), method="net", weights="")


@pytest.fixture
def hardly_scorable(rng):
    """One image of noise, a ramp, which bicubic reproduces, and one spot on a flat ground, which repeated pixels reproduce."""
    noise, spot = rng.integers(0, 256, (40, 36, 3), dtype=np.uint8), np.full((40, 36, 3), 90, np.uint8)
    spot[20:22, 20:22] = 120
    ramp = np.broadcast_to(np.arange(0, 160, 4, dtype=np.uint8)[:, None, None], (40, 36, 3))
    images = {"noise": (noise, None), "ramp": (ramp, None), "spot": (spot, spot[::2, ::2])}
    return [RGB_UINT8.task(Image(name, hr), set="s", scale=2, lr=lr) for name, (hr, lr) in images.items()]


def test_an_image_that_bicubic_reproduces_counts_in_no_mean(network, hardly_scorable):
    """Neither for a network that scores less there, so that all methods have their means over the same images."""
    evaluator = Evaluator(RGB_UINT8, hardly_scorable, stamp=STAMP)
    assert [row.psnr_y == math.inf for row in evaluator.bicubic_rows] == [False, True, False, False]
    assert [row.counted for row in evaluator.bicubic_rows] == [1, 0, 1, 2]
    rows, _ = evaluator(network, jnp.float32(0.99), method="net", weights="")
    assert math.isfinite(rows[1].psnr_y)
    assert [row.counted for row in rows] == [1, 0, 1, 2]
    assert overall(rows) == rows[-1].psnr_y == pytest.approx((rows[0].psnr_y + rows[2].psnr_y) / 2)
    assert math.isfinite(overall(evaluator.bicubic_rows))
    with pytest.raises(InputError, match="bicubic interpolation reproduces every image exactly"):
        Evaluator(RGB_UINT8, hardly_scorable[1:2], stamp=STAMP)


def test_a_network_that_reproduces_an_image_has_a_finite_mean(hardly_scorable):
    def repeat(params, lr):
        return params * jnp.repeat(jnp.repeat(lr, 2, 1), 2, 2)

    evaluator = Evaluator(RGB_UINT8, hardly_scorable[2:], stamp=STAMP)
    network = TiledNetwork(repeat, ABOUT._replace(channels=3), scale=2)
    rows, _ = evaluator(network, jnp.float32(1), method="net", weights="")
    assert (rows[0].psnr_y, rows[0].psnr_rgb) == (math.inf, math.inf)
    assert (rows[1].psnr_y, rows[1].counted, overall(rows)) == (100, 1, 100)
    assert overall(evaluator.bicubic_rows) < 100
