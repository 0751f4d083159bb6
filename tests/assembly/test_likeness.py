import types

import numpy as np
import pytest
from PIL import Image

from sr_jax.assembly import likeness
from sr_jax.assembly.trained import Trained
from sr_jax.config import Config, DataConfig, GaussianBlur, GaussianNoise, Jpeg, Subsample
from sr_jax.ops.resize import imresize_host
from sr_jax.pictures import read
from tests.pictures import corpus

NETWORK = types.SimpleNamespace()
STAGES = (GaussianBlur(), Subsample(), GaussianNoise(sigma=(0.0, 15.0)), Jpeg(quality=(30, 95)))
CLEAN = Config(scale=2)
HARDENED = Config(scale=2, data=DataConfig(degradation=STAGES))


def pictures(rng):
    """A photograph, and what makes it unlike clean LR."""
    import skimage.data

    lr = imresize_host(skimage.data.astronaut(), scale=0.5, kernel="bicubic", antialias=True)
    noisy = np.clip(lr + rng.normal(0, 12, lr.shape), 0, 255).round().astype(np.uint8)
    blurred = np.asarray(Image.fromarray(lr).resize((512, 512), Image.Resampling.BICUBIC))
    return {
        "clean": corpus.pillow(lr, "PNG"),
        "good JPEG": corpus.pillow(lr, "JPEG", quality=90),
        "JPEG": corpus.pillow(lr, "JPEG", quality=35),
        "noise": corpus.pillow(noisy, "PNG"),
        "blur": corpus.pillow(blurred, "PNG"),
        "bad JPEG": corpus.pillow(lr, "JPEG", quality=20),
        "much noise": corpus.pillow(np.clip(noisy + rng.normal(0, 30, lr.shape), 0, 255).astype(np.uint8), "PNG"),
    }


def warnings(config, files, **options):
    trained = Trained(config, NETWORK, "test", **options)
    return {name: likeness.warning(read.decode(data, name), data, trained) for name, data in files.items()}


def test_pictures_unlike_the_training_are_named(rng):
    files = pictures(rng)
    found = warnings(CLEAN, files)
    parts = {
        "clean": "",
        "good JPEG": "",
        "JPEG": "is a JPEG file of quality 35, and fsrcnn was trained on LR that is not compressed",
        "noise": "grey levels, and fsrcnn was trained on LR without noise",
        "blur": "is blurred or was enlarged before",
        "bad JPEG": "JPEG file of quality 20",
        "much noise": "was trained on LR without noise",
    }
    for name, part in parts.items():
        assert (part in found[name]) if part else (found[name] == ""), (name, found[name])
        assert "\n" not in found[name]


def test_what_the_training_covers_is_not_named(rng):
    found = warnings(HARDENED, pictures(rng))
    assert {name for name, text in found.items() if text} == {"bad JPEG", "much noise"}
    assert "LR of quality 30 and better" in found["bad JPEG"]
    assert "with noise of at most 15" in found["much noise"]


def test_nothing_is_said_where_the_training_is_not_known(rng):
    files = pictures(rng)
    assert not any(warnings(CLEAN, files, is_converted=True).values())
    assert not any(warnings(Config(scale=2, data=DataConfig(lr_source="files")), files).values())


@pytest.mark.parametrize("degradation", ["classical", "real-esrgan"])
def test_degradations_with_names(degradation):
    training = likeness.training_of(Config(scale=2, data=DataConfig(degradation=degradation)))
    assert training.is_blurred
    assert training.most_noise >= 25
    assert training.worst_quality == {"classical": None, "real-esrgan": 30}[degradation]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_no_photograph_of_the_research_sets_is_named(scale, research_images):
    trained = Trained(CLEAN, NETWORK, "test")
    files = [file for name in ("Set5", "Set14", "BSDS200") for file in sorted((research_images / name).rglob("*.*"))]
    files = [file for file in files if file.suffix in (".png", ".jpg", ".bmp") and "LRbic" not in str(file)]
    assert len(files) > 200
    for file in files:
        hr = read.decode(file, file.name).pixels
        lr = imresize_host(hr, scale=1 / scale, kernel="bicubic", antialias=True)
        picture = read.decode(file, file.name)._replace(pixels=lr)
        assert likeness.warning(picture, b"", trained) == "", file
