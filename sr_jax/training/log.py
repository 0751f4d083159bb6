"""What a run writes for people and plots: JSON lines, TensorBoard events, results, progress."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter
from tqdm import tqdm

from sr_jax.system.files import replace_text, without_infinities


class Writer:
    """Appends scalars to `metrics.jsonl` and to TensorBoard events.

    Args:
      directory: the work directory.
      step: the step that the run goes on from; what was written of later steps, before a crash, is dropped.
    """

    def __init__(self, directory: Path, *, step: int):
        self._path = directory / "metrics.jsonl"
        kept = [row for row in self.history() if row["step"] <= step]
        replace_text(self._path, "".join(json.dumps(row) + "\n" for row in kept))
        self._lines = self._path.open("a")
        self._events = SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1, write_to_disk=True)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._lines.write(json.dumps({"step": step, **without_infinities(values)}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._events.add_scalar(name, value, step)

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """A picture for TensorBoard, uint8 h w 3."""
        self._events.add_image(name, pixels, step, dataformats="HWC")

    def history(self) -> list[dict[str, Any]]:
        """All lines of `metrics.jsonl`; one that a crash cut short is left out."""
        if not self._path.exists():
            return []
        rows = []
        for line in self._path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return rows

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()
        self._events.close()


class Progress:
    """A progress bar on a terminal, plain lines elsewhere.

    Args:
      total: steps of the whole run.
      done: steps done before.
      terminal: whether to draw a bar; by default, whether standard error is a terminal.
    """

    def __init__(self, *, total: int, done: int, terminal: bool | None = None):
        terminal = sys.stderr.isatty() if terminal is None else terminal
        self._total, self._done = total, done
        self._first: tuple[int, float] | None = None  # step and time of the first advance: compiling does not count
        layout = "{percentage:3.0f}%|{bar}| step {n_fmt}/{total_fmt}{postfix}  {elapsed} gone, {remaining} left"
        self._bar = tqdm(total=total, initial=done, bar_format=layout, dynamic_ncols=True) if terminal else None

    def advance(self, step: int) -> None:
        self._done = step
        self._first = self._first or (step, time.monotonic())
        if self._bar is not None:
            self._bar.update(step - self._bar.n)

    def report(self, figures: dict[str, float]) -> None:
        """Shows the present loss, images_per_s and wait_share."""
        text = (
            f"loss {figures['loss']:.5f}  {figures['images_per_s']:,.0f} images/s  waiting for data {figures['wait_share']:.1%}"
        )
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        else:
            self.say(f"step {self._done}/{self._total}  {text}  {self._left()} left")

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        if self._bar is not None:
            self._bar.write(text)
        else:
            print(text, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _left(self) -> str:
        if self._first is None or self._done == self._first[0]:
            return "?"
        step, began = self._first
        seconds = (time.monotonic() - began) / (self._done - step) * (self._total - self._done)
        return tqdm.format_interval(round(seconds))
