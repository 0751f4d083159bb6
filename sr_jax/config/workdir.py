"""The work directory. It belongs to one config, and to one live run at a time.

Some keys may change from one run in it to the next. `changes.jsonl` notes each of these changes.
"""

import contextlib
import dataclasses
import fnmatch
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sr_jax.config.experiment import Config
from sr_jax.config.files import code_of, differences, from_json, keep_code, refuse_changed_code, to_json
from sr_jax.errors import InputError, listing, option
from sr_jax.system.files import parse_json, probe_writing, read_json, replace_text
from sr_jax.system.locks import InUse, held
from sr_jax.system.paths import AnyPath, is_remote

CONFIG = "config.json"
DATA = "data.json"
CHANGES = "changes.jsonl"
FINISHED = "finished.json"
RESULTS = "results.md"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
LEAST_SPACE = 2**20
"""Bytes that can be written when a run begins; with less room, it would end at its first checkpoint."""

WITHOUT_EFFECT = (
    "log_every",
    "checkpoint_every",
    "keep",
    "data.pipeline",
    "data.threads",
    "data.prefetch",
    # These say where the images lie and what to do with bad ones. The fingerprint of the images says whether they are the same.
    "data.dir",
    "data.root",
    "data.leaks",
    "data.bad_images",
)
"""Keys that change neither the trained network nor its results."""

MAY_CHANGE = (*WITHOUT_EFFECT, "eval.*", "steps", "optim.on_extend")
"""Keys that may change from one run in a work directory to the next. `steps` may only grow."""

Changes = dict[str, tuple[Any, Any]]
"""Keys with their values before and now."""


def config_file(directory: AnyPath) -> AnyPath:
    """Returns the config of a work directory.

    Raises:
      InputError: if the folder has none. The message does not name the folder.
    """
    if not (directory / CONFIG).is_file():
        raise InputError(f"holds no {CONFIG}, so it is not the work directory of a training run")
    return directory / CONFIG


@contextlib.contextmanager
def claim(directory: AnyPath, config: Config, *, is_owner: bool = True) -> Iterator[Changes]:
    """Creates a work directory or enters it again, and holds its lock. It belongs to no config before `register` is called.

    Args:
      is_owner: whether this process creates and locks it; the other processes of a run only read it.

    Returns:
      the keys that have changed since the last run in it.

    Raises:
      InputError: if it cannot be written, is in use by another run, or belongs to a different config.
    """
    if not is_owner:
        yield check(directory, config)
        return
    with contextlib.ExitStack() as stack:
        folder = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(directory / LOCK))
            if isinstance(directory, Path):  # in a bucket, whoever may write the lock may write all
                folder = directory / CHECKPOINTS if (directory / CHECKPOINTS).is_dir() else directory
                probe_writing(folder, size=LEAST_SPACE)
        except InUse as other:
            who = f" ({other})" if str(other) else ""
            raise InputError(
                f"--workdir {directory} is in use by another run{who}; wait for it or take another directory"
            ) from None
        except OSError as error:
            raise InputError(f"--workdir {folder} cannot be written ({error.strerror}); take another directory") from None
        yield check(directory, config)


def check(directory: AnyPath, config: Config) -> Changes:
    """Compares a config with that of a work directory.

    Returns:
      the keys that have changed; nothing if the directory is new.

    Raises:
      InputError: if it belongs to a different config, lies among the images, or cannot be read.
    """
    try:
        return _check(directory, config)
    except OSError as error:
        raise InputError(f"--workdir {directory} cannot be read ({error.strerror or error})") from error


def _check(directory: AnyPath, config: Config) -> Changes:
    _check_place(directory, config)
    code_of(config)  # it raises an error before the work if the directory could not keep the code
    if not (directory / CONFIG).exists():
        if any((directory / CHECKPOINTS).glob("[0-9]*")):
            raise InputError(f"--workdir {directory} holds checkpoints but no {CONFIG}; take another directory")
        return {}
    before = _read_config(directory)
    refuse_changed_code(directory, before, config)
    changes = _changes(before, config)
    fixed = {key: values for key, values in changes.items() if not _matches(key, MAY_CHANGE)}
    if fixed:
        lines = listing(f"{key}: {now}, {before}" for key, (before, now) in fixed.items())
        raise InputError(
            f"--workdir {directory} belongs to a different config; take another directory, or give the values of its "
            f"config (key: value given, value there):{lines}"
        )
    if "steps" in changes and config.steps < changes["steps"][0]:
        raise InputError(
            f"--workdir {directory} holds a run of {changes['steps'][0]} steps; steps={config.steps} would shorten it, "
            "but a run can only be extended"
        )
    return changes


