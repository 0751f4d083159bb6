"""The work directory. It belongs to one config, and to one live run at a time."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import filelock

from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.errors import InputError, listing
from sr_jax.system.files import replace_text

CONFIG = "config.json"
DATA = "data.json"


@contextlib.contextmanager
def claim(directory: Path, config: Config) -> Iterator[None]:
    """Creates a work directory or enters it again, and holds its lock. It belongs to no config before `register` is called.

    Raises:
      InputError: if it cannot be written, is in use by another run, or belongs to a different config.
    """
    lock = filelock.FileLock(directory / ".lock")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(f"--workdir {directory} is in use by another run; wait for it or take another directory") from None
    except OSError as error:
        raise InputError(f"--workdir {directory} cannot be written ({error.strerror}); take another directory") from None
    try:
        _compare_config(directory, config)
        yield
    finally:
        lock.release()


def _compare_config(directory: Path, config: Config) -> None:
    path = directory / CONFIG
    if not path.exists() and any((directory / "checkpoints").glob("[0-9]*")):
        raise InputError(f"--workdir {directory} holds checkpoints but no {CONFIG}; take another directory")
    if path.exists():
        try:
            theirs = configs.from_json(path.read_text())
        except (InputError, OSError) as error:
            raise InputError(f"--workdir {directory}: {CONFIG} cannot be read ({error}); take another directory") from None
        lines = configs.differences(config, theirs)
        if lines:
            raise InputError(
                f"--workdir {directory} belongs to a different config; take another directory, or give the values of its "
                f"config (key: value given, value there):{listing(lines)}"
            )


def register(directory: Path, config: Config, *, images: int, digest: str) -> None:
    """Writes the config and the fingerprint of the training images into a work directory.

    Call this when everything has been checked: a run that cannot begin leaves the directory free for another config.

    Args:
      images: the number of training images.
      digest: their fingerprint.

    Raises:
      InputError: if the directory has another fingerprint, so that its run could not go on exactly.
    """
    path = directory / DATA
    record = json.dumps({"images": images, "sha256": digest}) + "\n"
    if path.exists() and path.read_text() != record:
        raise InputError(
            f"the training images have changed since the run in --workdir {directory} began, from "
            f"{path.read_text().strip()} to {record.strip()}; restore them or take another directory"
        )
    replace_text(path, record)
    replace_text(directory / CONFIG, configs.to_json(config))
