"""Sends the log of a run to Weights & Biases. Nothing that fails there stops the run.

The package `wandb` is an optional extra. Its own environment variables apply, such as WANDB_MODE=offline and WANDB_ENTITY.
"""

import contextlib
import json
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sr_jax.errors import Interrupted
from sr_jax.system.files import read_json, replace_text
from sr_jax.system.paths import AnyPath

IDS = "wandb.json"
"""The file of a work directory that maps projects to the run in them, so that a resumed run goes on in the same one."""
FINISH_TIMEOUT = 30.0
"""Seconds that the end of a run waits for uploads. `wandb sync` sends the rest. The other processes of a run wait, too."""


class WandbRun:
    """A run in a project of Weights & Biases. After the first failure it does nothing any more, and says so once.

    Args:
      directory: the work directory. It holds `wandb.json` and, unless it lies in a bucket, the folder `wandb`.
      project: the project's name.
      config: what the page of the run shows as its config.

    Raises:
      InputError: naming `wandb.json`, if it cannot be read.
      OSError: if it cannot be written.
    """

    def __init__(self, directory: AnyPath, project: str, config: dict[str, Any]):
        ids = read_json(directory / IDS) if (directory / IDS).exists() else {}
        self.is_resumed = project in ids
        """Whether an earlier process began this run."""
        ids.setdefault(project, secrets.token_hex(4))
        replace_text(directory / IDS, json.dumps(ids) + "\n")
        self._run: Any = None
        with self._tolerating("did not start"):
            import wandb  # slow to import

            self._run = wandb.init(
                project=project,
                name=directory.absolute().name,
                id=ids[project],
                resume="allow",
                dir=str(directory) if isinstance(directory, Path) else tempfile.gettempdir(),
                config=config,
                settings=wandb.Settings(console="off", finish_timeout=FINISH_TIMEOUT),
            )
            self._image = wandb.Image

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Sends scalars. Weights & Biases joins those of one step, and ignores steps before the last one that it has."""
        with self._tolerating("failed"):
            if self._run:
                self._run.log(values, step=step)

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Sends a picture (h w 3, uint8)."""
        with self._tolerating("failed"):
            if self._run:
                self._run.log({name: self._image(pixels)}, step=step)

    def close(self, error: BaseException | None) -> None:
        """Ends the run. The page shows it as finished, preempted or failed.

        Args:
          error: what ended the training early, if anything did.
        """
        with self._tolerating("did not end"):
            if self._run and isinstance(error, Interrupted):
                self._run.mark_preempting()
            if self._run:
                self._run.finish(exit_code=0 if error is None else getattr(error, "status", 1))

    @contextlib.contextmanager
    def _tolerating(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # it raises errors of many types
            self._run = None
            reason = " ".join(str(error).split())  # it may have several lines
            print(f"warning: Weights & Biases {what} ({reason}); the training goes on without it", file=sys.stderr)
