"""From a config with `data.pipeline=records` to batches, compared with the other pipelines."""

import jax
import numpy as np
import pytest
from PIL import Image

from sr_jax.assembly import degradation as degradations
from sr_jax.assembly.evaluator import open_evaluation_sets
from sr_jax.assembly.pipeline import make_pipeline, make_sampler
from sr_jax.assembly.training_images import load_training_images
from sr_jax.config import Config, DataConfig
from sr_jax.data import pack
from sr_jax.data.degrade import Batch
from sr_jax.data.sources import checksums
from sr_jax.errors import InputError
from tests.data.records.conftest import small_tiles  # noqa: F401
from tests.runs.short_runs import BLURRED

PIPELINES = ("resident", "host", "records")
SHAPES = {"a.png": (41, 50, 3), "b.bmp": (40, 40, 1), "c.jpg": (60, 30, 3), "d.png": (90, 75, 3)}


@pytest.fixture
def folder(tmp_path, rng):
    """HR and LR images, a pair whose HR image is damaged, and one whose LR image has a wrong size."""
    for scale, name in ((1, "HR"), (2, "LRbicx2")):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for image, (h, w, c) in SHAPES.items():
            pixels = rng.integers(0, 256, (h // scale, w // scale, c), dtype=np.uint8)
            Image.fromarray(pixels.squeeze()).save(tmp_path / "mine" / name / image)
        Image.new("L", (30, 30)).save(tmp_path / "mine" / name / "wrong.png")
    (tmp_path / "mine/HR/text.png").write_text("text")
    Image.new("L", (9, 9)).save(tmp_path / "mine/LRbicx2/text.png")
    return tmp_path / "mine"


def load(folder, cache, pipeline, **data):
    data = {"patch": 16, "batch": 8, "bad_images": "skip"} | data
    config = Config(data=DataConfig(name="folder", dir=(str(folder / "HR"),), pipeline=pipeline, **data))
    degradation = degradations.of_training(config)
    images = load_training_images(config, degradation, open_evaluation_sets(config, cache), cache)
    return config, images, degradation.margin


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="bicubic"),
        pytest.param({"degradation": BLURRED}, id="blurred", marks=pytest.mark.slow),
        pytest.param({"degradation": "real-esrgan"}, id="real-esrgan", marks=pytest.mark.slow),
        pytest.param({"lr_source": "files"}, id="files", marks=pytest.mark.slow),
    ],
)
def test_all_pipelines_give_the_same_batches(folder, tmp_path, data):
    """A run recognises its images whatever its pipeline is, and reads the same bytes at each step."""
    runs = []
    for pipeline in PIPELINES:
        config, images, margin = load(folder, tmp_path / "cache", pipeline, **data)
        sampler, made = make_sampler(config, images), make_pipeline(config, images, margin=margin)
        on_device = jax.jit(made.on_device)
        batches = [jax.tree.leaves(on_device(made.images, made.on_host(sampler.plan(step)))) for step in range(5)]
        runs.append((images.names, images.sizes, images.digest, batches))
    assert set(SHAPES) <= set(runs[0][0])
    assert ("wrong.png" in runs[0][0]) == ("lr_source" not in data)
    for names, sizes, digest, batches in runs[1:]:
        assert (names, sizes, digest) == runs[0][:3]
        for ours, theirs in zip(batches, runs[0][3], strict=True):
            assert len(ours) == len(Batch._fields) - ("lr_source" not in data)
            for a, b in zip(ours, theirs, strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)


def test_bad_images_are_refused_every_time(folder, tmp_path):
    for _ in range(2):
        with pytest.raises(InputError, match=r"(?s)^data\.bad_images: 1 image\(s\) cannot be used .*text\.png: not an image"):
            load(folder, tmp_path, "records", bad_images="refuse")


def test_images_are_decoded_once(folder, tmp_path, monkeypatch):
    """Looking for evaluation images among them needs no second time, and a prepared set none at all."""
    decoded = []
    decode = checksums.decode_image
    monkeypatch.setattr(
        "sr_jax.data.sources.image_set.decode_image", lambda data, name: decoded.append(name) or decode(data, name)
    )
    for _ in range(2):
        load(folder, tmp_path, "records")
    assert sorted(decoded) == sorted([*SHAPES, "wrong.png", "text.png"])


def test_training_on_an_evaluation_image_is_refused(folder, tmp_path, research_images):
    (folder / "HR/x.png").write_bytes(next((research_images / "Set5/HR").glob("bird*.png")).read_bytes())
    with pytest.raises(InputError, match=r"(?s)1 training image\(s\) are evaluation images .*x\.png has the pixels of bird"):
        load(folder, tmp_path, "records")


def test_missing_lr_is_found_before_anything_is_prepared(folder, tmp_path):
    (folder / "LRbicx2").rename(folder / "elsewhere")
    with pytest.raises(InputError, match="no LR images at x2"):
        load(folder, tmp_path / "cache", "records", lr_source="files")
    assert not (tmp_path / "cache/records").exists()


def test_a_changed_set_replaces_its_predecessor(folder, tmp_path):
    digests = {load(folder, tmp_path / "cache", "records")[1].digest}
    Image.new("RGB", (33, 44)).save(folder / "HR/a.png")
    digests.add(load(folder, tmp_path / "cache", "records")[1].digest)
    assert len(digests) == 2
    assert len(list((tmp_path / "cache/records").iterdir())) == 1
    assert pack.INDEX in {path.name for path in (tmp_path / "cache/records").rglob("*")}
