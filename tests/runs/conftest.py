"""A small FSRCNN as PyTorch has it, and the command that converts it."""

import pytest
from safetensors.numpy import save_file

from sr_jax import convert
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
