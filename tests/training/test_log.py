import json

import numpy as np
from tensorboardX.proto.event_pb2 import Event

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
