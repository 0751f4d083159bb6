"""A file that grows while a run goes on."""

import contextlib
import time
from pathlib import Path
from typing import BinaryIO

from sr_jax.system.files import naming, replace_bytes
from sr_jax.system.paths import AnyPath

UPLOAD_AFTER = 30.0
"""In a bucket, what is appended is there after this time [s], because an object can only be replaced as a whole."""


class GrowingFile:
    """A file that is written anew, or to whose end bytes are appended. Everything that a log writes goes through this class.

    In a bucket, appended bytes are kept in memory, and the object is replaced every now and then.

    Raises:
      OSError: naming the file, if it cannot be written. This holds for all methods.
    """

    def __init__(self, path: AnyPath, content: bytes):
        self._path = path
        self._file: BinaryIO | None = None
        self._content = bytearray()
        """All of the file, if it lies in a bucket."""
        self._uploaded = 0
        """How much of that is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.replace(content)

    def replace(self, content: bytes) -> None:
        """Writes the file anew, whole or not at all."""
        self._close()
        replace_bytes(self._path, content)
        if isinstance(self._path, Path):
            self._file = self._path.open("ab")
        else:
            self._content, self._uploaded, self._time = bytearray(content), len(content), time.monotonic()

    def append(self, content: bytes) -> None:
        """Appends bytes. On a file system, other processes can read them when this method returns."""
        if not self._file:
            self._content += content
            if time.monotonic() - self._time > UPLOAD_AFTER:
                with contextlib.suppress(OSError):  # the next time may be better, and `flush` tells
                    self._upload()
            return
        with naming(self._path):
            self._file.write(content)
            self._file.flush()

    def read_bytes(self) -> bytes:
        """Returns all of the file."""
        return self._path.read_bytes() if self._file else bytes(self._content)

    def flush(self) -> None:
        """Returns when other processes can read all that was appended."""
        if not self._file and self._uploaded < len(self._content):
            self._upload()

    def close(self) -> None:
        """Closes the file."""
        self.flush()
        self._close()

    def _upload(self) -> None:
        self._time = time.monotonic()
        replace_bytes(self._path, bytes(self._content))
        self._uploaded = len(self._content)

    def _close(self) -> None:
        with naming(self._path):
            if self._file:
                self._file.close()
