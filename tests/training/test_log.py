import json

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from sr_jax.system.files import replace_bytes
from sr_jax.training.log import Progress, Writer


def lines(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_scalars_are_appended(tmp_path):
    with Writer(tmp_path, step=0) as writer:
        writer.scalars(10, {"loss": 0.5})
        assert lines(tmp_path) == [{"step": 10, "loss": 0.5}]  # at once, not at the end
        writer.scalars(20, {"loss": 0.25})
        assert writer.history() == lines(tmp_path)
    assert [row["step"] for row in lines(tmp_path)] == [10, 20]


def test_resuming_drops_what_was_written_later(tmp_path):
    with Writer(tmp_path, step=0) as writer:
        for step in (10, 20, 30):
            writer.scalars(step, {"loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')  # cut short by a crash
    with Writer(tmp_path, step=20) as writer:
        writer.scalars(30, {"loss": 2.0})
    assert lines(tmp_path) == [{"step": 10, "loss": 1.0}, {"step": 20, "loss": 1.0}, {"step": 30, "loss": 2.0}]


def events(directory):
    """TensorBoard's record format: length, checksum, event, checksum."""
    for path in sorted((directory / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            yield Event.FromString(data[12 : 12 + size])
            data = data[12 + size + 4 :]


def test_tensorboard_events(tmp_path):
    with Writer(tmp_path, step=0) as writer:
        writer.scalars(10, {"loss": 0.5})
        writer.picture(10, "cat", np.zeros((4, 4, 3), np.uint8))
    values = {value.tag: (event.step, value) for event in events(tmp_path) for value in event.summary.value}
    step, loss = values["loss"]
    assert step == 10
    assert loss.simple_value == 0.5
    assert values["cat"][1].image.height == 4


REPORT = {"loss": 0.25, "images_per_s": 1234.0, "wait_share": 0.015}


def test_plain_lines_where_there_is_no_terminal(capsys):
    with Progress(total=100, done=0, terminal=False) as progress:
        progress.advance(50)
        progress.report(REPORT)
        progress.say("evaluated")
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith("step 50/100  loss 0.25000  1,234 images/s  waiting for data 1.5%  ")
    assert first.endswith("? left")  # after one advance there is no speed yet
    assert second == "evaluated"
    assert "\r" not in out + err


def test_a_bar_on_a_terminal(capsys):
    with Progress(total=100, done=20, terminal=True) as progress:
        progress.advance(50)
        progress.report(REPORT)
    err = capsys.readouterr().err
    assert "step 50/100" in err
    assert "1,234 images/s" in err
    assert "left" in err


@pytest.mark.parametrize("done", [0, 40])
def test_time_left_counts_this_run_alone(capsys, done, monkeypatch):
    clock = iter([7.0, 36.0])
    monkeypatch.setattr("sr_jax.training.log.time.monotonic", lambda: next(clock))
    with Progress(total=100, done=done, terminal=False) as progress:
        progress.advance(done + 1)  # after compiling, which does not count
        progress.advance(done + 30)
        progress.report(REPORT)
    expected = {0: "01:10", 40: "00:30"}[done]
    assert f"{expected} left" in capsys.readouterr().out


def test_nothing_is_left_of_what_could_not_be_written(tmp_path):
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(OSError, match=r"d\.safetensors"):
        replace_bytes(tmp_path / "d.safetensors", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["d.safetensors"]
