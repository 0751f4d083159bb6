"""From config to sets of images, and to packs; whole runs are in test_train."""

import hashlib
import os
import pickle
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image as PILImage

from sr_jax.assembly import degradation as degradations
from sr_jax.assembly import evaluation_sets
from sr_jax.assembly import training_images as inputs
from sr_jax.assembly.evaluator import open_evaluation_sets
from sr_jax.assembly.pipeline import make_pipeline, make_sampler
from sr_jax.config import Config, DataConfig, EvalConfig, KernelFile, Subsample
from sr_jax.data.images import Bad, Image
from sr_jax.data.sources import ImageSet
from sr_jax.errors import InputError

SIZES = {"a.png": (41, 50), "b.png": (40, 40), "c.png": (60, 30)}


def load_training_images(config, cache):
    """As a run does it: the evaluation sets are opened first, so that leaks are found."""
    held_out = open_evaluation_sets(config, cache)
    return inputs.load_training_images(config, degradations.of_training(config), held_out, cache)


def pipeline_of(config, images):
    return make_pipeline(config, images, margin=degradations.of_training(config).margin)


def image_set(*items):
    fingerprint = hashlib.sha256(pickle.dumps(items)).hexdigest()
    return ImageSet("some", tuple(item.name for item in items), fingerprint, "", "", lambda: iter(items))


