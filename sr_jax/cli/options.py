"""The options that several commands have, each declared once."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from sr_jax.config import Config

CacheDir = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="DIR",
        help="Folder for compiled programs and prepared images.",
        help_behavior_hint="(default: sr_jax in the user's cache folder)",
    ),
]

DataRoot = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="DIR",
        help="Folder that holds the named sets.",
        help_behavior_hint="(default: the environment variable SR_JAX_DATA, else datasets/ in the cache folder)",
    ),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """The options of a command that reads a config: its file, and `--config.KEY=VALUE` for each of its keys."""

    config_file: Annotated[Path | None, tyro.conf.arg(name="config", metavar="FILE", help_behavior_hint="")]
    """Config file: a Python file such as configs/x2.py, or the config.json of a work directory.
    Without it, the defaults below are used."""
    config: Config