def register(directory: AnyPath, config: Config, *, step: int, images: int, digest: str, changes: Changes) -> None:
    """Writes the config, its changes, and the fingerprint of the training images into a work directory.

    Call this when everything has been checked: a run that cannot begin leaves the directory free for another config.

    Args:
      step: the step from which the run goes on.
      images: the number of training images.
      digest: their fingerprint.
      changes: what `claim` returned.

    Raises:
      InputError: if the directory has another fingerprint, so that its run could not go on exactly.
    """
    path, record = directory / DATA, {"images": images, "sha256": digest}
    if path.exists():
        with option(f"--workdir {directory}"):
            before = read_json(path)
        if before != record:
            raise InputError(
                f"the training images have changed since the run in --workdir {directory} began, from "
                f"{json.dumps(before)} to {json.dumps(record)}; restore them or take another directory"
            )
    replace_text(path, json.dumps(record) + "\n")
    earlier, start = _read_changes(directory), schedule_start(directory, config, changes, step)
    if changes or start != _last_start(earlier):
        line = {"step": step, "schedule_start": start, "changes": changes}
        replace_text(directory / CHANGES, "".join(f"{json.dumps(row)}\n" for row in [*earlier, line]))
    keep_code(directory, config)
    replace_text(directory / CONFIG, to_json(config))


def schedule_start(directory: AnyPath, config: Config, changes: Changes, step: int) -> int:
    """Returns the step at which the schedule of the learning rate begins: 0, or where an extension restarted it.

    A run that lost the checkpoints back to before that restart begins its schedule where it goes on.

    Args:
      changes: what `claim` returned.
      step: the step from which the run goes on.

    Raises:
      InputError: if `changes.jsonl` cannot be read.
    """
    if "steps" in changes and config.optim.on_extend == "restart":
        return step
    return min(_last_start(_read_changes(directory)), step)


def finish(directory: AnyPath, config: Config) -> None:
    """Notes that the results of a config are written."""
    replace_text(directory / FINISHED, to_json(config))


def is_finished(directory: AnyPath, config: Config) -> bool:
    """Returns whether a work directory holds the results of a config, so that there is nothing to do."""
    if not (directory / RESULTS).is_file() or not (directory / CHECKPOINTS / str(config.steps)).is_dir():
        return False
    try:
        finished = from_json((directory / FINISHED).read_bytes(), folder=directory)
    except (InputError, OSError):
        return False
    return all(_matches(key, WITHOUT_EFFECT) for key in _changes(finished, config))


def evaluation(config: Config) -> str:
    """Returns how a config scores. Scores of checkpoints can be compared only if this is equal."""
    keys = config.eval
    return f"{' '.join(keys.sets)}; protocol {keys.protocol}; degradation {keys.degradation}"


def _check_place(directory: AnyPath, config: Config) -> None:
    """Checks that the pictures that a run writes cannot become images of a later one. Images lie on this machine."""
    if is_remote(directory):
        return
    for key, folders in (("data.dir", config.data.dir), ("eval.sets", config.eval.sets)):
        for folder in folders:
            place = Path(folder).expanduser()
            if place.is_dir() and directory.resolve().is_relative_to(place.resolve()):
                raise InputError(
                    f"--workdir {directory} lies in a folder of images, {key}={folder}, and later runs would take the pictures "
                    "that this one writes for images; take another directory"
                )


def _read_config(directory: AnyPath) -> Config:
    try:
        return from_json((directory / CONFIG).read_bytes(), folder=directory)
    except (InputError, OSError) as error:
        raise InputError(f"--workdir {directory}: {CONFIG} cannot be read ({error}); take another directory") from None


def _read_changes(directory: AnyPath) -> list[dict[str, Any]]:
    path = directory / CHANGES
    if not path.exists():
        return []
    rows = [parse_json(line, f"--workdir {directory}: a line of {CHANGES}") for line in path.read_bytes().splitlines()]
    for row in rows:
        if not isinstance(row.get("schedule_start"), int):
            raise InputError(f"--workdir {directory}: a line of {CHANGES} has no schedule_start; restore the file")
    return rows


def _last_start(changes: list[dict[str, Any]]) -> int:
    """The step at which the schedule began when `changes.jsonl` was written last."""
    return changes[-1]["schedule_start"] if changes else 0


def _changes(before: Config, now: Config) -> Changes:
    """The keys in which two configs differ. A warm-up that is given is the same as an equal one that is not."""
    if before.warmup_steps == now.warmup_steps:
        before = _with_warmup(before, now.optim.warmup_steps)
    return differences(before, now)


def _with_warmup(config: Config, steps: int | None) -> Config:
    return dataclasses.replace(config, optim=dataclasses.replace(config.optim, warmup_steps=steps))


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)
