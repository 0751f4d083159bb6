"""What Orbax writes into the folder of the checkpoints, read as files, so that damage to one checkpoint can be named."""

import json
import sys
from typing import Any

import orbax.checkpoint as ocp

from sr_jax.errors import InputError, is_full
from sr_jax.system import processes
from sr_jax.system.files import read_json, replace_text
from sr_jax.system.paths import AnyPath, is_remote, remove_tree
from sr_jax.training import manifest

METRIC = "psnr_y"
"""The metric by which checkpoints are ranked."""

STATE, METRICS, INDEX = "default", "metrics/metrics", "default/_METADATA"
"""Orbax's names within the folder of a checkpoint: the state, the metrics, and the list of the state's arrays."""
ABOUT = "_CHECKPOINT_METADATA"
"""Orbax's file about a checkpoint. It holds `SEALED`, too."""
SEALED = {"has_manifest": True}
"""What a checkpoint says of itself if it was written with a manifest."""
COMMITTED = "commit_success.txt"
"""The file that Orbax writes last. In a bucket, where folders cannot be renamed, it shows that the others are complete."""
WRITTEN_LAST = (ABOUT, COMMITTED)
"""Files that Orbax writes after the manifest. Nothing that is restored depends on them."""
NOT_STATE = ("metrics/",)
NOT_PARAMETERS = ("default/_sharding", "default/array_metadatas/")
"""Beginnings of the paths that a state, and that its parameters, can be read without."""
DELETED = "deleted"
"""Where Orbax moves a checkpoint that is to be deleted, so that a kill never leaves a part of one under its name."""
PATIENCE = 1200.0
"""Seconds that the other processes wait while the first one reads the newest checkpoint to its end."""


def complete_steps(directory: AnyPath) -> list[int]:
    """Returns the steps of the complete checkpoints, in ascending order."""
    return sorted(int(folder.name) for folder in _folders(directory) if _is_complete(folder))


def clean(directory: AnyPath) -> int | None:
    """Deletes what a killed run was writing, and renames folders that are no checkpoints. Prints what it renames.

    From the newest checkpoint on, damaged ones are renamed too, up to the first good one.

    Returns:
      the step of that checkpoint, which is now the newest, in all processes; None if there is none.
    """
    if processes.is_first():
        delete_partial(directory)
        for folder in _folders(directory):
            if not _is_complete(folder):
                _set_aside(folder, "is not complete")
        for step in reversed(complete_steps(directory)):
            damage = find_damage(directory, step)
            if damage is None:
                break
            _set_aside(directory / str(step), f"is damaged ({damage})")
    processes.barrier("the check of the checkpoints", timeout=PATIENCE)
    return max(complete_steps(directory), default=None)


def seal(directory: AnyPath, step: int) -> None:
    """Writes the manifest of a checkpoint that Orbax has written to its end, but not yet given its name."""
    partial = directory / f"{step}{ocp.utils.TMP_DIR_SUFFIX}"
    manifest.write(partial if partial.exists() else directory / str(step), leave_out=WRITTEN_LAST)


def find_damage(directory: AnyPath, step: int, *, only_parameters: bool = False) -> str | None:
    """Compares the files of a checkpoint with its manifest, except the metrics, which `read_metrics` compares.

    A checkpoint that was never given a manifest counts as good, and this is printed.

    Args:
      only_parameters: whether to read only the files that the parameters need.

    Returns:
      what is damaged, for a message, or None.
    """
    folder = directory / str(step)
    if not has_manifest(folder):
        if processes.is_first():
            print(
                f"checkpoint {folder} was written without a manifest, by an earlier version; damage to it may go unnoticed",
                file=sys.stderr,
            )
        return None
    left_out = (*NOT_STATE, *(NOT_PARAMETERS if only_parameters else ()))
    return manifest.problem(folder, needs=lambda path: not path.startswith(left_out))


