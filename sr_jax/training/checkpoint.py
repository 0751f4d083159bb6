"""Checkpoints, through Orbax. Only this file and `checkpoint_folder` know Orbax."""

import contextlib
import math
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from sr_jax.errors import InputError, TrainingError, is_full
from sr_jax.system import processes
from sr_jax.system.files import probe_writing
from sr_jax.system.paths import AnyPath, is_remote, to_path
from sr_jax.training.checkpoint_errors import is_of_cloud, reason, silence
from sr_jax.training.checkpoint_folder import (
    DELETED,
    METRIC,
    SEALED,
    STATE,
    array_names,
    clean,
    complete_steps,
    delete_partial,
    delete_replaced,
    find_damage,
    has_manifest,
    read_metrics,
    seal,
    where_to_go_on,
    write_metrics,
)
from sr_jax.training.state import State, by_name

EVALUATION = "evaluation"
"""The entry among the metrics of a checkpoint that says how they were measured."""


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

    Every checkpoint has a manifest with the digests of its files, which is compared before anything is restored. The newest
    checkpoints that are damaged or incomplete are renamed to `STEP.damaged`, up to the first good one. What a killed run was
    writing is deleted. A checkpoint whose metrics are damaged can be resumed, but it is never the best one.

    Args:
      keep: how many of the latest checkpoints stay.
      read_only: only reads, and leaves alone what a run may be writing at the moment. Damaged checkpoints are left out. Before
        `restore_params`, only the files that it needs are compared.
      evaluation: identifies how the run evaluates. Scores that were measured in another way do not count for the best
        checkpoint. Those that do not say how they were measured count always, and with None all do.

    Raises:
      InputError: if the directory cannot be read.
      TrainingError: if the directory cannot be written.
    """

    def __init__(self, directory: str | AnyPath, *, keep: int, read_only: bool = False, evaluation: str | None = None):
        silence()
        self._directory = to_path(directory).absolute()
        self._keep, self._read_only, self._evaluation = keep, read_only, evaluation
        options = ocp.CheckpointManagerOptions(
            preservation_policy=_Preserve(self._preserved),
            best_fn=lambda metrics: metrics[METRIC],  # without it the metrics are not written
            lightweight_initialize=True,  # it would read all metrics, and fail if one is damaged
            read_only=read_only,
            create=not read_only,
            todelete_subdir=None if read_only or is_remote(self._directory) else DELETED,
            async_options=ocp.options.AsyncOptions(post_finalization_callback=self._seal),
        )
        self._saving = 0
        self._damage: dict[int, str | None] = {}
        try:
            if not read_only and (newest := clean(self._directory)) is not None:
                self._damage[newest] = None
            self._metrics = {step: read_metrics(self._directory, step) for step in complete_steps(self._directory)}
            self._manager = ocp.CheckpointManager(self._directory, options=options)
        except Exception as error:
            if not isinstance(error, ValueError | OSError) and not is_of_cloud(error):
                raise
            if is_full(error):
                raise TrainingError(
                    f"the disk is full: {directory} could not be written. {where_to_go_on(self._directory, error)}"
                ) from error
            raise InputError(f"the checkpoints of {directory} cannot be read: {reason(error)}") from error

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
        """Returns the step of the newest good checkpoint. It waits for the one that is being written.

        Raises:
          TrainingError: as `wait` does.
        """
        self.wait()
        return next(filter(self._is_good, reversed(self.steps())), None)

    def best(self) -> int | None:
        """Returns the step of the good checkpoint with the best mean Y-PSNR among those that can be compared. It waits, too.

        Raises:
          TrainingError: as `wait` does.
        """
        self.wait()
        return next(filter(self._is_good, self._ranked()), None)

    def steps(self) -> list[int]:
        """Returns the steps of all checkpoints, in ascending order. Their files are not compared."""
        return sorted(step for step in self._manager.all_steps() if step in self._metrics)

    def save(self, state: State, metrics: dict[str, float] | None = None) -> None:
        """Begins to write a checkpoint, unless there is one of this step. `metrics` holds `psnr_y` after an evaluation.

        Raises:
          TrainingError: naming the last step that is saved, if this checkpoint or the one before cannot be written.
        """
        self.wait()
        step = int(jax.device_get(state.step))
        if step in self._manager.all_steps():
            return
        record = None if metrics is None else self._record(metrics)
        self._metrics[step] = record or {}
        self._damage.pop(step, None)
        self._saving = step
        arguments = ocp.args.StandardSave(state._asdict())
        with self._writing(step):
            if isinstance(self._directory, Path) and processes.is_first():
                probe_writing(
                    self._directory, size=0
                )  # Orbax's threads would wait ten minutes for a folder that cannot be made
            self._manager.save(step, args=arguments, metrics=record, custom_metadata=SEALED)

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
          InputError: naming the checkpoint, if it is damaged or cannot be read, or if there is none.
        """
        step = self.latest() if step is None else step
        if step is None:
            raise InputError(f"{self._directory} holds no good checkpoint")
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like._asdict())
        with self._reading(step):
            _refuse(find_damage(self._directory, step) if self._read_only else self._find_damage(step))
            restored: Any = self._manager.restore(step, args=ocp.args.StandardRestore(target))
        return State(**restored)

    def restore_params(self, field: Literal["params", "ema"], step: int, *, like: Any) -> Any:
        """Reads only one tree of parameters of a checkpoint, as NumPy arrays.

        Args:
          field: `params`, or `ema` for their moving average.
          like: a tree of arrays, or of their shapes and types.

        Raises:
          InputError: naming the checkpoint, if it is damaged or cannot be read.
        """
        target = {field: jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)}
        arguments = jax.tree.map(lambda leaf: ocp.ArrayRestoreArgs(restore_type=np.ndarray, dtype=leaf.dtype), target)
        with self._reading(step):
            _refuse(self._find_damage(step))
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
            if not self._read_only and processes.is_first():
                delete_replaced(self._directory)

    def _record(self, metrics: dict[str, float]) -> dict[str, Any]:
        """The metrics with how they were measured."""
        return {**metrics, **({} if self._evaluation is None else {EVALUATION: self._evaluation})}

    def _score(self, step: int) -> float | None:
        """The Y-PSNR of a checkpoint; None if it has none that can be compared."""
        metrics = self._metrics[step]
        score, evaluation = metrics.get(METRIC), metrics.get(EVALUATION)
        is_comparable = evaluation is None or self._evaluation in (None, evaluation)
        return score if is_comparable and score is not None and not math.isnan(score) else None

    def _ranked(self) -> list[int]:
        """The steps whose scores can be compared, from the best one on."""
        scores = {step: score for step in self.steps() if (score := self._score(step)) is not None}
        return sorted(scores, key=lambda step: (scores[step], step), reverse=True)

    def _preserved(self, steps: list[int]) -> set[int]:
        """The steps whose checkpoints stay. Nothing is read for this."""
        complete = [step for step in steps if step in self._metrics]
        return {*complete[-self._keep :], *self._ranked()[:1]}

    def _seal(self) -> None:
        """Orbax calls this in the background, in the first process, before the checkpoint gets its name."""
        seal(self._directory, self._saving)
        delete_replaced(self._directory)

    def _find_damage(self, step: int) -> str | None:
        """What is damaged of the files of a checkpoint that this object is for. They are read only once."""
        if step not in self._damage:
            self._damage[step] = find_damage(self._directory, step, only_parameters=self._read_only)
        return self._damage[step]

    def _is_good(self, step: int) -> bool:
        is_new, damage = step not in self._damage, self._find_damage(step)
        if is_new and damage and processes.is_first():
            print(f"checkpoint {self._directory / str(step)} is damaged ({damage}); it is left out", file=sys.stderr)
        return damage is None

    @contextlib.contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Orbax raises errors of many types, also bare ones
            place = self._directory / str(step)
            advice = "" if has_manifest(place) else ". If it is damaged, move it away, and the run goes on from an earlier one"
            raise InputError(f"checkpoint {place} cannot be read: {reason(error)}{advice}") from error

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not isinstance(error, ValueError | OSError | RuntimeError) and not is_of_cloud(error):
                raise
            self._metrics.pop(step, None)
            place = self._directory / str(step)
            problem = (
                f"the disk is full: checkpoint {place} could not be written"
                if is_full(error)
                else f"checkpoint {place} could not be written ({reason(error)})"
            )
            delete_partial(self._directory)
            raise TrainingError(f"{problem}. {where_to_go_on(self._directory, error)}") from error


def _refuse(damage: str | None) -> None:
    if damage:
        raise InputError(f"it is damaged ({damage})")


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Name, with dots, -> shape of each leaf."""
    return {name: tuple(leaf.shape) for name, leaf in by_name(tree).items()}


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
