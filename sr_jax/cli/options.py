"""The options that several commands have, each declared once; `config_options.py` has those of a config."""

from pathlib import Path
from typing import Annotated

import tyro

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