def delete_replaced(directory: AnyPath) -> None:
    """Deletes what Orbax has moved to `DELETED`. In a bucket it deletes by itself, because nothing can be renamed there."""
    if not is_remote(directory):
        remove_tree(directory / DELETED)


def delete_partial(directory: AnyPath) -> None:
    """Deletes checkpoints that are not written to their end, or not deleted to their end."""
    delete_replaced(directory)
    for path in directory.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*"):
        remove_tree(path)
    for folder in _folders(directory) if is_remote(directory) else ():
        if not (folder / COMMITTED).exists() and not (folder / manifest.MANIFEST).exists():
            remove_tree(folder)


def has_manifest(folder: AnyPath) -> bool:
    """Returns whether a checkpoint was written with a manifest, even if it is missing now."""
    if (folder / manifest.MANIFEST).exists():
        return True
    try:
        return read_json(folder / ABOUT).get("custom_metadata") == SEALED
    except InputError:
        return False


def read_metrics(directory: AnyPath, step: int) -> dict[str, Any]:
    """Returns the metrics of a checkpoint. If it has none, or they are damaged, they are empty; damage is printed."""
    folder = directory / str(step)
    path = folder / METRICS
    if not path.exists() and not manifest.lists(folder, METRICS):
        return {}
    try:
        metrics = read_json(path)
        if not isinstance(metrics.get(METRIC), int | float):
            raise InputError(f"{path} has no number {METRIC}")
        if (folder / manifest.MANIFEST).exists():
            _check_metrics(folder)
    except InputError as error:
        print(f"{error}; checkpoint {step} can be used, but does not count as the best one", file=sys.stderr)
        return {}
    return metrics


def write_metrics(directory: AnyPath, step: int, metrics: dict[str, Any]) -> None:
    """Replaces the metrics of a complete checkpoint.

    A process that is killed before the manifest says so leaves metrics that count as damaged, and a good state.
    """
    if processes.is_first():
        folder = directory / str(step)
        path = folder / METRICS
        path.parent.mkdir(exist_ok=True)
        replace_text(path, json.dumps(metrics))
        if (folder / manifest.MANIFEST).exists():
            manifest.renew(folder, METRICS)


def array_names(directory: AnyPath, step: int, field: str) -> set[str]:
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


def where_to_go_on(directory: AnyPath, error: BaseException) -> str:
    """Says, for an error message, where the run can go on after an error of the file system."""
    when = " once there is room" if is_full(error) else ""
    try:
        steps = complete_steps(directory)
    except OSError as unreachable:
        return f"Which step is saved cannot be seen now ({unreachable.strerror}). The same command goes on from it"
    if steps:
        return f"Step {steps[-1]} is saved, and the same command goes on from it{when}"
    return f"No step is saved, and the same command begins again{when}"


def _folders(directory: AnyPath) -> list[AnyPath]:
    """The folders that are named like checkpoints."""
    return [path for path in directory.glob("[0-9]*") if path.name.isdecimal()]


def _is_complete(folder: AnyPath) -> bool:
    return (folder / INDEX).is_file() and (not is_remote(folder) or (folder / COMMITTED).is_file())


def _check_metrics(folder: AnyPath) -> None:
    if not manifest.lists(folder, METRICS):
        raise InputError(f"{folder / METRICS} is not in {manifest.MANIFEST}")
    if manifest.problem(folder, needs=METRICS.__eq__):
        raise InputError(f"{folder / METRICS} differs from what {manifest.MANIFEST} says")


def _set_aside(folder: AnyPath, reason: str) -> None:
    aside = _free_name(folder.with_name(f"{folder.name}.damaged"))
    folder.rename(aside)
    print(f"checkpoint {folder} {reason}; it is renamed to {aside.name}", file=sys.stderr)


def _free_name(path: AnyPath) -> AnyPath:
    """The path; with a number behind it if it exists."""
    number, free = 2, path
    while free.exists():
        number, free = number + 1, path.with_name(f"{path.name}-{number}")
    return free
