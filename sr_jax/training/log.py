"""The log of a run: scalars as JSON lines, as a table and as TensorBoard events, and pictures for TensorBoard."""

import contextlib
import csv
import io
import json
import socket
import struct
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from tensorboardX import summary
from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import masked_crc32c

from sr_jax.errors import InputError
from sr_jax.system.files import parse_json, without_infinities
from sr_jax.system.paths import AnyPath, is_remote
from sr_jax.training.growing_file import GrowingFile
from sr_jax.training.weights_and_biases import WandbRun

events: Any = event_pb2  # it has no types

MOST_EVENTS = 2**23

Row = dict[str, Any]
"""A line of `metrics.jsonl`: the step, and values by name."""


class Log:
    """Writes scalars to `metrics.jsonl`, `metrics.csv`, TensorBoard events and, if there is one, a run of Weights & Biases.

    All are written in the caller's thread, so that the caller learns of a full disk.

    Args:
      directory: the work directory.
      step: the step from which the run goes on. Lines of later steps, written before a crash, are dropped.
      is_writer: whether this process writes the log; in the other processes of a run it does nothing.
      wandb: the run of Weights & Biases. The log closes it. Lines that an earlier process logged are not sent again.
    """

    def __init__(self, directory: AnyPath, *, step: int, is_writer: bool = True, wandb: WandbRun | None = None):
        self._path = directory / "metrics.jsonl"
        self._is_writer, self._wandb = is_writer, wandb
        self._lines: GrowingFile | None = None
        if not is_writer:
            return
        before = self.history()
        self._sent = {_key(row) for row in before} if wandb and wandb.is_resumed else set()
        self._is_sent = False
        rows = [row for row in before if row["step"] <= step]
        self._last_rows = [row for row in rows if row["step"] == step]
        self._lines = GrowingFile(self._path, _as_lines(rows))
        self._table = _Table(directory / "metrics.csv", rows)
        self._events = _Events(directory / "tensorboard", step=step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes one line. Infinities and NaN become null in JSON, which has no such numbers.

        A line of the step from which the run goes on is replaced if one with the same names is there already: an evaluation
        that is made again.

        Raises:
          OSError: naming the file, if it cannot be written.
        """
        if not self._lines:
            return
        row = {"step": step, **without_infinities(values)}
        repeated = [old for old in self._last_rows if _key(old) == _key(row)]
        if repeated:
            self._lines.replace(_as_lines(old for old in self.history() if old not in repeated))
        self._lines.append(_as_lines([row]))
        self._table.append(row, self.history)
        self._events.append(_event_of(step, *(summary.scalar(name, value) for name, value in values.items())))
        self._is_sent = _key(row) in self._sent
        if self._wandb and not self._is_sent:
            self._wandb.scalars(step, values)

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Sends a picture (h w 3, uint8) to TensorBoard and Weights & Biases. It belongs to the scalars written before."""
        if not self._is_writer:
            return
        self._events.append(_event_of(step, summary.image(name, pixels, dataformats="HWC")))
        if self._wandb and not self._is_sent:
            self._wandb.picture(step, name, pixels)

    def flush(self) -> None:
        """Returns when all is written. Call it before a checkpoint is saved, so that no line before that is ever lost."""
        if self._lines:
            for file in (self._lines, self._table, self._events):
                file.flush()

    def history(self) -> list[Row]:
        """Returns all lines of `metrics.jsonl`. Damaged lines, such as one that a crash cut short, are left out and counted."""
        if not self._lines and not self._path.exists():
            return []
        rows, damaged = [], 0
        for line in (self._lines or self._path).read_bytes().splitlines():
            try:
                row = parse_json(line, str(self._path))
            except InputError:
                damaged += 1
                continue
            if isinstance(row.get("step"), int):
                rows.append(row)
            else:
                damaged += 1
        if damaged:
            print(f"{self._path}: {damaged} damaged line(s) are left out", file=sys.stderr)
        return rows

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._wandb:
            self._wandb.close(error)
        if not self._lines:
            return
        try:
            with contextlib.ExitStack() as files:
                for file in (self._lines, self._table, self._events):
                    files.callback(file.close)
        except OSError:
            if error is None:  # otherwise that error is what matters
                raise


class _Events:
    """Event files of TensorBoard, which reads them one after the other.

    On a file system there is one. In a bucket, where a file is kept in memory and written anew, they have about
    `MOST_EVENTS` bytes each.
    """

    def __init__(self, folder: AnyPath, *, step: int):
        self._place = folder / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._number, self._size = 0, 0
        self._file = GrowingFile(self._place, _first_events(step))

    def append(self, content: bytes) -> None:
        if is_remote(self._place) and self._size > MOST_EVENTS:
            self._file.close()
            self._number, self._size = self._number + 1, 0
            self._file = GrowingFile(self._place.with_name(f"{self._place.name}.{self._number:04}"), _first_event())
        self._size += len(content)
        self._file.append(content)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _Table:
    """`metrics.csv`. It has one row for each step, which joins the lines of that step: its report and its evaluation.

    The columns are in the order in which they first appear, `step` first.
    """

    def __init__(self, path: AnyPath, rows: list[Row]):
        joined = _joined(rows)
        self._set_columns(joined)
        self._file = GrowingFile(path, self._format(joined, header=True))

    def append(self, row: Row, history: Any) -> None:
        """Adds a row. The file is written anew from the `history` if a row or a column of the header must change."""
        if row["step"] > self._last and row.keys() <= {*self._columns}:
            self._last = row["step"]
            self._file.append(self._format([row]))
        else:
            joined = _joined(history())
            self._set_columns(joined)
            self._file.replace(self._format(joined, header=True))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _set_columns(self, joined: list[Row]) -> None:
        self._columns = list(dict.fromkeys(["step", *(name for row in joined for name in row)]))
        self._last = joined[-1]["step"] if joined else -1

    def _format(self, rows: list[Row], *, header: bool = False) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()


def _key(row: Row) -> tuple[int, frozenset[str]]:
    """The step of a row and the names in it, which tell its report from its evaluation."""
    return row["step"], frozenset(row)


def _joined(rows: Iterable[Row]) -> list[Row]:
    """One row for each step, in ascending order."""
    steps: dict[int, Row] = {}
    for row in rows:
        steps.setdefault(row["step"], {}).update(row)
    return [steps[step] for step in sorted(steps)]


def _as_lines(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _first_events(step: int) -> bytes:
    """The beginning of a TensorBoard file. TensorBoard drops events of later steps than `step` that were written before."""
    start = events.SessionLog(status=events.SessionLog.START)
    return _first_event() + _record(events.Event(step=step + 1, session_log=start))


def _first_event() -> bytes:
    return _record(events.Event(file_version="brain.Event:2"))


def _event_of(step: int, *summaries: Any) -> bytes:
    return b"".join(_record(events.Event(summary=content, step=step)) for content in summaries)


def _record(event: Any) -> bytes:
    """An event as TensorBoard's files hold it: length, checksum, event, checksum."""
    event.wall_time = time.time()
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", masked_crc32c(data))
