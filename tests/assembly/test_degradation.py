"""What follows from a degradation; the LR that it makes is in test_evaluation_sets and in tests/data/degrade."""

import numpy as np
import pytest

from sr_jax.assembly.degradation import Degradation, bicubic, named, of_evaluation, of_training
from sr_jax.config import (
    Bicubic,
    ClassicalBlur,
    Config,
    DataConfig,
    EvalConfig,
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    KernelFile,
    Subsample,
    to_json,
)
from sr_jax.errors import InputError

BLURRED = (GaussianBlur(), Subsample(), GaussianNoise())
FILES = Degradation((Bicubic(),), scale=2, lr_files=True)


def test_names():
    assert (bicubic(2).title, bicubic(2).lr_source, bicubic(2).why_rgb) == ("bicubic", "computed", "")
    assert (FILES.title, FILES.lr_source, FILES.why_rgb) == ("files", "files", "LR comes from files")
    blurred = Degradation(BLURRED, scale=2)
    assert blurred.lr_source == "computed: gaussian-blur, subsample, gaussian-noise"
    assert blurred.why_rgb == "LR is made by gaussian-blur, subsample, gaussian-noise, of RGB"


def test_what_is_bicubic():
    assert bicubic(3).is_bicubic
    assert not FILES.is_bicubic
    assert not Degradation((Bicubic(), Jpeg()), scale=2).is_bicubic


@pytest.mark.parametrize(
    ("stages", "is_known"),
    [
        ((Bicubic(),), True),
        ((Bicubic(), GaussianNoise()), True),
        ((Subsample(),), True),
        (BLURRED, True),
        ((GaussianNoise(), GaussianBlur(), Subsample()), False),  # the noise is blurred too
        ((GaussianBlur(), GaussianBlur(), Subsample()), False),
        ((GaussianBlur(), Bicubic()), False),
        ((GaussianBlur(), Subsample(), Jpeg()), False),
    ],
)
def test_which_chains_tell_the_blur(stages, is_known):
    degradation = Degradation(stages, scale=2)
    assert degradation.tells_blur == is_known
    drawn = {"kernel": np.full((1, 3, 3), 1 / 9, np.float32), "noise_sigma": np.full((1,), 5.1, np.float32)}
    known = degradation.known(drawn, examples=1)
    assert (known is not None) == is_known
    if is_known:
        degradation.require_blur("it")
        assert known.kernel.sum() == pytest.approx(1)
        assert known.noise == pytest.approx(0.02)
    else:
        with pytest.raises(InputError, match=r"^it must be told the blur kernel and the noise .* does not say; use a blur"):
            degradation.require_blur("it")


def test_files_tell_nothing():
    assert FILES.known({}, examples=1) is None
    with pytest.raises(InputError, match=r"^usrnet must be told .* which LR files do not say"):
        FILES.require_blur("usrnet")


def test_evaluation_takes_the_way_of_training_unless_it_says_otherwise():
    blurred = Config(data=DataConfig(degradation=BLURRED))
    assert of_evaluation(blurred, "own").stages == of_evaluation(blurred, "training").stages == BLURRED
    assert of_evaluation(blurred, "bicubic").is_bicubic
    on_bicubic = Config(data=DataConfig(degradation=BLURRED), eval=EvalConfig(degradation="bicubic"))
    assert of_evaluation(on_bicubic, "own").is_bicubic
    assert of_evaluation(on_bicubic, "training").stages == BLURRED
    files = Config(data=DataConfig(lr_source="files"))
    assert of_training(files).lr_files
    assert of_evaluation(files, "training").is_bicubic


def test_kernel_files_count(tmp_path):
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    stages = (KernelFile(path=str(tmp_path / "k.npy")), Subsample())
    (digest,) = Degradation(stages, scale=2).kernel_digests
    np.save(tmp_path / "k.npy", np.eye(3))
    assert Degradation(stages, scale=2).kernel_digests != [digest]
    assert bicubic(2).kernel_digests == []


def test_a_degradation_that_is_named(tmp_path):
    """By a preset, a config file, or a work directory. The scale is that of the images."""
    assert named("classical", scale=4).stages == (ClassicalBlur(), Subsample(), GaussianNoise())
    assert named("bicubic", scale=3).is_bicubic
    assert named("fsrcnn-x2", scale=3).is_bicubic
    config = Config(scale=3, data=DataConfig(degradation=BLURRED))
    (tmp_path / "config.json").write_text(to_json(config))
    for place in (tmp_path, tmp_path / "config.json"):
        degradation = named(str(place), scale=2)
        assert (degradation.stages, degradation.scale) == (BLURRED, 2)
    assert degradation.spelling == "GaussianBlur(), Subsample(), GaussianNoise()"
    assert (
        Degradation((GaussianBlur(sigma=(1.0, 2.0)), Bicubic()), scale=2).spelling
        == "GaussianBlur(sigma=(1.0, 2.0)), Bicubic()"
    )


@pytest.mark.parametrize(
    ("data", "scale", "message"),
    [
        ({"lr_source": "files"}, 2, "trained on LR files, so how they were made is not known"),
        ({"degradation": (GaussianBlur(size=7, sigma=(1.0, 1.0)), Subsample())}, 6, r"size=7 is too small.*use size=11"),
    ],
)
def test_a_degradation_that_cannot_be_used(tmp_path, data, scale, message):
    (tmp_path / "config.json").write_text(to_json(Config(data=DataConfig(**data))))
    with pytest.raises(InputError, match=message):
        named(str(tmp_path), scale=scale)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clasical", "there is no such degradation, config file, work directory or weights file; did you mean classical"),
        ("runs/nowhere", "no such degradation.*the names are own, training, bicubic, classical, real-esrgan"),
        ("nowhere.py", "nowhere.py: no such file"),
        ("/", "holds no config.json"),
    ],
)
def test_a_degradation_that_is_not_there(name, message):
    with pytest.raises(InputError, match=message):
        named(name, scale=2)
