"""A small FSRCNN as PyTorch has it, and the command that converts it. The command that enlarges, with a known network."""

import types

import numpy as np
import pytest
from safetensors.numpy import save_file

from sr_jax import convert, upscale
from sr_jax.assembly import trained
from sr_jax.assembly.trained import Trained
from sr_jax.config import Config
from sr_jax.models import About
from sr_jax.ops import bicubic_upsample
from tests import golden

SIZES = ("--network.d=7", "--network.s=3", "--network.m=2")
OPTIONS = ("--network", "fsrcnn", "--scale", "2", *SIZES)
"""The network of `fsrcnn_state`."""


@pytest.fixture
def fsrcnn_state():
    """PyTorch's state dict."""
    return golden.network("fsrcnn-x2")[1]


@pytest.fixture
def call_convert(tmp_path, capsys):
    """Writes a source and calls the command; returns status, output, errors, and whether the output exists."""

    def call(tensors, *arguments, out=None):
        source, out = tmp_path / "theirs.safetensors", out or tmp_path / "ours.safetensors"
        save_file(tensors, source)
        status = convert.main([str(source), "--out", str(out), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err, out.exists()

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A place of weights, whatever they are."""
    path = tmp_path_factory.mktemp("model") / "bicubic-net_x2.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def bicubic_network(monkeypatch):
    """Whatever is loaded enlarges by bicubic interpolation."""
    about = About(name="Bicubic", channels=3, scales=(2,))
    params = {"factor": np.ones((), np.float32)}
    network = types.SimpleNamespace(about=about, params=params, apply=lambda p, lr: p["factor"] * bicubic_upsample(lr, 2))
    monkeypatch.setattr(trained, "load", lambda *_, **__: Trained(Config(scale=2), network, "bicubic"))


@pytest.fixture
def enlarge(tmp_path, model, bicubic_network, cache, capsys):  # noqa: ARG001
    """Calls the command; returns status, output and errors."""

    def run(*words, out="out"):
        status = upscale.main(
            [*map(str, words), "--model", str(model), "--out", str(tmp_path / out), "--cache_dir", str(cache)]
        )
        return status, *capsys.readouterr()

    return run