@pytest.fixture
def hr(rng):
    return [Image(name, rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for name, (h, w) in SIZES.items()]


@pytest.fixture
def lr(hr):
    return [Image(name, pixels[::2, ::2][: len(pixels) // 2]) for name, pixels in hr]


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Loads the training images of a config whose files are those given."""

    def load_these(hr, lr=None, **data):
        monkeypatch.setattr(inputs, "open_training_set", lambda *_: image_set(*hr))
        monkeypatch.setattr(inputs, "open_training_lr", lambda *_: image_set(*lr))
        config = make_config(**data, lr_source="degrade" if lr is None else "files")
        return load_training_images(config, tmp_path)

    return load_these


def make_config(**data):
    return Config(data=DataConfig(**({"batch": 4, "patch": 16} | data)))


def test_images_are_cropped_to_multiples_of_the_scale(hr, load):
    images = load(hr)
    assert images.names == list(SIZES)
    assert images.sizes == list(SIZES.values())
    assert images.packs.hr.height.tolist() == [40, 40, 60]
    assert images.packs.lr is None


def test_pairs_from_files(hr, lr, load):
    """The LR patch of a batch is that of the LR file, on both pipelines."""
    images = load(hr, lr)
    for pipeline in ("host", "resident"):
        config = make_config(pipeline=pipeline, lr_source="files")
        sampler = make_sampler(config, images)
        on_host, on_device, resident = pipeline_of(config, images)
        batch = jax.jit(on_device)(resident, on_host(sampler.plan(0)))
        for i, (image, top, left) in enumerate(zip(*sampler.plan(0)[:3], strict=True)):
            expected = lr[image].pixels[top // 2 :, left // 2 :][:8, :8]
            np.testing.assert_array_equal(batch.lr[i], expected)


def test_both_digests_count(hr, lr, load):
    other = [lr[0]._replace(pixels=lr[0].pixels ^ np.uint8(1)), *lr[1:]]
    assert len({load(hr).digest, load(hr, lr).digest, load(hr, other).digest}) == 3


def test_photographs_have_no_lr_files(cache):
    with pytest.raises(InputError, match=r"photographs: no LR images at x2 beside its HR images"):
        inputs.open_training_lr(make_config(lr_source="files"), cache)


def test_lr_of_a_wrong_size_is_refused(hr, lr, load):
    lr[1] = lr[1]._replace(pixels=lr[1].pixels[:-1])
    with pytest.raises(InputError, match=r"b\.png: its LR image has 19x20 pixels, but HR has 40x40, which at x2 makes 20x20"):
        load(hr, lr)


def test_bad_pairs_are_skipped_together(hr, lr, load, capsys):
    """A pair is left out if either image is bad, or if they do not match; the others keep together."""
    hr.insert(0, Bad("x.png", "x.png: damaged"))
    lr.insert(0, Image("x.png", np.zeros((9, 9, 3), np.uint8)))
    lr[2] = Bad("b.png", "b.png: no image")
    images = load(hr, lr, bad_images="skip")
    err = capsys.readouterr().err
    assert "x.png: damaged" in err
    assert "b.png: no image" in err
    assert images.names == ["a.png", "c.png"]
    assert images.packs.lr is not None
    assert images.packs.hr.height.tolist() == [40, 60]
    assert images.packs.lr.height.tolist() == [20, 30]
    config = make_config(pipeline="host", lr_source="files", batch=32)
    plan = make_sampler(config, images).plan(0)
    batch = pipeline_of(config, images)[0](plan)
    for which, top, left, patch in zip(plan.image, plan.top, plan.left, batch.lr, strict=True):
        np.testing.assert_array_equal(patch, lr[(1, 3)[which]].pixels[top // 2 :, left // 2 :][:8, :8])


def test_a_bad_image_is_refused_every_time(hr, load):
    """Also when the pack is there already."""
    hr.append(Bad("x.png", "x.png: damaged"))
    for _ in range(2):
        with pytest.raises(InputError, match=r"1 image\(s\) cannot be used.*\n  x\.png: damaged"):
            load(hr)
    assert load(hr, bad_images="skip").names == list(SIZES)


def test_all_images_skipped(hr, load):
    with pytest.raises(InputError, match=r"no training image is left: all were skipped; is data\.patch=62 too large"):
        load(hr, bad_images="skip", patch=62)


def test_the_same_folder_of_changed_images_has_one_pack(tmp_path, rng):
    (tmp_path / "mine").mkdir()
    config = make_config(name="folder", dir=str(tmp_path / "mine"))
    digests = set()
    for name in ("a.png", "b.png"):
        PILImage.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(tmp_path / "mine" / name)
        digests.add(load_training_images(config, tmp_path / "cache").digest)
    assert len(digests) == 2
    assert len(list((tmp_path / "cache/packs").iterdir())) == 1


@pytest.fixture
def folders(tmp_path, rng) -> Path:
    """A folder to train on and one to evaluate on, which share the pixels of one image under other names and formats."""
    for path in ("train/1.png", "train/2.png", "held/a.png", "held/b.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        PILImage.fromarray(rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)).save(tmp_path / path)
    PILImage.open(tmp_path / "held/b.png").save(tmp_path / "train/same.bmp")
    return tmp_path


def folder_config(folders, **data) -> Config:
    data = {"name": "folder", "dir": str(folders / "train")} | data
    return Config(data=DataConfig(**data), eval=EvalConfig(sets=(str(folders / "held"),)))


def test_training_on_an_evaluation_image_is_refused(folders, cache):
    leak = r"(?s)1 training image\(s\) are evaluation images .*same\.bmp has the pixels of b\.png in held"
    with pytest.raises(InputError, match=leak):
        load_training_images(folder_config(folders), cache)


def test_unless_it_is_left_out(folders, cache):
    images = load_training_images(folder_config(folders, exclude=("same.bmp",)), cache)
    assert images.names == ["1.png", "2.png"]


def test_or_an_explicit_word_allows_it(folders, cache, capsys):
    assert len(load_training_images(folder_config(folders, leaks="allow"), cache).names) == 3
    assert "data.leaks=allow: training on 1 evaluation image(s):\n  same.bmp" in capsys.readouterr().err


def test_woman_is_refused_even_if_set5_is_not_evaluated(folders, cache, rng):
    smooth = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
    PILImage.fromarray(smooth).resize((481, 321)).save(folders / "train/302003.jpg")
    with pytest.raises(InputError, match=r"302003\.jpg is, by its name and size, the photograph of woman in Set5"):
        load_training_images(folder_config(folders, exclude=("same.bmp",)), cache)


def test_the_default_trains_on_what_is_not_held_out(cache):
    training = inputs.open_training_set(Config(), cache)
    (held_out,) = open_evaluation_sets(Config(), cache)
    assert (len(training), len(held_out.hr)) == (8, 3)
    inputs.refuse_leaks(training, [held_out], allow=False, cache=cache / "prepared")


def test_several_folders(folders, cache):
    config = folder_config(folders, dir=(str(folders / "train"), str(folders / "held")), leaks="allow")
    names = load_training_images(config, cache).names
    assert names == ["train/1.png", "train/2.png", "train/same.bmp", "held/a.png", "held/b.png"]


def test_named_sets_lie_below_the_root(folders, cache, monkeypatch, tmp_path):
    (folders / "sets").mkdir()
    shutil.copytree(folders / "train", folders / "sets/T91")
    monkeypatch.delenv("SR_JAX_DATA", raising=False)
    config = Config(data=DataConfig(name="91", root=str(folders / "sets")))
    assert inputs.open_training_set(config, cache).names == ("1.png", "2.png", "same.bmp")
    default = Config(data=DataConfig(name="91"))
    with pytest.raises(InputError, match=rf"T91 is not in the data root {tmp_path}/cache/datasets"):
        inputs.open_training_set(default, tmp_path / "cache")
    monkeypatch.setenv("SR_JAX_DATA", str(folders / "sets"))
    assert len(inputs.open_training_set(default, tmp_path / "cache")) == 3


def test_named_evaluation_sets(research_images, cache):
    config = Config(data=DataConfig(root=str(research_images)), eval=EvalConfig(sets=("set5", "photographs", "Set14")))
    loaded = [evaluation_sets.load_set(opened, scale=2) for opened in open_evaluation_sets(config, cache)]
    assert {one.title: len(one.images) for one in loaded} == {"Set5": 5, "photographs": 3, "Set14": 14}


def test_an_unknown_evaluation_set(cache):
    with pytest.raises(InputError, match=r"^eval\.sets: unknown set 'Set6'; did you mean Set5"):
        open_evaluation_sets(Config(eval=EvalConfig(sets=("Set6",))), cache)


@pytest.fixture
def pairs(folders, rng) -> Path:
    """A folder of three images to train on, with LR files of two of them."""
    for name in ("1.png", "2.png", "3.png"):
        (folders / "pairs/HR").mkdir(parents=True, exist_ok=True)
        (folders / "pairs/LRbicx2").mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)
        PILImage.fromarray(pixels).save(folders / "pairs/HR" / name)
        PILImage.fromarray(pixels[::2, ::2]).save(folders / "pairs/LRbicx2" / name)
    (folders / "pairs/LRbicx2/2.png").unlink()
    return folders


def test_an_image_without_lr_file_is_named_skipped_or_left_out(pairs, cache, capsys):
    place = {"dir": str(pairs / "pairs/HR"), "lr_source": "files", "patch": 16}
    reason = f"2.png: {pairs}/pairs/LRbicx2 lacks its LR image at x2"
    with pytest.raises(InputError, match=re.escape(reason)):
        load_training_images(folder_config(pairs, **place), cache)
    skipped = load_training_images(folder_config(pairs, **place, bad_images="skip"), cache)
    assert f"skipping 1 image(s):\n  {reason}\n" in capsys.readouterr().err
    left_out = load_training_images(folder_config(pairs, **place, exclude=("2.png",)), cache)
    assert "2.png" not in capsys.readouterr().err
    for images in (skipped, left_out):
        assert images.names == ["1.png", "3.png"]
        assert images.packs.lr is not None
        assert images.packs.lr.height.tolist() == [30, 30]


def test_a_link_to_nowhere_that_was_removed_is_forgotten(folders, cache):
    config = folder_config(folders, exclude=("same.bmp",))
    (folders / "train/gone.png").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"gone\.png: cannot be read"):
        load_training_images(config, cache)
    (folders / "train/gone.png").unlink()
    assert load_training_images(config, cache).names == ["1.png", "2.png"]


def test_sets_below_two_roots_have_two_packs(folders, tmp_path):
    times = set()
    for root in ("one", "two", "one"):
        place = folders / root / "T91"
        if not place.exists():
            shutil.copytree(folders / "train", place)
        config = Config(data=DataConfig(name="91", root=str(folders / root)))
        load_training_images(config, tmp_path / "cache")
        times |= {path.stat().st_mtime_ns for path in (tmp_path / "cache/packs").glob("*/pixels")}
    assert len(times) == 2


def test_messages_name_the_keys_of_the_config(tmp_path, cache):
    with pytest.raises(InputError, match=r"^eval\.sets: there is no folder nowhere$"):
        open_evaluation_sets(Config(eval=EvalConfig(sets=("./nowhere",))), cache)
    with pytest.raises(InputError, match=rf"^eval\.sets: Set5 is not in the data root {tmp_path}"):
        open_evaluation_sets(Config(data=DataConfig(root=str(tmp_path)), eval=EvalConfig(sets=("Set5",))), cache)
    config = Config(data=DataConfig(name="folder", dir=(str(tmp_path / "nowhere"),), lr_source="files"))
    for opener in (inputs.open_training_set, inputs.open_training_lr):
        with pytest.raises(InputError, match=rf"^data\.dir: there is no folder {tmp_path}/nowhere$"):
            opener(config, cache)


@pytest.mark.parametrize("half", [True, False])
def test_images_that_do_not_fit_into_memory_are_refused_on_cpu_too(hr, load, monkeypatch, half):
    images = load(hr)
    size = images.packs.hr.pixels.nbytes
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 2, "SC_PHYS_PAGES": size - half}.__getitem__)
    config = make_config(pipeline="resident")
    if half:
        with pytest.raises(InputError, match=r"data\.pipeline=resident: the images take .*use the host pipeline"):
            pipeline_of(config, images)
    else:
        pipeline_of(config, images)


@pytest.mark.slow
def test_the_papers_training_sets_have_no_leaks(research_images, cache):
    """With Set5 and Set14 to evaluate on."""
    for name in ("91", "291", "91+General-100"):
        config = Config(data=DataConfig(name=name, root=str(research_images)), eval=EvalConfig(sets=("Set5", "Set14")))
        training, held_out = inputs.open_training_set(config, cache), open_evaluation_sets(config, cache)
        inputs.refuse_leaks(training, held_out, allow=False, cache=cache / "prepared")


def test_a_changed_kernel_file_is_another_run(hr, load, tmp_path):
    digests = set()
    for taps in (np.ones((3, 3)), np.eye(3)):
        np.save(tmp_path / "k.npy", taps)
        digests.add(load(hr, degradation=(KernelFile(path=str(tmp_path / "k.npy")), Subsample())).digest)
    assert len({*digests, load(hr).digest}) == 3
