"""Checkpoints, through Orbax. No other file knows Orbax."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from etils import epath
from orbax.checkpoint import checkpoint_managers as policies

from sr_jax.errors import InputError
from sr_jax.training.state import State

METRIC = "psnr_y"


def _score(metrics: dict[str, float]) -> float:
    return metrics[METRIC]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Name, with dots, -> shape of each leaf."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): tuple(leaf.shape) for path, leaf in leaves}


def _check_shapes(stored: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> None:
    differing = [name for name in stored | expected if stored.get(name) != expected.get(name)]
    if differing:
        name = differing[0]
        raise ValueError(f"its {name} has the shape {stored.get(name)}, but the network's has {expected.get(name)}")


class Checkpoints:
    """The checkpoints of a work directory: the latest few, and the one with the best mean Y-PSNR.

    Orbax writes them in the background, and `close` waits for it. Use this class as a context manager.

    Args:
      keep: how many of the latest checkpoints stay.
      read_only: only reads, and leaves alone what a run may be writing at the moment.

    Raises:
      InputError: if the directory cannot be read.
    """

    def __init__(self, directory: str | Path, *, keep: int, read_only: bool = False):
        logging.set_verbosity(logging.ERROR)  # Orbax reports every file at INFO and odd defaults at WARNING
        best = policies.BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(keep), best]),
            best_fn=_score,  # without it the scores are not read back when a run resumes
            read_only=read_only,
            create=not read_only,
        )
        try:
            self._manager = ocp.CheckpointManager(Path(directory).absolute(), options=options)
        except (ValueError, OSError) as error:
            raise InputError(f"the checkpoints of {directory} cannot be read: {_first_line(error)}") from error

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def latest(self) -> int | None:
        """Returns the step of the newest complete checkpoint."""
        return self._manager.latest_step()

    def best(self) -> int | None:
        """Returns the step of the checkpoint with the best mean Y-PSNR."""
        return self._manager.best_step()

    def steps(self) -> list[int]:
        """Returns the steps of all checkpoints, in ascending order."""
        return sorted(self._manager.all_steps())

    def save(self, state: State, metrics: dict[str, float] | None = None) -> None:
        """Begins to write a checkpoint, unless there is one of this step. `metrics` holds `psnr_y` after an evaluation."""
        step = int(state.step)
        if step not in self._manager.all_steps():
            self._manager.save(step, args=ocp.args.StandardSave(state._asdict()), metrics=metrics)

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
            # A partial restore leaves out what it does not find, so the names and shapes are compared first.
            stored = ocp.StandardCheckpointHandler().metadata(epath.Path(self._manager.directory) / str(step) / "default")
            _check_shapes(_shapes(stored.tree[field]), _shapes(like))
            restored: Any = self._manager.restore(
                step, args=ocp.args.PyTreeRestore(target, restore_args=arguments, partial_restore=True)
            )
        return restored[field]

    @contextlib.contextmanager
    def _reading(self, step: int | None) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError, KeyError) as error:
            place = Path(self._manager.directory) / str(step)
            raise InputError(
                f"checkpoint {place} cannot be read: {_first_line(error)}. "
                "If it is damaged, move it away, and the run goes on from an earlier one"
            ) from error

    def drop_from(self, step: int) -> None:
        """Deletes the checkpoints of `step` and of later steps."""
        self.wait()
        for later in self.steps():
            if later >= step:
                self._manager.delete(later)

    def wait(self) -> None:
        """Returns when everything is written."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits until everything is written, and lets go of the directory."""
        self._manager.close()
