"""Runs that are recorded: for XProf and Perfetto, and by Weights & Biases, whose package writes offline here."""

import gzip
import json
import shutil
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from sr_jax import train as command
from sr_jax.assembly.messages import print_what_is_recorded
from sr_jax.config import OptimConfig
from sr_jax.errors import InputError, Interrupted
from sr_jax.runs.train import train
from sr_jax.training.profile import Profile
from tests.runs.short_runs import assert_same_bytes, final_state, forget_after, logged, make_config


@pytest.mark.parametrize(
    "text", ["", "3", "3:", ":7", "a:b", "3:7:9", "-3:7", "3.0:7", "٣:٧", "7:3", "3:3", "100:200", "9" * 19 + ":3"]
)
def test_steps_that_cannot_be_recorded_are_refused(text):
    with pytest.raises(InputError, match=f"--profile {text}: .*(such as 100:110|smaller than STOP|only 100 steps)"):
        command.steps_to_record(text, 100)


def test_steps_to_record():
    assert command.steps_to_record("99:1000", 100) == range(99, 1000)


@pytest.mark.parametrize(
    ("asked", "recorded", "text"),
    [
        (range(0), range(0), ""),
        (range(4, 8), range(4, 8), "profiling   steps 4:8, into run/profile\n"),
        (
            range(4, 9),
            range(4, 10),
            "profiling   steps 4:10, into run/profile\n            instead of 4:9, because it records whole ",
        ),
        (range(4, 8), range(0), "profiling   nothing, because steps 4:8 are done already\n"),
    ],
)
def test_what_is_recorded_is_said(asked, recorded, text, capsys):
    print_what_is_recorded(asked, recorded, Path("run"))
    out = capsys.readouterr().out
    assert out.startswith(text)
    assert bool(out) == bool(text)


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_missing_package_is_one_line_before_anything_starts(tmp_path, monkeypatch, capsys, is_folder):
    """Weights & Biases leaves a folder of its own name where it was used, which Python takes for a package."""
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path)] if is_folder else [])
    monkeypatch.delitem(command.sys.modules, "wandb", raising=False)
    assert command.main(["--wandb", "sr", "--workdir", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == "error: --wandb needs the package wandb; install it with pip install -e '.[wandb]'\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["", "a/b", "a" * 129, "a\nb"])
def test_names_that_no_project_can_have(name):
    with pytest.raises(InputError, match="give the name of a project"):
        command.check_project(name)


def steps_in(folder: Path) -> list[int]:
    """The steps that the one recording in a folder holds, as Perfetto reads them."""
    [file] = folder.rglob("perfetto_trace.json.gz")
    with gzip.open(file) as stream:
        events = json.load(stream)["traceEvents"]
    return sorted(int(event["args"]["step_num"]) for event in events if event.get("name") == "step")


@pytest.mark.slow
def test_a_recorded_run_ends_with_the_same_bytes(pictures, cache, tmp_path, capsys):
    config = make_config(pictures, steps_per_dispatch=2, data={"threads": 2})
    train(config, tmp_path / "plain", cache=cache)
    train(config, tmp_path / "run", cache=cache, profile=range(3, 8))
    assert "profiling   steps 2:8, into " in capsys.readouterr().out
    assert steps_in(tmp_path / "run/profile") == [2, 4, 6]
    assert len(list((tmp_path / "run/profile").rglob("*.xplane.pb"))) == 1
    assert_same_bytes(final_state(tmp_path / "plain", config), final_state(tmp_path / "run", config))
    assert len(logged(tmp_path / "run")) == len(logged(tmp_path / "plain"))


@pytest.mark.slow
def test_a_signal_in_the_middle_closes_the_recording(pictures, cache, tmp_path, monkeypatch):
    begin = Profile.begin

    def begin_and_be_stopped(self):
        begin(self)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Profile, "begin", begin_and_be_stopped)
    config = make_config(pictures)
    with pytest.raises(Interrupted, match="stopped by SIGTERM at step 4"):
        train(config, tmp_path / "run", cache=cache, profile=range(3, 9))
    assert steps_in(tmp_path / "run/profile") == [3]

    # The same command goes on, and records what is left.
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "run/profile")
    train(config, tmp_path / "run", cache=cache, profile=range(3, 9))
    assert steps_in(tmp_path / "run/profile") == [4, 5, 6, 7, 8]


def records(file: Path) -> Iterator[bytes]:
    """The records of an offline run. The file is LevelDB's log: blocks of 32 KiB, of pieces with checksum, length and kind."""
    data, place = file.read_bytes(), 7
    assert data[:4] == b":W&B"
    record = b""
    while place + 7 <= len(data):
        if 2**15 - place % 2**15 < 7:
            place += 2**15 - place % 2**15
            continue
        size, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        record += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a whole record, or the last piece of one
            yield record
            record = b""


def offline_rows(folder: Path) -> list[dict]:
    """What an offline run holds: its rows of values by name."""
    from wandb.proto.wandb_internal_pb2 import Record

    [file] = folder.glob("*.wandb")
    rows = []
    for data in records(file):
        record = Record.FromString(data)
        if record.HasField("history"):
            rows.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item})
    return rows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_resumed_run_goes_on_in_the_same_run_of_weights_and_biases(pictures, cache, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("WANDB_MODE", "offline")
    optim = OptimConfig(lr=1e-3, warmup_steps=2, schedule="drops")  # it does not depend on the number of steps
    train(make_config(pictures, optim=optim), tmp_path / "run", cache=cache, wandb="sr")
    forget_after(tmp_path / "run", 8)
    train(make_config(pictures, optim=optim, steps=16), tmp_path / "run", cache=cache, wandb="sr")
    [identifier] = json.loads((tmp_path / "run/wandb.json").read_text()).values()
    folders = sorted((tmp_path / "run/wandb").glob("offline-run-*"))
    assert [path.name.rpartition("-")[2] for path in folders] == [identifier] * 2
    first, second = ({row["_step"]: row for row in offline_rows(folder)} for folder in folders)
    assert [*first, *second] == [2, 4, 6, 8, 10, 12, 14, 16]  # steps 9 to 12, which were trained twice, are there once
    for row in logged(tmp_path / "run"):
        sent = (first | second)[row["step"]]
        assert {name: sent[name] for name in row if name in ("loss", "lr", "psnr_y")}.items() <= row.items()
    assert first[6]["pictures0_a._type"] == "image-file"
    assert "warning" not in capfd.readouterr().err.lower()
