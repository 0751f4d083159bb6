"""Records what the host and its devices do during some steps, for XProf and Perfetto."""

import contextlib
import sys

import jax

from sr_jax.system import processes
from sr_jax.system.paths import AnyPath, local_folder


def whole_dispatches(steps: range, *, start: int, stop: int, steps_per_dispatch: int) -> range:
    """Returns the steps that a profile of `steps` holds: whole dispatches, of a run that goes from `start` to `stop`.

    It is empty if all these steps are done already.
    """
    first = max(start, steps.start // steps_per_dispatch * steps_per_dispatch)
    end = min(stop, -(-steps.stop // steps_per_dispatch) * steps_per_dispatch)
    return range(first, max(first, end))


class Profile:
    """Records a part of a run. It is a context manager: what ends the run in the middle of that part ends the recording, too.

    Args:
      folder: where the recordings go. In a run of several processes each has a folder of its own in it.
      steps: the steps to record; empty for none. The recording begins before the first of them, and ends after the last one.
    """

    def __init__(self, folder: AnyPath, steps: range):
        self._folder = folder / f"process_{processes.index()}" if processes.count() > 1 else folder
        self._steps = steps
        self._is_recording = False
        self._local = contextlib.ExitStack()
        """Writes what is recorded into a bucket, if it goes there."""

    def begins_at(self, step: int) -> bool:
        """Returns whether the recording begins when so many steps are done."""
        return bool(self._steps) and step == self._steps.start

    def ends_at(self, step: int) -> bool:
        """Returns whether the recording ends when so many steps are done."""
        return bool(self._steps) and step == self._steps.stop

    def begin(self) -> None:
        """Begins to record. No dispatch may be in flight. If it fails, a warning says so, and the run goes on."""
        try:
            options = jax.profiler.ProfileOptions()
            options.python_tracer_level = 0  # it would slow the host down, and the calls of a compilation fill megabytes
            folder = self._local.enter_context(local_folder(self._folder))
            jax.profiler.start_trace(folder, create_perfetto_trace=True, profiler_options=options)
            self._is_recording = True
        except (OSError, RuntimeError) as error:
            _warn(error)

    def end(self) -> None:
        """Writes what was recorded. No dispatch may be in flight. If it fails, a warning says so, and the run goes on."""
        if not self._is_recording:
            return
        self._is_recording = False
        try:
            with self._local:
                jax.profiler.stop_trace()
        except (OSError, RuntimeError, ValueError) as error:  # ValueError: the recording is incomplete
            _warn(error)

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *error: object) -> None:
        self.end()


def _warn(error: Exception) -> None:
    print(f"warning: the profile could not be recorded ({error})", file=sys.stderr)
