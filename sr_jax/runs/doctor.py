"""Looks at what a run would meet here: processes, devices, versions, folders, clocks."""

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from sr_jax.system import processes, provenance
from sr_jax.system.files import replace_text
from sr_jax.system.memory import device_memory
from sr_jax.system.paths import AnyPath
from sr_jax.system.places import nearest

MOST_SKEW = 1.0
"""Clocks of processes may differ by so many seconds before it is worth a word: make-like tools and tokens look at them."""
LEAST_SPACE = 2**30
"""Bytes that a folder should have free."""


def look(workdir: AnyPath | None, data_root: Path, cache: Path) -> int:
    """Prints what there is, and what to mend. Returns 1 if there is something to mend, else 0.

    Args:
      workdir: the work directory that is tried; None for none.
      data_root: the folder of the named sets.
      cache: the folder for compiled programs and prepared images.
    """
    members = [json.loads(data) for data in processes.share("what the processes are", json.dumps(describe()).encode())]
    first = members[0]
    print(f"cluster     {processes.detected_name() or 'none is detected'}")
    print(f"processes   {len(members)}, on {len({member['host'] for member in members})} machine(s)")
    for index, member in enumerate(members):
        print(f"  {index}: {member['host']}, {member['devices']}, {member['memory'] / 2**30:.1f} GiB each")
    print(f"versions    {', '.join(f'{name} {version}' for name, version in first['versions'].items())}")
    print(f"code        {first['commit']}")
    print(
        f"data root   {data_root}: {', '.join(sorted(p.name for p in data_root.iterdir() if p.is_dir())) or 'no sets'}"
        if data_root.is_dir()
        else f"data root   {data_root}: is not there"
    )
    print(f"cache       {cache}: {free(cache) / 2**30:.1f} GiB free")
    if workdir:
        print(f"workdir     {workdir}" + (f": {free(workdir) / 2**30:.1f} GiB free" if isinstance(workdir, Path) else ""))
    problems = [*differences(members), *(probe(workdir) if workdir else []), *lack_of_space(workdir, cache), *clock_skew()]
    problems = [json.loads(data) for data in processes.share("what to mend", json.dumps(problems).encode())]
    found = list(dict.fromkeys(problem for of_one in problems for problem in of_one))
    print("\n".join(f"mend        {problem}" for problem in found) if found else "nothing to mend")
    return int(bool(found))


def describe() -> dict[str, Any]:
    """What the other processes learn of this one."""
    devices = jax.local_devices()
    about = provenance.describe()
    return {
        "host": socket.gethostname(),
        "devices": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "memory": device_memory(),
        "versions": about["versions"],
        "commit": about["commit"],
    }


def differences(members: list[dict[str, Any]]) -> Iterator[str]:
    """What should be the same in all processes, and is not."""
    for name, what in (("versions", "the versions"), ("commit", "the code"), ("devices", "the devices")):
        others = [i for i, member in enumerate(members) if member[name] != members[0][name]]
        if others:
            yield f"{what} of process 0 ({members[0][name]}) and of process {others[0]} ({members[others[0]][name]}) differ"


def probe(workdir: AnyPath) -> list[str]:
    """Writes, renames and reads a file, and looks for those of the other processes."""
    place = workdir / f".doctor-{processes.index()}"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        replace_text(place, str(processes.index()))
        problems = [] if place.read_text() == str(processes.index()) else [f"{workdir} does not keep what is written"]
    except OSError as error:
        problems = [f"process {processes.index()} cannot write to {workdir}: {error.strerror}"]
    processes.barrier("all files of the probe")
    for other in range(processes.count()):
        if not problems and not (workdir / f".doctor-{other}").exists():
            problems.append(
                f"process {processes.index()} does not see what process {other} wrote to {workdir}: "
                "the work directory must lie on a file system that all processes share"
            )
    processes.barrier("the end of the probe")
    with contextlib.suppress(OSError):
        place.unlink()
    return problems


def clock_skew() -> list[str]:
    """How far the clocks of the processes are apart. They are read when the last one has come to a barrier."""
    processes.barrier("the clocks")
    times = [float(data) for data in processes.share("the time of day", str(time.time()).encode())]
    skew = max(times) - min(times)
    if processes.count() > 1:
        print(f"clocks      {skew:.2f} s apart at most")
    return [f"the clocks of the processes are {skew:.1f} s apart; synchronise them"] if skew > MOST_SKEW else []


def lack_of_space(workdir: AnyPath | None, cache: Path) -> list[str]:
    """The folders that have too little room."""
    return [
        f"{place} has only {free(place) / 2**20:.0f} MiB free"
        for place in (workdir, cache)
        if isinstance(place, Path) and free(place) < LEAST_SPACE
    ]


def free(place: Path) -> int:
    """The bytes that are free for a folder, which need not exist yet."""
    place = nearest(place)
    return shutil.disk_usage(place).free if os.access(place, os.R_OK) else 0
