import contextlib
import json
import pickle
import subprocess
import sys
import time
import warnings

import pytest

from sr_jax import convert
from sr_jax.errors import InputError
from sr_jax.weights.torch import files as torch_files
from tests.runs.conftest import OPTIONS
from tests.weights.torch import written
from tests.weights.torch.hostile import attacks, wrapped


@pytest.mark.parametrize("name", attacks(""))
def test_attacks_are_not_run(name, tmp_path):
    """Python's own unpickler runs the same bytes."""
    canary = tmp_path / "canary"
    pickled = attacks(f"touch {canary}")[name]
    for form, data in wrapped(pickled).items():
        (tmp_path / f"{form}.pth").write_bytes(data)
        with pytest.raises(InputError, match=r"\.pth (holds (more|NumPy|no state dict)|was not written by torch\.save)"):
            torch_files.read(tmp_path / f"{form}.pth")
    assert not canary.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a process that is not waited for
        with contextlib.suppress(Exception):
            pickle.loads(pickled)
    end = time.monotonic() + 10
    while not canary.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_attack_ends_the_command_in_a_line(tmp_path, capsys):
    (tmp_path / "a.pth").write_bytes(wrapped(attacks(f"touch {tmp_path / 'canary'}")["reduce"])["archive"])
    out = tmp_path / "ours.safetensors"
    assert convert.main([str(tmp_path / "a.pth"), *OPTIONS, "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(
        f"error: {tmp_path / 'a.pth'} holds more than numbers: it asks for os.system. Nothing of it was run. "
    )
    assert message.count("\n") == 1
    assert not out.exists()
    assert not (tmp_path / "canary").exists()


def test_a_module_beside_an_attack_is_refused_too(tmp_path):
    attack = written.Call(written.Global("builtins", "eval"), ("1/0",))
    (tmp_path / "a.pth").write_bytes(written.older({"model": written.module("vdsr.Net"), "x": attack}))
    with pytest.raises(InputError, match=r"holds more than numbers: it asks for builtins\.eval\. Nothing of it was run"):
        torch_files.read(tmp_path / "a.pth")


@pytest.mark.slow
def test_hostile_files_in_a_process_of_their_own():
    """Attacks, bombs, files cut at every byte, and mutations."""
    command = [sys.executable, "-m", "tests.weights.torch.hostile", "--mutations", "1000"]
    seen = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=600).stdout)
    assert seen["faults"] == []
    assert not seen["was run"]
    assert seen["refused"] > 5000
    assert seen["read"] > 0  # so the files are not refused for a reason of their own
    assert seen["slowest"][0] < 20
    assert seen["peak"] < 2**30
