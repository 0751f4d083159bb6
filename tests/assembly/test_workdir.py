import subprocess
import sys
from pathlib import Path

import pytest

from sr_jax.assembly import workdir
from sr_jax.config import Config, OptimConfig
from sr_jax.errors import InputError

ROOT = Path(__file__).parent.parent.parent


def test_the_config_is_kept_and_compared(tmp_path):
    with workdir.claim(tmp_path / "run", Config(seed=2)):
        pass  # nothing was begun, so the directory is free for another config
    with workdir.claim(tmp_path / "run", Config()):
        workdir.register(tmp_path / "run", Config(), images=1, digest="a")
    with workdir.claim(tmp_path / "run", Config()):
        pass
    other = Config(seed=1, optim=OptimConfig(lr=0.1))
    with (
        pytest.raises(InputError, match=r"(?s)belongs to a different config.*seed: 1, 0.*optim\.lr: 0\.1, 0\.001"),
        workdir.claim(tmp_path / "run", other),
    ):
        pass


def test_checkpoints_of_nobody(tmp_path):
    (tmp_path / "checkpoints/100").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds checkpoints but no config\.json"), workdir.claim(tmp_path, Config()):
        pass


def test_damaged_config(tmp_path):
    (tmp_path / "config.json").write_text('{"steps": ')
    with pytest.raises(InputError, match=r"--workdir .*config\.json cannot be read"), workdir.claim(tmp_path, Config()):
        pass


def test_one_live_run_at_a_time(tmp_path):
    code = (
        "import sys, pathlib; from sr_jax import config; from sr_jax.assembly import workdir\n"
        "with workdir.claim(pathlib.Path(sys.argv[1]), config.Config()): print('in', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=-1, stdout=-1, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        with pytest.raises(InputError, match="in use by another run"), workdir.claim(tmp_path, Config()):
            pass
        other.kill()  # whatever way the other one ends, its lock ends with it
        other.wait()
        with workdir.claim(tmp_path, Config()):
            pass


def test_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"--workdir .*file/run cannot be written \(Not a directory\)"),
        workdir.claim(tmp_path / "file" / "run", Config()),
    ):
        pass


def test_images_that_changed(tmp_path):
    workdir.register(tmp_path, Config(), images=3, digest="abc")
    workdir.register(tmp_path, Config(), images=3, digest="abc")
    with pytest.raises(InputError, match="training images have changed"):
        workdir.register(tmp_path, Config(), images=4, digest="abd")
