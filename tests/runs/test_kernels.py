import os
import re

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from sr_jax import kernels as command
from sr_jax.assembly.network import make_module, make_network
from sr_jax.config import Config, DeconvSRConfig, FSRCNNConfig
from sr_jax.data.degrade.kernel_files import load_kernels
from sr_jax.ops.data_steps import data_step
from sr_jax.runs import kernels
from sr_jax.weights import files as weights
from sr_jax.weights.card import Card

DECONV = DeconvSRConfig(kernel_size=7, kernel_width=4, width=5)


def save(folder, model, scale: int = 2) -> str:
    config = Config(model=model, scale=scale)
    path = folder / "net.safetensors"
    weights.write(path, make_network(config).params, Card(config, 1, "abc", []))
    return str(path)


@pytest.fixture
def image(tmp_path, rng):
    path = tmp_path / "lr.png"
    Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    "model",
    [DECONV, DeconvSRConfig(kernel="static", mode="literal", kernel_size=7, channels=3)],
    ids=["predicted", "static, literal, RGB"],
)
def test_the_picture_and_the_kernel(tmp_path, cache, image, capsys, model):
    out = tmp_path / "new" / "folder"
    argv = ["--model", save(tmp_path, model), "--image", str(image), "--out", str(out), "--cache_dir", str(cache)]
    assert command.main(argv) == 0
    message = (
        r"lr-kernel\.png and \.npy: 7x7 taps, lambda"
        if model is DECONV
        else r"\.png: 8x8 taps of G, which is not a blur: no \.npy"
    )
    assert re.search(message, capsys.readouterr().out)
    assert (out / "lr-kernel.npy").exists() == (model is DECONV)
    if model is DECONV:
        expected, _ = make_module(Config(model=model)).predict(kernels.read(image, channels=1))
        np.testing.assert_allclose(np.load(out / "lr-kernel.npy"), expected[0], rtol=1e-5)
        np.testing.assert_allclose(load_kernels(out / "lr-kernel.npy"), expected, rtol=1e-5)
    with Image.open(out / "lr-kernel.png") as drawn:
        assert drawn.width > drawn.height > 100


def test_the_axes_of_a_blur_and_of_g():
    """A blur has its middle tap on the pixel that is kept; G, of 8 taps at x2, its middle between two HR pixels."""
    blur, g = (kernels.picture(np.ones((n, n)) / n**2, lam, scale=2).axes[0] for n, lam in ((7, [0.1]), (8, [])))
    assert (blur.get_title(), blur.get_xlabel()) == ("k", "HR pixels from the kept one")
    assert (g.get_title(), g.get_xlabel()) == ("G", "HR pixels from the middle of the LR pixel")


def test_parameters_are_those_of_the_file(tmp_path):
    config = Config(model=DECONV, seed=1)
    params = make_network(config).params
    weights.write(tmp_path / "net.safetensors", params, Card(config, 1, "abc", []))
    entry = nnx.to_pure_dict(nnx.state(kernels.load(str(tmp_path / "net.safetensors")), nnx.Param))["entry"]["kernel"]
    np.testing.assert_array_equal(entry, params["entry"]["kernel"])


@pytest.mark.parametrize("scale", [2, 3])
def test_the_inverse_is_that_of_the_data_step(rng, scale):
    """Its response to one LR pixel, from x0 = 0; s^2, since a subsampled spectrum is the mean of s^2."""
    kernel = rng.random((5, 5), dtype=np.float32)
    n = kernels.FREQUENCIES
    impulse = jnp.zeros((1, n, n, 1)).at[0, 0, 0, 0].set(1)
    zero = jnp.zeros((1, scale * n, scale * n, 1))
    response = np.asarray(data_step(impulse, jnp.asarray(kernel), zero, 0.05, scale=scale, centre=2, boundary="circular"))[
        0, :, :, 0
    ]
    expected = np.abs(np.fft.fft2(response)) / scale**2
    np.testing.assert_allclose(kernels.inverse_transfer(kernel, 0.05, scale=scale), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (FSRCNNConfig(d=7, s=3, m=1), "FSRCNN has no kernel; give a DeconvSR"),
        (DeconvSRConfig(kernel="given", kernel_size=7), "its kernel is given, not predicted"),
    ],
    ids=["FSRCNN", "given"],
)
def test_networks_without_a_kernel(tmp_path, cache, image, capsys, model, message):
    argv = ["--model", save(tmp_path, model), "--image", str(image), "--cache_dir", str(cache)]
    assert command.main(argv) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("model", "more"), [("bicubic", "; bicubic interpolation has no weights"), ("runs/nowhere", "")])
def test_places_that_are_not_there(cache, image, capsys, model, more):
    assert command.main(["--model", model, "--image", str(image), "--cache_dir", str(cache)]) == 2
    assert capsys.readouterr().err == f"error: {model}: no such work directory or weights file{more}\n"


def test_images_that_cannot_be_read(tmp_path, cache, capsys):
    (tmp_path / "text.png").write_text("no image")
    model = save(tmp_path, DECONV)
    os.mkfifo(tmp_path / "pipe.png")
    for name, message in [
        ("missing.png", "cannot be read"),
        ("text.png", "not an image of a known kind"),
        ("pipe.png", "regular"),
    ]:
        argv = ["--model", model, "--image", str(tmp_path / name), "--cache_dir", str(cache)]
        assert command.main(argv) == 2
        err = capsys.readouterr().err
        assert f"--image {tmp_path / name}" in err
        assert message in err
