"""The lock of a work directory, when the process that holds it dies."""

import subprocess
import sys

import pytest

from sr_jax.config import Config, workdir
from sr_jax.errors import InputError
from tests.conftest import ROOT

HOLD = (
    "import sys, pathlib; from sr_jax.config import Config, workdir\n"
    "with workdir.claim(pathlib.Path(sys.argv[1]), Config()):\n"
    "    print('claimed', flush=True); sys.stdin.read()"
)


@pytest.mark.slow
def test_a_lock_ends_with_its_process(tmp_path):
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "claimed\n"
        with pytest.raises(InputError, match="is in use by another run"), workdir.claim(tmp_path, Config()):
            pass
        holder.kill()
        holder.wait()
        assert (tmp_path / ".lock").exists()
        with workdir.claim(tmp_path, Config()):
            pass
