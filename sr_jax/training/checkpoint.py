"""Checkpoints, through Orbax. Only this file and `checkpoint_folder` know Orbax."""

import contextlib
import functools
import json
import logging
import math
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers as policies

from sr_jax.errors import InputError, TrainingError
from sr_jax.system.files import is_full
from sr_jax.training.checkpoint_folder import (
    METRIC,
    STATE,
    array_names,
    clean,
    complete_steps,
    delete_partial,
    read_metrics,
    where_to_go_on,
    write_metrics,
)
from sr_jax.training.state import State

EVALUATION = "evaluation"
"""The entry among the metrics of a checkpoint that says how they were measured."""

REPETITIONS = ("Event loop is closed", "Encountered error while reading array index")
"""Errors of background tasks that Python prints, although the first error of the same reading or writing is raised."""


class _Preserve(policies.PreservationPolicy):
    """Orbax deletes the checkpoints that a function does not name. It is given the steps of all checkpoints."""

    def __init__(self, choose: Callable[[list[int]], set[int]]):
        self._choose = choose

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        del context
        kept = self._choose([checkpoint.step for checkpoint in checkpoints])
        return [checkpoint.step in kept for checkpoint in checkpoints]


class Checkpoints:
    """The checkpoints of a work directory: the latest few, and the one with the best mean Y-PSNR.

    Orbax writes them in the background, and `close` waits for it. Use this class as a context manager around a run: an error of
    the file system that leaves it becomes a TrainingError that says which step is saved.

    A folder in which a part of the state is missing is no checkpoint. It is renamed to `STEP.damaged`. What a killed run was
    writing is deleted. A checkpoint whose metrics are damaged can be resumed, but it is never the best one.

    Args:
      keep: how many of the latest checkpoints stay.
      read_only: only reads, and leaves alone what a run may be writing at the moment.
      evaluation: identifies how the run evaluates. Scores that were measured in another way do not count for the best
        checkpoint. Those that do not say how they were measured count always, and with None all do.

    Raises:
      InputError: if the directory cannot be read.
      TrainingError: if the directory cannot be written.
    """

    def __init__(self, directory: str | Path, *, keep: int, read_only: bool = False, evaluation: str | None = None):
        _silence()
        self._directory = Path(directory).absolute()
        self._keep, self._read_only, self._evaluation = keep, read_only, evaluation
        options = ocp.CheckpointManagerOptions(
            preservation_policy=_Preserve(self._preserved),
            best_fn=lambda metrics: metrics[METRIC],  # without it the metrics are not written
            lightweight_initialize=True,  # it would read all metrics, and fail if one is damaged
            read_only=read_only,
            create=not read_only,
        )
        try:
            if not read_only:
                clean(self._directory)
            self._metrics = {step: read_metrics(self._directory, step) for step in complete_steps(self._directory)}
            self._manager = ocp.CheckpointManager(self._directory, options=options)
        except (ValueError, OSError) as error:
            if is_full(error):
                raise TrainingError(
                    f"the disk is full: {directory} could not be written. {where_to_go_on(self._directory, error)}"
                ) from error
            raise InputError(f"the checkpoints of {directory} cannot be read: {_reason(error)}") from error

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self.close()
        except TrainingError:
            if error is None:
                raise
        if isinstance(error, OSError) and not isinstance(error, ConnectionError) and not self._read_only:
            file = error.filename or "a file of the run"
            problem = f"the disk is full: {file} could not be written" if is_full(error) else f"{file}: {error.strerror}"
            raise TrainingError(f"{problem}. {where_to_go_on(self._directory, error)}") from error

    def latest(self) -> int | None:
        """Returns the step of the newest complete checkpoint."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """Returns the step of the checkpoint with the best mean Y-PSNR among those that can be compared."""
        scores = {step: score for step in self.steps() if (score := self._score(step)) is not None}
        return max(scores, key=lambda step: (scores[step], step), default=None)

    def steps(self) -> list[int]:
        """Returns the steps of all checkpoints, in ascending order."""
        return sorted(step for step in self._manager.all_steps() if step in self._metrics)

    def save(self, state: State, metrics: dict[str, float] | None = None) -> None:
        """Begins to write a checkpoint, unless there is one of this step. `metrics` holds `psnr_y` after an evaluation.

        Raises:
          TrainingError: naming the last step that is saved, if this checkpoint or the one before cannot be written.
        """
        self.wait()
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        record = None if metrics is None else self._record(metrics)
        self._metrics[step] = record or {}
        with self._writing(step):
            self._manager.save(step, args=ocp.args.StandardSave(state._asdict()), metrics=record)

    def has_scores(self, step: int) -> bool:
        """Returns whether a checkpoint has scores that can be compared with those of this run."""
        return self._score(step) is not None

    def add_scores(self, step: int, metrics: dict[str, float]) -> None:
        """Adds the metrics of an evaluation to a complete checkpoint that has none which can be compared.

        Raises:
          TrainingError: if they cannot be written.
        """
        if not self.has_scores(step):
            self._metrics[step] = self._record(metrics)
            with self._writing(step):
                write_metrics(self._directory, step, self._metrics[step])

    def restore(self, like: State, step: int | None = None) -> State:
        """Reads the checkpoint of `step`, by default the newest, onto the devices that `like` lies on.

        Raises:
          InputError: naming the checkpoint, if it cannot be read.
        """
        step = self.latest() if step is None else step
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like._asdict())
        with self._reading(step):
            restored: Any = self._manager.restore(step, args=ocp.args.StandardRestore(target))
        return State(**restored)

    def restore_params(self, field: Literal["params", "ema"], step: int, *, like: Any) -> Any:
        """Reads only one tree of parameters of a checkpoint, as NumPy arrays.

        Args:
          field: `params`, or `ema` for their moving average.
          like: a tree of arrays, or of their shapes and types.

        Raises:
          InputError: naming the checkpoint, if it cannot be read.
        """
        target = {field: jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)}
        arguments = jax.tree.map(lambda leaf: ocp.ArrayRestoreArgs(restore_type=np.ndarray, dtype=leaf.dtype), target)
        with self._reading(step):
            # A partial restore leaves out what it does not find, and does not compare shapes.
            _check_names(array_names(self._directory, step, field), _shapes(like).keys())
            with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
                restored: Any = reader.restore(
                    self._directory / str(step) / STATE,
                    args=ocp.args.PyTreeRestore(target, restore_args=arguments, partial_restore=True),
                )
            _check_shapes(_shapes(restored[field]), _shapes(like))
        return restored[field]

    def drop_from(self, step: int) -> None:
        """Deletes the checkpoints of `step` and of later steps."""
        self.wait()
        for later in self.steps():
            if later >= step:
                self._manager.delete(later)

    def wait(self) -> None:
        """Returns when everything is written.

        Raises:
          TrainingError: naming the last step that is saved, if something cannot be written.
        """
        with self._writing(max(self._manager.all_steps(), default=0)):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits until everything is written, and lets go of the directory.

        Raises:
          TrainingError: as `wait` does.
        """
        try:
            self.wait()
        finally:
            with contextlib.suppress(OSError, ValueError, RuntimeError):  # they repeat the error that `wait` raised
                self._manager.close()

    def _record(self, metrics: dict[str, float]) -> dict[str, Any]:
        """The metrics with how they were measured."""
        return {**metrics, **({} if self._evaluation is None else {EVALUATION: self._evaluation})}

    def _score(self, step: int) -> float | None:
        """The Y-PSNR of a checkpoint; None if it has none that can be compared."""
        metrics = self._metrics[step]
        score, evaluation = metrics.get(METRIC), metrics.get(EVALUATION)
        is_comparable = evaluation is None or self._evaluation in (None, evaluation)
        return score if is_comparable and score is not None and not math.isnan(score) else None

    def _preserved(self, steps: list[int]) -> set[int]:
        """The steps whose checkpoints stay."""
        complete = [step for step in steps if step in self._metrics]
        best = self.best()
        return {*complete[-self._keep :], *([] if best is None else [best])}

    @contextlib.contextmanager
    def _reading(self, step: int | None) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Orbax raises errors of many types, also bare ones
            raise InputError(
                f"checkpoint {self._directory / str(step)} cannot be read: {_reason(error)}. "
                "If it is damaged, move it away, and the run goes on from an earlier one"
            ) from error

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError, RuntimeError) as error:
            self._metrics.pop(step, None)
            place = self._directory / str(step)
            problem = (
                f"the disk is full: checkpoint {place} could not be written"
                if is_full(error)
                else f"checkpoint {place} could not be written ({_reason(error)})"
            )
            delete_partial(self._directory)
            raise TrainingError(f"{problem}. {where_to_go_on(self._directory, error)}") from error


@functools.cache
def _silence() -> None:
    """Leaves out what Orbax, asyncio and TensorStore print of errors that Orbax raises, too. Orbax also reports every file."""
    absl_logging.set_verbosity(absl_logging.FATAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not str(unraisable.exc_value).startswith(REPETITIONS):
            before(unraisable)

    sys.unraisablehook = hook


def _reason(error: BaseException) -> str:
    """The beginning of an error. Those of Orbax go on with advice about its own functions, or with whole arrays."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, UnicodeDecodeError | json.JSONDecodeError | AttributeError | TypeError | LookupError):
        return "one of its files is damaged"
    return textwrap.shorten((str(error).splitlines() or [type(error).__name__])[0], 160, placeholder=" ...")


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Name, with dots, -> shape of each leaf."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): tuple(leaf.shape) for path, leaf in leaves}


def _check_names(stored: Collection[str], expected: Collection[str]) -> None:
    for name in expected:
        if name not in stored:
            raise ValueError(f"it lacks {name}")
    for name in sorted(stored):
        if name not in expected:
            raise ValueError(f"it has {name}, which the network lacks")


def _check_shapes(stored: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        if stored[name] != shape:
            raise ValueError(f"its {name} has the shape {stored[name]}, but the network's has {shape}")
