"""What Orbax writes into the folder of the checkpoints, read as files, so that damage to one checkpoint can be named."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

from sr_jax.errors import InputError
from sr_jax.system import processes
from sr_jax.system.files import is_full, read_json, replace_text

METRIC = "psnr_y"
"""The metric by which checkpoints are ranked."""

STATE, METRICS, INDEX = "default", "metrics/metrics", "default/_METADATA"
"""Orbax's names within the folder of a checkpoint: the state, the metrics, and the list of the state's arrays."""


def complete_steps(directory: Path) -> list[int]:
    """Returns the steps of the complete checkpoints, in ascending order."""
    return sorted(int(folder.name) for folder in _folders(directory) if _is_complete(folder))


def clean(directory: Path) -> None:
    """Deletes what a killed run was writing, and renames folders that are no checkpoints. Prints what it renames."""
    if processes.is_first():
        delete_partial(directory)
        for folder in _folders(directory):
            if not _is_complete(folder):
                aside = _free_name(folder.with_name(f"{folder.name}.damaged"))
                folder.rename(aside)
                print(f"checkpoint {folder} is not complete; it is renamed to {aside.name}", file=sys.stderr)
    processes.barrier(f"the check of the checkpoints in {directory}")


def delete_partial(directory: Path) -> None:
    """Deletes checkpoints that are not written to their end."""
    for path in directory.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def read_metrics(directory: Path, step: int) -> dict[str, Any]:
    """Returns the metrics of a checkpoint. If it has none, or they are damaged, they are empty; damage is printed."""
    path = directory / str(step) / METRICS
    if not path.exists():
        return {}
    try:
        metrics = read_json(path)
        if not isinstance(metrics.get(METRIC), int | float):
            raise InputError(f"{path} has no number {METRIC}")
    except InputError as error:
        print(f"{error}; checkpoint {step} can be used, but does not count as the best one", file=sys.stderr)
        return {}
    return metrics


def write_metrics(directory: Path, step: int, metrics: dict[str, Any]) -> None:
    """Replaces the metrics of a complete checkpoint."""
    if processes.is_first():
        path = directory / str(step) / METRICS
        path.parent.mkdir(exist_ok=True)
        replace_text(path, json.dumps(metrics))


def array_names(directory: Path, step: int, field: str) -> set[str]:
    """Returns the names, with dots, of the arrays in one tree of a state.

    Raises:
      InputError: naming the file that lists them, if it is damaged.
    """
    path = directory / str(step) / INDEX
    try:
        keys = [[str(key["key"]) for key in entry["key_metadata"]] for entry in read_json(path)["tree_metadata"].values()]
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path} does not list the arrays of a state") from None
    return {".".join(key[1:]) for key in keys if key[0] == field and key[1:]}


def where_to_go_on(directory: Path, error: BaseException) -> str:
    """Says, for an error message, where the run can go on after an error of the file system."""
    when = " once there is room" if is_full(error) else ""
    steps = complete_steps(directory)
    if steps:
        return f"Step {steps[-1]} is saved, and the same command goes on from it{when}"
    return f"No step is saved, and the same command begins again{when}"


def _folders(directory: Path) -> list[Path]:
    """The folders that are named like checkpoints."""
    return [path for path in directory.glob("[0-9]*") if path.name.isdecimal()]


def _is_complete(folder: Path) -> bool:
    return (folder / INDEX).is_file()


def _free_name(path: Path) -> Path:
    """The path; with a number behind it if it exists."""
    number, free = 2, path
    while free.exists():
        number, free = number + 1, path.with_name(f"{path.name}-{number}")
    return free
