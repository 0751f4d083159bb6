"""What a new network needs: one file, one line and one group of keys. Everything else derives from them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sr_jax

FILE = """
import jax
from flax import nnx

from sr_jax.models.about import About


class TinyNet(nnx.Module):
    about = About(name="TinyNet", paper="", year=2030, upsampler="nearest", channels=1, scales=(2,), last="conv")

    def __init__(self, *, scale, width, rngs):
        self.about.check_scale(scale)
        self.conv = nnx.Conv(1, width, (3, 3), rngs=rngs)

    def __call__(self, lr):
        return self.conv(lr).mean(-1, keepdims=True).repeat(2, 1).repeat(2, 2)
"""
LINE = "from sr_jax.models.tiny_net import TinyNet as TinyNet\n"
GROUP = '''
@network
class TinyNetConfig:
    """A network that exists only in this test."""

    name: Literal["tiny-net"] = "tiny-net"
    """Which network; the other keys of this group belong to it."""
    width: Width = 3
    """Channels of the features."""


'''
SCRIPT = """
import sys

from sr_jax import config
from sr_jax.config import Config, TinyNetConfig
from sr_jax.errors import InputError

chosen = Config(model=TinyNetConfig(width=4))
assert config.from_json(config.to_json(chosen)) == chosen
assert config.NETWORKS["tiny-net"] == TinyNetConfig()
assert config.title(chosen.model) == "tiny-net(width=4)"
try:
    config.from_json('{"model": {"name": "tinynet"}}')
except InputError as error:
    print(error)
assert "jax" not in sys.modules

import jax

from sr_jax import models

lr = jax.ShapeDtypeStruct((1, 5, 6, 1), "float32")
print(jax.eval_shape(lambda lr: models.make(chosen.model, scale=2, seed=0)(lr), lr).shape)
print(models.TinyNet is models.MODELS["tiny-net"], "TinyNet" in models.__all__)
"""


def insert(path: Path, text: str, *, before: str) -> None:
    source = path.read_text()
    assert source.count(before) == 1, before
    path.write_text(source.replace(before, text + before))


@pytest.fixture
def python(tmp_path):
    """Runs Python on a copy of the package that has the new network."""
    package = tmp_path / "sr_jax"
    shutil.copytree(Path(sr_jax.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "models" / "tiny_net.py").write_text(FILE)
    insert(package / "models" / "__init__.py", LINE, before="from sr_jax.models.usrnet import")
    insert(package / "config" / "networks.py", GROUP, before="if TYPE_CHECKING:\n")

    def run(*arguments: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_network_is_one_file_one_line_and_one_group(python):
    misspelt, shape, derived = python("-c", SCRIPT).splitlines()
    assert misspelt == "model: there is no network 'tinynet'; did you mean 'tiny-net'?"
    assert shape == "(1, 10, 12, 1)"
    assert derived == "True True"


def test_the_command_line_knows_it(python):
    text = python("-m", "sr_jax.train", "--config.model.name=tiny-net", "--help")
    assert "Channels of the features. (default: 3)" in text
