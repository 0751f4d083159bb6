"""Checkpoints, through Orbax. The only file that knows Orbax."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint import checkpoint_managers as policies

from sr_jax.errors import InputError
from sr_jax.training.state import State

METRIC = "psnr_y"


def _score(metrics: dict[str, float]) -> float:
    return metrics[METRIC]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


class Checkpoints:
    """The checkpoints of a work directory: the latest few, and the one with the best mean Y-PSNR.

    They are written in the background; `close` waits for them. Use it as a context manager.

    Args:
      read_only: only look, and leave alone what a run may be writing at the moment.
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
        """The step of the newest complete checkpoint."""
        return self._manager.latest_step()

    def best(self) -> int | None:
        """The step of the checkpoint with the best mean Y-PSNR."""
        return self._manager.best_step()

    def steps(self) -> list[int]:
        return sorted(self._manager.all_steps())

    def save(self, state: State, metrics: dict[str, float] | None = None) -> None:
        """Begins to write a checkpoint, if there is none of this step yet. `metrics` holds `psnr_y` where it was evaluated."""
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
        try:
            restored: Any = self._manager.restore(step, args=ocp.args.StandardRestore(target))
        except (ValueError, OSError, KeyError) as error:
            place = Path(self._manager.directory) / str(step)
            raise InputError(
                f"checkpoint {place} cannot be read: {_first_line(error)}. "
                "If it is damaged, move it away to go on from an earlier one"
            ) from error
        return State(**restored)

    def drop_from(self, step: int) -> None:
        """Deletes the checkpoints of `step` and later ones."""
        self.wait()
        for later in self.steps():
            if later >= step:
                self._manager.delete(later)

    def wait(self) -> None:
        """Returns when everything is written."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        self._manager.close()
