"""Where a user may say that something lies: folders of this machine, and `gs://`, buckets of Google Cloud Storage.

Both kinds of paths have the methods of `pathlib`. What they do not share is here.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sr_jax.errors import InputError

if TYPE_CHECKING:
    from etils import epath

    AnyPath = Path | epath.Path
else:
    AnyPath = PurePath  # what both are; importing epath takes time that local runs can do without
"""A path of this machine or of a bucket."""

ADVICE = {
    "s3": "mount the bucket with s3fs (mountpoint-s3 cannot rename files), or mirror a local folder by `aws s3 sync`",
    "file": "leave out file://",
}
OTHERWISE = "give a local folder, such as one into which it is mounted, or gs://BUCKET/FOLDER"


def to_path(place: str | AnyPath) -> AnyPath:
    """Returns the path that a user has typed. Paths are returned as they are.

    Raises:
      InputError: if it names a place of another kind, is not a folder of a bucket, or the extra `gcs` is not installed.
    """
    if not isinstance(place, str):
        return place
    scheme, mark, rest = place.partition("://")
    if place.startswith("gs:/") and not mark:
        raise InputError(f"{place}: write gs://{place.removeprefix('gs:/')}")
    if not mark or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return Path(place).expanduser()
    if scheme != "gs":
        raise InputError(f"{place}: {scheme}:// cannot be used here; {ADVICE.get(scheme, OTHERWISE)}")
    parts = rest.rstrip("/").split("/")
    if len(parts) < 2 or not re.fullmatch(r"[a-z0-9][a-z0-9._-]+", parts[0]):
        raise InputError(f"{place}: name a bucket and a folder in it, as in gs://my-bucket/runs/x2")
    if any(part in ("", ".", "..") or re.search(r"[#?*\[\]]", part) or not part.isprintable() for part in parts):
        raise InputError(f"{place}: the names in a bucket may neither be empty, . or .., nor have # ? * [ ] in them")
    try:
        from sr_jax.system.bucket import BucketPath
    except ImportError as error:
        raise InputError(f"{place}: {error.name} is not installed; install it with pip install -e '.[gcs]'") from None
    return BucketPath(place)


def is_remote(path: AnyPath) -> bool:
    """Returns whether a path lies in a bucket."""
    return not isinstance(path, Path)


def files_below(folder: AnyPath) -> list[str]:
    """Returns the files of a folder and of the folders in it, sorted, as paths in the folder with slashes.

    Raises:
      OSError: if they cannot be listed.
    """
    if isinstance(folder, Path):
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def remove_tree(folder: AnyPath) -> None:
    """Removes a folder with all that is in it, as far as that is possible."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            folder.rmtree(missing_ok=True)


@contextlib.contextmanager
def local_folder(folder: AnyPath) -> Iterator[Path]:
    """Gives a folder of this machine to write to: the folder itself, or another one, whose files go to a bucket afterwards.

    Raises:
      OSError: if they cannot be written there.
    """
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        for file in files_below(Path(name)):
            (folder / file).write_bytes((Path(name) / file).read_bytes())


@contextlib.contextmanager
def local_copy(path: AnyPath) -> Iterator[Path]:
    """Gives a file of this machine with the same content: the file itself, or a copy that is removed afterwards.

    Raises:
      OSError: if the file cannot be read.
    """
    if isinstance(path, Path):
        yield path
        return
    data = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(data)
        yield copy
