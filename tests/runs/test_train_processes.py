"""Training runs as processes, as a user starts and stops them."""

import os
import re
import signal
import subprocess
import sys

import pytest

from sr_jax import train
from sr_jax.config import EvalConfig, to_json
from tests.conftest import ROOT
from tests.runs.short_runs import assert_same_bytes, final_state, make_config


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sr_jax.train", *arguments]


ENVIRONMENT = os.environ | {"JAX_NUM_CPU_DEVICES": "1", "PYTHONUNBUFFERED": "1"}


@pytest.mark.slow
@pytest.mark.exact
def test_sigterm_saves_and_the_same_command_goes_on(pictures, cache, tmp_path):
    config = make_config(
        pictures, steps=1000, checkpoint_every=1000, eval=EvalConfig(sets=(str(pictures),), every=1000), log_every=50
    )
    (tmp_path / "config.json").write_text(to_json(config))

    def start(name):
        argv = command("--config", str(tmp_path / "config.json"), "--workdir", str(tmp_path / name), "--cache_dir", str(cache))
        return subprocess.Popen(argv, stdout=-1, stderr=-1, text=True, cwd=ROOT, env=ENVIRONMENT)

    with start("stopped") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step 100/"):
                process.send_signal(signal.SIGTERM)
                break
        _, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    stopped = re.search(r"stopped by SIGTERM at step (\d+); all is saved", err)
    assert stopped, err
    assert 100 <= int(stopped[1]) < 1000

    outputs = {}
    for name in ("stopped", "straight"):
        with start(name) as process:
            outputs[name], err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert f"resuming    {tmp_path / 'stopped'} at step {int(stopped[1]):,}" in outputs["stopped"]
    assert_same_bytes(final_state(tmp_path / "stopped", config), final_state(tmp_path / "straight", config))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--config", str(ROOT / "configs/x9.py")],
            r"error: --config .*configs/x9\.py: no such file; did you mean .*configs/x\d\.py\?",
        ),
        (["--config.scale=5", "--config.data.patch=50"], r"error: scale=5: FSRCNN knows the scales 2, 3, 4"),
        (["--config.data.name=folder", "--config.data.dir=nowhere"], r"error: data\.dir: there is no folder nowhere"),
        (
            ["--config.data.patch=400"],
            r"error: data\.patch, data\.bad_images: a patch of 400x400 does not fit into the smallest image, coins\.png",
        ),
        (["--workdir", str(ROOT / "README.md/run")], r"error: --workdir .*README\.md/run cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path, cache, capsys):
    if "--workdir" not in arguments:
        arguments = [*arguments, "--workdir", str(tmp_path)]
    assert train.main([*arguments, "--cache_dir", str(cache)]) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(message + r".*\n", err), err


def test_the_process_ends_with_that_line_and_status():
    """Nothing else is printed by the interpreter, or by threads that are still alive."""
    argv = command("--workdir", "README.md/run")
    result = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, timeout=120, check=False)
    assert result.returncode == 2
    assert re.fullmatch(r"error: --workdir README\.md/run cannot be written.*\n", result.stderr), result.stderr
