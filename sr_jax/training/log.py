"""The log of a run: scalars as JSON lines and as TensorBoard events, and pictures for TensorBoard."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter

from sr_jax.system.files import replace_text, without_infinities


class Log:
    """Appends scalars to `metrics.jsonl` and to TensorBoard events.

    Args:
      directory: the work directory.
      step: the step from which the run goes on. Lines of later steps, written before a crash, are dropped.
    """

    def __init__(self, directory: Path, *, step: int):
        self._path = directory / "metrics.jsonl"
        kept = [row for row in self.history() if row["step"] <= step]
        replace_text(self._path, "".join(json.dumps(row) + "\n" for row in kept))
        self._lines = self._path.open("a")
        self._events = SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1, write_to_disk=True)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes one line. Infinities and NaN become null in JSON, which has no such numbers."""
        self._lines.write(json.dumps({"step": step, **without_infinities(values)}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._events.add_scalar(name, value, step)

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Sends a picture (h w 3, uint8) to TensorBoard."""
        self._events.add_image(name, pixels, step, dataformats="HWC")

    def history(self) -> list[dict[str, Any]]:
        """Returns all lines of `metrics.jsonl`. A line that a crash cut short is left out."""
        if not self._path.exists():
            return []
        rows = []
        for line in self._path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return rows

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()
        self._events.close()
