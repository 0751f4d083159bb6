import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.data.images import Image
from sr_jax.errors import InputError
from sr_jax.evaluation.evaluator import Evaluator
from sr_jax.evaluation.protocol import PROTOCOLS
from sr_jax.evaluation.rows import Stamp
from sr_jax.evaluation.tiles import Upscaler
from sr_jax.ops.resize import bicubic_upsample

STAMP = Stamp("papers", "computed", "float32", "", "abc")


def bicubic(params, y):
    return bicubic_upsample(y, 2) * params


@pytest.fixture
def tasks(rng):
    shapes = {"one": {"a": (40, 36, 3), "b": (41, 60, 3)}, "two": {"gray": (44, 44, 1)}}
    return [
        PROTOCOLS["papers"].task(Image(name, rng.integers(0, 256, shape, dtype=np.uint8)), set=set, scale=2, lr=None)
        for set, images in shapes.items()
        for name, shape in images.items()
    ]


def test_rows_and_samples(tasks):
    """Images, then means, in the order of the tasks; a network that is bicubic scores as bicubic."""
    count = []
    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP, on_scored=lambda: count.append(1))
    rows, samples = evaluator(Upscaler(bicubic, scale=2), jnp.float32(1), method="net", weights="w")
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


def test_pictures_are_kept_of_the_first_images_of_each_set(rng):
    protocol = PROTOCOLS["papers"]
    images = [Image(f"{i}", rng.integers(0, 256, (20, 20, 1), dtype=np.uint8)) for i in range(10)]
    tasks = [protocol.task(image, set="many", scale=2, lr=None) for image in images]
    tasks += [protocol.task(images[0], set="few", scale=2, lr=None)]
    rows, samples = Evaluator(protocol, tasks, stamp=STAMP)(Upscaler(bicubic, scale=2), jnp.float32(1), method="n", weights="")
    assert len(rows) == 10 + 1 + 2
    assert [(sample.set, sample.image) for sample in samples] == [*(("many", str(i)) for i in range(8)), ("few", "0")]


def test_another_network_scores_otherwise(tasks):
    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP)
    rows, _ = evaluator(Upscaler(bicubic, scale=2), jnp.float32(0.5), method="net", weights="")
    assert all(ours.psnr_y < theirs.psnr_y for ours, theirs in zip(rows, evaluator.bicubic_rows, strict=True))


def test_a_network_that_gives_nan_is_named(tasks):
    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP)
    with pytest.raises(InputError, match=r"net gives values that are not finite for \w+ of (one|two)"):
        evaluator(Upscaler(bicubic, scale=2), jnp.float32(np.nan), method="net", weights="")


def test_a_network_is_told_what_is_known_of_each_task(tasks):
    """Where it is told to give bicubic, it scores as bicubic."""
    tasks = [task._replace(known=np.float32(index == 1)) for index, task in enumerate(tasks)]

    def model(params, lr, known):
        return bicubic(params, lr) * known[:, None, None, None]

    evaluator = Evaluator(PROTOCOLS["papers"], tasks, stamp=STAMP)
    rows, _ = evaluator(Upscaler(model, scale=2), jnp.float32(1), method="net", weights="", is_told=True)
    gains = [ours.psnr_y - theirs.psnr_y for ours, theirs in zip(rows, evaluator.bicubic_rows, strict=True)][: len(tasks)]
    assert gains[1] == pytest.approx(0, abs=1e-2)
    assert gains[0] < -3
    assert gains[2] < -3
    evaluator = Evaluator(PROTOCOLS["papers"], [tasks[0]._replace(known=None)], stamp=STAMP)
    with pytest.raises(InputError, match=r"net must be told blur kernel and noise, which this LR \(.*\) does not say"):
        evaluator(Upscaler(model, scale=2), jnp.float32(1), method="net", weights="", is_told=True)
