"""The log of a run: scalars as JSON lines and as TensorBoard events, and pictures for TensorBoard."""

import contextlib
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import summary
from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import RecordWriter

from sr_jax.errors import InputError
from sr_jax.system.files import naming, parse_json, replace_text, without_infinities

events: Any = event_pb2  # it has no types

FLUSH_AFTER = 30.0
"""The events are on the disk after this time [s], because a flush can take as long as a step."""


class Log:
    """Appends scalars to `metrics.jsonl` and to TensorBoard events.

    Args:
      directory: the work directory.
      step: the step from which the run goes on. Lines of later steps, written before a crash, are dropped.
      is_writer: whether this process writes the log; in the other processes of a run it does nothing.
    """

    def __init__(self, directory: Path, *, step: int, is_writer: bool = True):
        self._path = directory / "metrics.jsonl"
        self._is_writer = is_writer
        if not is_writer:
            return
        kept = [row for row in self.history() if row["step"] <= step]
        replace_text(self._path, "".join(json.dumps(row) + "\n" for row in kept))
        self._lines = self._path.open("a")
        self._events = _Events(directory / "tensorboard", step=step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes one line. Infinities and NaN become null in JSON, which has no such numbers.

        Raises:
          OSError: naming the file, if it cannot be written.
        """
        if not self._is_writer:
            return
        with naming(self._path):
            self._lines.write(json.dumps({"step": step, **without_infinities(values)}) + "\n")
            self._lines.flush()
        for name, value in values.items():
            self._events.add(summary.scalar(name, value), step)

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Sends a picture (h w 3, uint8) to TensorBoard."""
        if self._is_writer:
            self._events.add(summary.image(name, pixels, dataformats="HWC"), step)

    def history(self) -> list[dict[str, Any]]:
        """Returns all lines of `metrics.jsonl`. Damaged lines, such as one that a crash cut short, are left out and counted."""
        if not self._path.exists():
            return []
        rows, damaged = [], 0
        for line in self._path.read_bytes().splitlines():
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
        if not self._is_writer:
            return
        try:
            with contextlib.closing(self._events), naming(self._path):
                self._lines.close()
        except OSError:
            if error is None:  # otherwise that error is what matters
                raise


class _Events:
    """A TensorBoard event file. It is written in the caller's thread, so that the caller learns of a full disk.

    Args:
      step: TensorBoard drops events of later steps that were written before.
    """

    def __init__(self, folder: Path, *, step: int):
        self._path = folder / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        folder.mkdir(parents=True, exist_ok=True)
        self._records = RecordWriter(str(self._path))
        self._write(events.Event(file_version="brain.Event:2"))
        self._write(events.Event(step=step + 1, session_log=events.SessionLog(status=events.SessionLog.START)))
        self._flushed = time.monotonic()

    def add(self, what: Any, step: int) -> None:
        with naming(self._path):
            self._write(events.Event(summary=what, step=step))
            if time.monotonic() - self._flushed > FLUSH_AFTER:
                self._records.flush()
                self._flushed = time.monotonic()

    def close(self) -> None:
        with naming(self._path):
            self._records.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
