import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

from sr_jax.training.log import Log


def lines(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_scalars_are_appended(tmp_path):
    with Log(tmp_path, step=0) as log:
        log.scalars(10, {"loss": 0.5})
        assert lines(tmp_path) == [{"step": 10, "loss": 0.5}]  # at once, not at the end
        log.scalars(20, {"loss": 0.25})
        assert log.history() == lines(tmp_path)
    assert [row["step"] for row in lines(tmp_path)] == [10, 20]


def test_resuming_drops_what_was_written_later(tmp_path):
    with Log(tmp_path, step=0) as log:
        for step in (10, 20, 30):
            log.scalars(step, {"loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')  # cut short by a crash
    with Log(tmp_path, step=20) as log:
        log.scalars(30, {"loss": 2.0})
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
    with Log(tmp_path, step=0) as log:
        log.scalars(10, {"loss": 0.5})
        log.picture(10, "cat", np.zeros((4, 4, 3), np.uint8))
    values = {value.tag: (event.step, value) for event in events(tmp_path) for value in event.summary.value}
    step, loss = values["loss"]
    assert step == 10
    assert loss.simple_value == 0.5
    assert values["cat"][1].image.height == 4


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"3",
        b"[]",
        b'"a"',
        b"{}",
        b'{"step": "x"}',
        b'{"step": null}',
        b'{"step": 40, "lo',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_damaged_lines_are_left_out_and_counted(tmp_path, line, capsys):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 10, "loss": 1.0}\n' + line + b'\n{"step": 20, "loss": 2.0}\n')
    with Log(tmp_path, step=20) as log:
        assert log.history() == lines(tmp_path) == [{"step": 10, "loss": 1.0}, {"step": 20, "loss": 2.0}]
    assert capsys.readouterr().err == f"{tmp_path / 'metrics.jsonl'}: 1 damaged line(s) are left out\n"


def test_a_resumed_log_hides_events_of_later_steps(tmp_path):
    """TensorBoard drops events from the step of a START on."""
    with Log(tmp_path, step=20):
        pass
    starts = [event.step for event in events(tmp_path) if event.session_log.status == 1]
    assert starts == [21]


needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")


def fill(file):
    """From now on an open file has no room."""
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), file.fileno())


@needs_full_device
def test_a_full_disk_is_an_error_of_the_caller(tmp_path):
    log = Log(tmp_path, step=0)
    log.scalars(10, {"loss": 0.5})
    fill(log._lines)
    with pytest.raises(OSError, match=r"metrics\.jsonl") as caught:
        log.scalars(20, {"loss": 0.5})
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match=r"metrics\.jsonl"), log:
        pass
    assert [row["step"] for row in lines(tmp_path)] == [10]


@needs_full_device
def test_events_have_no_thread_that_could_fail_unseen(tmp_path):
    log = Log(tmp_path, step=0)
    fill(log._events._records._writer)

    def fill_buffer():
        for step in range(1000):
            log.scalars(step, {"loss": 0.5})

    with pytest.raises(OSError, match=r"events\.out\.tfevents") as caught:
        fill_buffer()
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match=r"events\.out\.tfevents"), log:
        pass


@needs_full_device
def test_closing_a_log_hides_no_other_error(tmp_path):
    log = Log(tmp_path, step=0)
    fill(log._events._records._writer)
    with pytest.raises(ValueError, match="diverged"), log:
        raise ValueError("diverged")
