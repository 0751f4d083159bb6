"""The progress of a run on standard output: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm

from sr_jax.system.remaining import time_left

LAYOUT = "{percentage:3.0f}%|{bar}| step {n_fmt}/{total_fmt}{postfix}  {elapsed} gone, {remaining} left"


class Progress:
    """A progress bar on a terminal, plain lines elsewhere.

    Args:
      total: the steps of the whole run.
      done: the steps done before.
      terminal: whether to draw a bar; by default, whether standard error is a terminal.
      is_shown: whether anything is printed at all.
    """

    def __init__(self, *, total: int, done: int, terminal: bool | None = None, is_shown: bool = True):
        terminal = is_shown and (sys.stderr.isatty() if terminal is None else terminal)
        self._is_shown = is_shown
        self._total, self._done = total, done
        self._first: tuple[int, float] | None = None  # step and time of the first advance, so that compiling does not count
        self._bar = tqdm(total=total, initial=done, bar_format=LAYOUT, dynamic_ncols=True) if terminal else None

    def advance(self, step: int) -> None:
        """Moves to a step."""
        self._done = step
        self._first = self._first or (step, time.monotonic())
        if self._bar is not None:
            self._bar.update(step - self._bar.n)

    def report(self, metrics: dict[str, float], speed: dict[str, float]) -> None:
        """Shows the metrics by name, and of the speed, if it is known, `images_per_s` and `wait_share`."""
        text = "  ".join(f"{name} {_short(value)}" for name, value in metrics.items())
        if speed:
            text += f"  {speed['images_per_s']:,.0f} images/s  waiting for data {speed['wait_share']:.1%}"
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        else:
            self.say(f"step {self._done}/{self._total}  {text}  {self._left()} left")

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        if self._bar is not None:
            self._bar.write(text)
        elif self._is_shown:
            print(text, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _left(self) -> str:
        step, began = self._first or (self._done, 0.0)
        return time_left(time.monotonic() - began, done=self._done - step, rest=self._total - self._done)


def _short(value: float) -> str:
    return f"{value:.5f}" if abs(value) >= 1e-3 else f"{value:.3g}"
