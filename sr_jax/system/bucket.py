"""Paths in buckets of Google Cloud Storage. Importing this file sets up the libraries, gcsfs and epath, for this process.

Objects are written whole or not at all, folders exist as long as something is in them, and renaming copies. For half a minute,
gcsfs repeats requests that fail because the cloud is busy or cannot be reached.
"""

import errno
import fnmatch
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

# Orbax's paths would go through TensorFlow where that is installed. The other variable is about kinds of buckets for which
# gcsfs asks before every file, over another protocol and with one more permission.
os.environ.setdefault("EPATH_USE_TF", "false")
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

import fsspec.config
import gcsfs  # noqa: F401 (a missing package is found here)
from etils.epath import gpath
from etils.epath.stat_utils import StatResult

T = TypeVar("T")

# Other processes write to the same folders.
fsspec.config.conf.setdefault("gcs", {})["use_listings_cache"] = False
logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it prints stacks of errors that it also raises


class BucketPath(gpath.PosixGPath):
    """A path in a bucket, `gs://BUCKET/NAME`. It has the methods of `pathlib.Path` that this project uses.

    Every error of a method is an OSError with the path and a reason in one line. epath's own paths seem not to exist while the
    network fails.
    """

    @property
    def key(self) -> str:
        """The bucket and the name in it, as gcsfs has it."""
        return str(self).removeprefix("gs://")

    def exists(self) -> bool:
        return self._kind() is not None

    def is_file(self) -> bool:
        return self._kind() == "file"

    def is_dir(self) -> bool:
        return self._kind() == "directory"

    def iterdir(self) -> Iterator["BucketPath"]:
        names = self._do(lambda files: files.ls(self.key, detail=False))
        return iter([type(self)(f"gs://{name}") for name in names if name.rstrip("/") != self.key])

    def glob(self, pattern: str) -> Iterator["BucketPath"]:
        """Yields what is in a folder. Only the last part of the pattern may have wildcards."""
        inner, _, name = pattern.rpartition("/")
        folder = self / inner if inner else self
        try:
            return iter([path for path in folder.iterdir() if fnmatch.fnmatchcase(path.name, name)])
        except FileNotFoundError:
            return iter([])

    def rglob(self, pattern: str) -> Iterator["BucketPath"]:
        """Yields the files of a folder and of the folders in it whose names match."""
        names = self._do(lambda files: files.find(self.key))
        return iter([path for name in names if fnmatch.fnmatchcase((path := type(self)(f"gs://{name}")).name, pattern)])

    def mkdir(self, mode: int | None = None, parents: bool = False, exist_ok: bool = False) -> None:
        """Does nothing: a folder exists as soon as something is in it."""

    def rmtree(self, missing_ok: bool = False) -> None:
        self._remove(missing_ok, recursive=True)

    def unlink(self, missing_ok: bool = False) -> None:
        self._remove(missing_ok, recursive=False)

    def rename(self, target: Any) -> "BucketPath":
        self._do(lambda files: files.mv(self.key, BucketPath(target).key, recursive=self.is_dir()))
        return BucketPath(target)

    def read_bytes(self) -> bytes:
        return self._do(lambda files: files.cat_file(self.key))

    def read_text(self, encoding: str | None = None) -> str:
        return self.read_bytes().decode(encoding or "utf-8")

    def write_bytes(self, data: bytes) -> int:
        """Writes an object, and compares the digest of what has arrived."""
        self._do(lambda files: files.pipe_file(self.key, bytes(data), consistency="md5"))
        return len(data)

    def write_text(self, data: str, encoding: str | None = None, errors: str | None = None) -> int:
        return self.write_bytes(data.encode(encoding or "utf-8", errors or "strict"))

    def stat(self) -> StatResult:
        about = self._do(lambda files: files.info(self.key))
        return StatResult(is_directory=about["type"] == "directory", length=about["size"], mtime=0)

    def absolute(self) -> "BucketPath":
        return self

    def resolve(self, strict: bool = False) -> "BucketPath":
        del strict
        return self

    def expanduser(self) -> "BucketPath":
        return self

    def create(self, data: bytes) -> None:
        """Writes an object that does not exist.

        Raises:
          FileExistsError: if it exists.
        """
        self._do(lambda files: files.pipe_file(self.key, data, mode="create"))

    def ask(self, method: str, **options: Any) -> Any:
        """Sends one request about the object to Google's JSON API, as `gcsfs.GCSFileSystem.call` does."""
        bucket, _, name = self.key.partition("/")
        return self._do(lambda files: files.call(method, "b/{}/o/{}", bucket, name, **options))

    def _kind(self) -> str | None:
        try:
            return self._do(lambda files: files.info(self.key))["type"]
        except FileNotFoundError:
            return None

    def _remove(self, missing_ok: bool, recursive: bool) -> None:
        try:
            self._do(lambda files: files.rm(self.key, recursive=recursive))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def _do(self, request: Callable[[Any], T]) -> T:
        """Calls a function of gcsfs's file system, whose errors become errors of the operating system."""
        try:
            return request(fsspec.filesystem("gcs"))
        except Exception as error:
            raise as_os_error(error, str(self)) from error


def as_os_error(error: BaseException, name: str) -> OSError:
    """Returns an error of gcsfs or of the packages below it as an OSError, with a path and a reason in one line."""
    if isinstance(error, OSError) and error.filename:
        return error
    first, *rest = str(error).splitlines() or [type(error).__name__]
    code = int(getattr(error, "code", None) or 0)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, "No such object or bucket", name)
    if isinstance(error, FileExistsError):
        return FileExistsError(errno.EEXIST, "It exists, or has changed", name)
    if first.startswith("Forbidden") or code in (401, 403):
        return PermissionError(errno.EACCES, f"Permission denied by the cloud: {rest[0] if rest else first}", name)
    if code:
        return OSError(errno.EIO, f"The cloud answers with an error: {first}", name)
    return OSError(errno.EIO, f"The cloud cannot be reached: {type(error).__name__}: {first}", name)
