import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sr_jax.config import Config, DataConfig, EvalConfig, OptimConfig, workdir
from sr_jax.errors import InputError

ROOT = Path(__file__).parent.parent.parent


def register(directory, config, *, step=0, digest="abc"):
    """Begins or resumes a run with three images, and returns the keys that changed."""
    with workdir.claim(directory, config) as changes:
        workdir.register(directory, config, step=step, images=3, digest=digest, changes=changes)
        return changes


def test_the_config_is_kept_and_compared(tmp_path):
    with workdir.claim(tmp_path / "run", Config(seed=2)):
        pass  # nothing was begun, so the directory is free for another config
    with workdir.claim(tmp_path / "run", Config()):
        workdir.register(tmp_path / "run", Config(), step=0, images=1, digest="a", changes={})
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
        "import sys, pathlib; from sr_jax import config; from sr_jax.config import workdir\n"
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


def test_checkpoints_that_cannot_be_written(tmp_path):
    """The run ends before its training, and not at its first checkpoint."""
    (tmp_path / "checkpoints").symlink_to("/sys")
    with (
        pytest.raises(InputError, match=rf"--workdir {tmp_path}/checkpoints cannot be written \(\w.*\); take another"),
        workdir.claim(tmp_path, Config()),
    ):
        pass
    (tmp_path / "checkpoints").unlink()
    with workdir.claim(tmp_path, Config()):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.slow
def test_too_little_space(tmp_path):
    """A process that may write no large files stands for a disk that is nearly full."""
    code = (
        "import resource, signal, sys, pathlib; from sr_jax.config import Config, workdir\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, 2**19))\n"
        "with workdir.claim(pathlib.Path(sys.argv[1]), Config()): pass"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert run.stderr.endswith(f"InputError: --workdir {tmp_path} cannot be written (File too large); take another directory\n")


def test_images_that_changed(tmp_path):
    register(tmp_path, Config())
    register(tmp_path, Config())
    with pytest.raises(InputError, match="training images have changed"):
        workdir.register(tmp_path, Config(), step=0, images=4, digest="abd", changes={})


def test_some_keys_may_change_and_are_noted(tmp_path):
    data, evaluation = DataConfig(pipeline="host", prefetch=2), EvalConfig(sets=("Set5",), every=10)
    changed = Config(log_every=7, keep=9, checkpoint_every=5, data=data, eval=evaluation)
    register(tmp_path, Config())
    assert register(tmp_path, changed, step=40) == {
        "data.pipeline": ("resident", "host"),
        "data.prefetch": (8, 2),
        "eval.sets": (("photographs",), ("Set5",)),
        "eval.every": (1000, 10),
        "log_every": (100, 7),
        "checkpoint_every": (1000, 5),
        "keep": (2, 9),
    }
    assert register(tmp_path, changed, step=50) == {}
    register(tmp_path, dataclasses.replace(changed, keep=2), step=60)
    noted = [json.loads(line) for line in (tmp_path / "changes.jsonl").read_text().splitlines()]
    assert [row["step"] for row in noted] == [40, 60]
    assert noted[1]["changes"] == {"keep": [9, 2]}
    assert json.loads((tmp_path / "config.json").read_text())["keep"] == 2


def test_steps_may_only_grow(tmp_path):
    register(tmp_path, Config(steps=300))
    with pytest.raises(InputError, match=r"holds a run of 300 steps; steps=200 would shorten it"):
        register(tmp_path, Config(steps=200))
    assert register(tmp_path, Config(steps=600)) == {"steps": (300, 600)}
    with pytest.raises(InputError, match=r"holds a run of 600 steps"):
        register(tmp_path, Config(steps=300))


def test_where_the_schedule_begins(tmp_path):
    """An extension that restarts the schedule is remembered by the runs after it."""

    def begin(steps, on_extend, step):
        config = Config(steps=steps, optim=OptimConfig(on_extend=on_extend))
        with workdir.claim(tmp_path, config) as changes:
            start = workdir.schedule_start(tmp_path, config, changes, step)
        register(tmp_path, config, step=step)
        return start

    assert begin(300, "restart", 0) == 0
    assert begin(600, "stretch", 300) == 0
    assert begin(900, "restart", 600) == 600
    assert begin(900, "restart", 700) == 600
    assert begin(900, "stretch", 800) == 600
    assert begin(1200, "stretch", 900) == 600
    assert begin(1200, "stretch", 500) == 500  # the checkpoints of 600 and 900 are damaged
    assert begin(1200, "stretch", 700) == 500


def test_a_warm_up_that_is_given_equals_one_that_is_not(tmp_path):
    """Work directories of earlier versions state it."""
    register(tmp_path, Config(optim=OptimConfig(warmup_steps=100)))
    assert register(tmp_path, Config()) == {}
    with pytest.raises(InputError, match=r"optim\.warmup_steps: 50, None"):
        register(tmp_path, Config(optim=OptimConfig(warmup_steps=50)))


def test_a_finished_run(tmp_path):
    def is_finished(config):
        return workdir.is_finished(tmp_path, config)

    config = Config(steps=20)
    register(tmp_path, config)
    (tmp_path / "results.md").write_text("the table")
    assert not is_finished(config)  # these may be results of fewer steps
    workdir.finish(tmp_path, config)
    assert not is_finished(config)  # its checkpoint is missing
    (tmp_path / "checkpoints" / "20").mkdir(parents=True)
    assert is_finished(config)
    assert is_finished(dataclasses.replace(config, log_every=5))
    for other in (dataclasses.replace(config, steps=40), dataclasses.replace(config, eval=EvalConfig(sets=("Set5",)))):
        assert not is_finished(other)
    (tmp_path / "finished.json").write_bytes(b"\xff")
    assert not is_finished(config)


@pytest.mark.parametrize("content", [b"null", b"3", b"[]", b"\xff\xfe", b"{", b"{}"])
def test_damaged_files(tmp_path, content):
    register(tmp_path, Config())
    config = (tmp_path / "config.json").read_text()
    for name in ("data.json", "config.json", "changes.jsonl"):
        (tmp_path / name).write_bytes(content)
        if (name, content) == ("config.json", b"{}"):  # all keys have their defaults
            register(tmp_path, Config())
        else:
            with pytest.raises(InputError, match=rf"--workdir {tmp_path}") as caught:
                register(tmp_path, dataclasses.replace(Config(), keep=5))
            assert name in str(caught.value) or "images have changed" in str(caught.value)
        (tmp_path / name).unlink()
        (tmp_path / "config.json").write_text(config)


@pytest.mark.parametrize("key", ["data.dir", "eval.sets"])
def test_a_work_directory_among_the_images_is_refused(tmp_path, key):
    """The sample sheets of one run would be training images of the next."""
    images = str(tmp_path / "images")
    (tmp_path / "images").mkdir()
    data = DataConfig(name="folder", dir=(images if key == "data.dir" else "elsewhere",))
    config = Config(data=data, eval=EvalConfig(sets=(images if key == "eval.sets" else "Set5",)))
    for inside in (tmp_path / "images", tmp_path / "images" / "runs" / "x2", tmp_path / "images" / ".." / "images" / "x2"):
        with pytest.raises(InputError, match=rf"--workdir .* lies in a folder of images, {key}={images}"):
            workdir.check(inside, config)
    assert workdir.check(tmp_path / "images-2", config) == {}
    assert workdir.check(tmp_path, config) == {}
