"""Records of results, by which a run goes on where an earlier one stopped."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sr_jax.errors import InputError
from sr_jax.pictures.names import RECORDS
from sr_jax.system.files import naming, replace_text, sha256_of
from sr_jax.system.locks import InUse, held

FILE, LOCK = "records.jsonl", "lock"
PARTIAL = ".partial"


class Record(NamedTuple):
    """A result, and what it was made of."""

    output: str
    """Its name in the folder of the results."""
    output_sha256: str
    input: str
    input_sha256: str
    made_by: dict[str, Any]
    """The version of the code, the hash of the model, and all options that change the result."""


class Records:
    """The records of a folder of results.

    Args:
      out: the folder.
    """

    def __init__(self, out: Path):
        self._out = out
        self.folder = out / RECORDS
        """Where the records lie."""
        self._by_output: dict[str, Record] = {}
        with contextlib.suppress(OSError):
            for line in (self.folder / FILE).read_text().splitlines():
                with contextlib.suppress(ValueError, TypeError):  # the last line may be cut off
                    record = Record(**json.loads(line))
                    self._by_output[record.output] = record

    @contextlib.contextmanager
    def locked(self) -> Iterator[Path]:
        """Keeps other runs from this folder, and removes what an interrupted one left behind.

        Yields:
          a folder for files that are not complete yet. If their names end in `PARTIAL`, they are removed in the end.

        Raises:
          InputError: if another run writes here.
          OSError: if the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(held(self.folder / LOCK))
            except InUse:
                raise InputError(f"--out {self._out}: another run writes there; wait for it, or give another folder") from None
            self._remove_partial()
            replace_text(self.folder / FILE, "".join(f"{_line(record)}\n" for record in self._by_output.values()))
            try:
                yield self.folder
            finally:
                self._remove_partial()

    def all(self) -> list[Record]:
        """The records of all results."""
        return [*self._by_output.values()]

    def outputs(self) -> set[Path]:
        """The files that are results."""
        return {self._out / name for name in self._by_output}

    def state(self, output: str, *, input_sha256: str, made_by: dict[str, Any]) -> str:
        """Returns `missing`, `done`, `outdated` (made here of something else), or `foreign` (not made here, or changed)."""
        path, record = self._out / output, self._by_output.get(output)
        if not os.path.lexists(path):
            return "missing"
        if record is None or path.is_symlink() or not path.is_file() or sha256_of(path) != record.output_sha256:
            return "foreign"
        return "done" if (record.input_sha256, record.made_by) == (input_sha256, made_by) else "outdated"

    def write(self, output: str, data: bytes | Path, *, input_name: str, input_sha256: str, made_by: dict[str, Any]) -> None:
        """Writes a result whole or not at all, and notes it. Only one thread may do so.

        Args:
          data: the bytes of its file, or the file itself, which is moved.

        Raises:
          OSError: if it cannot be written.
        """
        path = self._out / output
        partial = self.folder / f"{os.getpid()}{PARTIAL}" if isinstance(data, bytes) else data
        digest = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else sha256_of(data)
        try:
            with naming(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(data, bytes):
                    partial.write_bytes(data)
                partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        record = Record(output, digest, input_name, input_sha256, made_by)
        self._by_output[output] = record
        with (self.folder / FILE).open("a") as file:
            file.write(f"{_line(record)}\n")

    def _remove_partial(self) -> None:
        for left in self.folder.glob(f"*{PARTIAL}"):
            left.unlink(missing_ok=True)


def _line(record: Record) -> str:
    return json.dumps(record._asdict(), sort_keys=True)
