"""Finds the HR pictures of results, by their names."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from sr_jax.errors import InputError, listing, printable
from sr_jax.pictures import names, read
from sr_jax.pictures.plan import Job

MOST_LISTED = 5


def find(place: str, jobs: Sequence[Job], *, scale: int) -> dict[Job, Path]:
    """Returns the HR picture of each job that has one: the file, or the picture of the folder with the same stem.

    Names that end with the scale, as those of DIV2K's LR pictures (0001x2.png), also match without it. A picture in a
    subfolder matches one in the same subfolder, or else the only one with its stem.

    Raises:
      InputError: if there is no such place, no picture matches, several do, or one has another size than the result.
    """
    path = Path(place).expanduser()
    if path.is_file():
        if len(jobs) > 1:
            raise InputError(f"--hr {place}: this is one picture, for {len(jobs)} pictures to enlarge; give a folder")
        found = dict.fromkeys(jobs, path)
    else:
        found = _in_folder(place, jobs, scale)
    wrong = [problem for job, file in found.items() if (problem := _problem(job, file, scale))]
    if wrong:
        raise InputError(
            f"--hr {place}: {printable(wrong[0])}"
            if len(wrong) == 1
            else f"--hr {place}: {len(wrong)} pictures do not fit:{listing(map(printable, wrong), most=MOST_LISTED)}"
        )
    return found


def _in_folder(place: str, jobs: Sequence[Job], scale: int) -> dict[Job, Path]:
    by_name: dict[PurePath, list[Path]] = {}
    by_stem: dict[str, list[Path]] = {}
    for source in names.find([place], leave_out=None).sources:
        if source.path:
            by_name.setdefault(source.name.with_suffix(""), []).append(source.path)
            by_stem.setdefault(source.name.stem, []).append(source.path)
    found: dict[Job, Path] = {}
    for job in jobs:
        name = job.source.name.with_suffix("")
        bare = name.with_name(re.sub(rf"[-_]?x{scale}$", "", name.name) or name.name)
        candidates = (by_name.get(name), by_name.get(bare), by_stem.get(name.name), by_stem.get(bare.name))
        files = next((files for files in candidates if files), [])
        if len(files) > 1:
            raise InputError(
                f"--hr {place}: several pictures are called as {job.source.label}: "
                f"{', '.join(printable(str(file)) for file in files[:MOST_LISTED])}; keep one of them"
            )
        if files:
            found[job] = files[0]
    if jobs and not found:
        raise InputError(
            f"--hr {place}: no picture there has the stem of one that is enlarged, such as {jobs[0].source.name.stem}"
        )
    return found


def _problem(job: Job, file: Path, scale: int) -> str:
    """Why an HR picture cannot be compared with the result; empty if it can."""
    try:
        header = read.read_header(file, str(file))
    except OSError as error:
        return f"{file} cannot be read ({error.strerror})"
    except InputError as error:
        return str(error)
    height, width = job.size
    plain = (scale * job.header.height, scale * job.header.width)
    rest = scale - 1 if job.size == plain else 0
    if 0 <= header.height - height <= rest and 0 <= header.width - width <= rest:
        return ""
    return (
        f"{file} has {header.width}x{header.height} pixels, and the result of {job.source.label} has {width}x{height}; "
        "give the picture of which the input was made"
    )
