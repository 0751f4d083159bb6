import csv
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


def table(directory):
    """The rows of metrics.csv as dictionaries of numbers, without empty cells."""
    with (directory / "metrics.csv").open(newline="") as file:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]


def test_the_table_has_one_row_for_each_step_and_a_column_for_each_name(tmp_path):
    with Log(tmp_path, step=0) as log:
        log.scalars(10, {"loss": 0.1, "lr": 1 / 3})
        log.scalars(20, {"loss": float("nan"), "lr": 0.25})
        log.scalars(20, {"psnr_y": 30.0})  # an evaluation at the step of a report
        log.scalars(30, {"psnr_y": 31.0})  # one at a step without a report
        log.scalars(40, {"loss": 0.4, "lr": 0.125, "skipped": 2.0})
        assert table(tmp_path) == [
            {"step": 10, "loss": 0.1, "lr": 1 / 3},
            {"step": 20, "lr": 0.25, "psnr_y": 30.0},
            {"step": 30, "psnr_y": 31.0},
            {"step": 40, "loss": 0.4, "lr": 0.125, "skipped": 2.0},
        ]
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == "step,loss,lr,psnr_y,skipped"


def test_the_table_is_right_after_a_crash(tmp_path):
    with Log(tmp_path, step=0) as log:
        for step in (10, 20, 30):
            log.scalars(step, {"loss": 1.0})
        log.scalars(30, {"psnr_y": 30.0})
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("40,0.")  # cut short
    with Log(tmp_path, step=20) as log:
        assert table(tmp_path) == lines(tmp_path) == [{"step": 10, "loss": 1.0}, {"step": 20, "loss": 1.0}]
        log.scalars(30, {"loss": 2.0})
        assert table(tmp_path) == lines(tmp_path)
    (tmp_path / "metrics.csv").unlink()  # a work directory that never had one
    with Log(tmp_path, step=30):
        assert [row["step"] for row in table(tmp_path)] == [10, 20, 30]


def test_what_is_logged_again_where_a_run_goes_on_replaces_what_was_there(tmp_path):
    """A signal or a full disk can end a run after its evaluation, which is then made again."""
    with Log(tmp_path, step=0) as log:
        for step in (10, 20):
            log.scalars(step, {"loss": 1.0})
            log.scalars(step, {"psnr_y": 30.0})
    with Log(tmp_path, step=20) as log:
        log.scalars(20, {"psnr_y": 31.0})  # by another protocol, perhaps
        log.scalars(30, {"loss": 2.0})
    assert lines(tmp_path) == [
        {"step": 10, "loss": 1.0},
        {"step": 10, "psnr_y": 30.0},
        {"step": 20, "loss": 1.0},
        {"step": 20, "psnr_y": 31.0},
        {"step": 30, "loss": 2.0},
    ]
    assert [row.get("psnr_y") for row in table(tmp_path)] == [30.0, 31.0, None]


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
    fill(log._lines._file)
    with pytest.raises(OSError, match=r"metrics\.jsonl") as caught:
        log.scalars(20, {"loss": 0.5})
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match=r"metrics\.jsonl"), log:
        pass
    assert [row["step"] for row in lines(tmp_path)] == [10]


@needs_full_device
def test_a_full_disk_names_the_table(tmp_path):
    log = Log(tmp_path, step=0)
    log.scalars(10, {"loss": 0.5})
    fill(log._table._file._file)
    with pytest.raises(OSError, match=r"metrics\.csv"):
        log.scalars(20, {"loss": 0.5})
    with pytest.raises(OSError, match=r"metrics\.csv"), log:
        pass
    with Log(tmp_path, step=20):  # once there is room
        assert [row["step"] for row in table(tmp_path)] == [10, 20]


@needs_full_device
def test_events_have_no_thread_that_could_fail_unseen(tmp_path):
    log = Log(tmp_path, step=0)
    fill(log._events._file._file)

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
    fill(log._events._file._file)
    with pytest.raises(ValueError, match="diverged"), log:
        raise ValueError("diverged")
