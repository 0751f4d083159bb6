"""The work directory: it belongs to one config, and to one live run at a time."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import filelock

from sr_jax import config as configs
from sr_jax.config import Config
from sr_jax.errors import InputError
from sr_jax.writer import replace_text

CONFIG = "config.json"
DATA = "data.json"


@contextlib.contextmanager
def claimed(directory: Path, config: Config) -> Iterator[None]:
    """Creates or re-enters a work directory, and holds its lock. The directory becomes the config's by `register` alone.

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
    if path.exists():
        lines = configs.differences(config, configs.load(path))
        if lines:
            listing = "".join(f"\n  {line}" for line in lines)
            raise InputError(
                f"--workdir {directory} belongs to a different config; take another directory, or the same values "
                f"(key: asked for now, there):{listing}"
            )


def register(directory: Path, config: Config, *, images: int, digest: str) -> None:
    """Notes the config and the fingerprint of the training images at the first start; compares the latter at a later one.

    To be called when everything has been checked: a run that could not begin leaves the directory free for a better config.

    Raises:
      InputError: if the images are no longer those that the run began with: it could not go on exactly.
    """
    replace_text(directory / CONFIG, configs.to_json(config))
    path = directory / DATA
    now = {"images": images, "sha256": digest}
    if not path.exists():
        replace_text(path, json.dumps(now) + "\n")
        return
    then = json.loads(path.read_text())
    if then != now:
        raise InputError(
            f"the training images have changed since --workdir {directory} was begun ({then['images']} images then, "
            f"{images} now, or other pixels); put them back or take another directory"
        )
