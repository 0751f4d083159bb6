"""The options that several commands have, each declared once; `config_options.py` has those of a config."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from sr_jax.errors import InputError

MOST_SECONDS = 86_400

MODEL = "ZOO|WORKDIR|WEIGHTS|hf://..."
"""What an option that takes a trained network takes."""

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


Switch = Annotated[
    bool,
    PrimitiveConstructorSpec(
        nargs=0,
        metavar="",
        instance_from_str=lambda _: True,
        is_instance=lambda value: isinstance(value, bool),
        str_from_instance=lambda _: [],
    ),
]
"""An option without a value."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """The options of a command that several processes run together. None of them is needed where JAX detects the cluster."""

    coordinator: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT", help_behavior_hint="")] = None
    """Address of process 0. Give it with --processes and --process where JAX cannot detect the cluster."""
    processes: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Number of processes of the run. 1: do not look for a cluster."""
    process: Annotated[int | None, tyro.conf.arg(metavar="INDEX", help_behavior_hint="")] = None
    """Index of this process, from 0."""
    distributed: Annotated[Switch, tyro.conf.arg(help_behavior_hint="")] = False
    """Stop unless a cluster is detected, so that no process trains by itself by mistake."""
    join_timeout: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 300.0
    """How long to wait for the other processes at the start."""
    heartbeat_timeout: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 100.0
    """After how long without a sign of life a process counts as dead."""

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Makes this process one of the run.

        Raises:
          InputError: if the options contradict each other, or no cluster is detected although one is required.
        """
        from sr_jax.system import processes  # slow to import

        for name, value in (("--join_timeout", self.join_timeout), ("--heartbeat_timeout", self.heartbeat_timeout)):
            if not 1 <= value <= MOST_SECONDS:
                raise InputError(f"{name} {value:g}: give a number of seconds from 1 to {MOST_SECONDS:,}")
        if self.coordinator is not None and not re.fullmatch(r"\S+:\d{1,5}", self.coordinator):
            raise InputError(f"--coordinator {self.coordinator}: give a host and a port, such as 10.0.0.1:1234")
        cluster = processes.Cluster(
            self.coordinator, self.processes, self.process, self.distributed, self.join_timeout, self.heartbeat_timeout
        )
        with processes.joined(cluster), processes.quiet_unless_first():
            yield
