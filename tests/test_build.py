"""Training images become packs; whole runs are in test_train."""

import hashlib
import pickle

import jax
import numpy as np
import pytest
from PIL import Image as PILImage

from sr_jax import build
from sr_jax.config import Config, DataConfig
from sr_jax.data.images import Bad, Image
from sr_jax.errors import InputError

SIZES = {"a.png": (41, 50), "b.png": (40, 40), "c.png": (60, 30)}


class Images:
    """An image set."""

    def __init__(self, *items):
        self.title, self._items = "some", items
        self.fingerprint = hashlib.sha256(pickle.dumps(items)).hexdigest()

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        return iter(self._items)


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
        monkeypatch.setattr(build, "open_hr", lambda *_: Images(*hr))
        monkeypatch.setattr(build, "open_lr", lambda *_: Images(*lr))
        config = make_config(**data, lr="degrade" if lr is None else "files")
        return build.load_training_images(config, tmp_path)

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
        config = make_config(pipeline=pipeline, lr="files")
        sampler = build.make_sampler(config, images)
        on_host, on_device, resident = build.make_pipeline(config, images.packs)
        batch = jax.jit(on_device)(resident, on_host(sampler.plan(0)))
        for i, (image, top, left) in enumerate(zip(*sampler.plan(0)[:3], strict=True)):
            expected = lr[image].pixels[top // 2 :, left // 2 :][:8, :8]
            np.testing.assert_array_equal(batch.lr[i], expected)


def test_both_digests_count(hr, lr, load):
    other = [lr[0]._replace(pixels=lr[0].pixels ^ np.uint8(1)), *lr[1:]]
    assert len({load(hr).digest, load(hr, lr).digest, load(hr, other).digest}) == 3


def test_photographs_have_no_lr_files(tmp_path):
    with pytest.raises(InputError, match=r"data\.lr=files: there are no LR files of data\.name=photographs"):
        build.open_lr(make_config(lr="files"), tmp_path)


def test_lr_of_a_wrong_size_is_refused(hr, lr, load):
    lr[1] = lr[1]._replace(pixels=lr[1].pixels[:-1])
    with pytest.raises(InputError, match=r"b\.png: its LR image is 19x20, but that of b\.png, which is 40x40, must be 20x20"):
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
    config = make_config(pipeline="host", lr="files", batch=32)
    plan = build.make_sampler(config, images).plan(0)
    batch = build.make_pipeline(config, images.packs)[0](plan)
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
        digests.add(build.load_training_images(config, tmp_path / "cache").digest)
    assert len(digests) == 2
    assert len(list((tmp_path / "cache/packs").iterdir())) == 1
