"""Downloads files, continuing where an earlier attempt stopped, and unpacks archives safely.

A file grows as NAME.partial. A note beside it says which version of the file it is. Requests carry `If-Range`, so that a file
that has changed on the server is downloaded from its beginning. NAME appears, in one move, when the checksum is right.
"""

import hashlib
import http.client
import json
import shutil
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from filelock import FileLock
from tqdm import tqdm

from sr_jax.errors import InputError, TrainingError, is_full
from sr_jax.system.files import read_json
from sr_jax.system.places import nearest

CHUNK = 1 << 20
ATTEMPTS = 5
"""Failed connections in a row, without a byte received, after which a download stops."""


def download(url: str, target: Path, *, checksum: str, pause: float = 1.0, timeout: float = 60.0) -> None:
    """Downloads a file, continuing what an earlier call left.

    Args:
      checksum: `sha256:...` or `md5:...` of the file.
      pause: seconds between a broken connection and the next attempt. It doubles with each attempt.
      timeout: seconds without a byte after which a connection counts as broken.

    Raises:
      InputError: if the server refuses, the connection fails, or the checksum is wrong. The bytes received are kept, except
        after a wrong checksum.
      TrainingError: if the disk is full. The bytes received are kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    with FileLock(f"{target}.lock"):
        if target.exists():
            return
        failures = 0
        while True:
            before = _size(partial)
            try:
                _receive(url, partial, timeout)
                break
            except urllib.error.HTTPError as error:
                if error.code == 416:  # the server has no more bytes, so ours are not of that file
                    _discard(partial)
                elif error.code < 500:
                    raise InputError(f"{url}: the server answers {error.code} {error.reason}") from None
                reason = f"the server answers {error.code} {error.reason}"
            except (OSError, http.client.HTTPException, _Broken) as error:
                if is_full(error):
                    raise TrainingError(f"{url}: no space left for {partial}; the same command continues") from None
                reason = str(getattr(error, "reason", error))
            failures = 0 if _size(partial) > before else failures + 1
            if failures >= ATTEMPTS:
                kept = f"; {_size(partial):,} bytes are kept, the same command continues" if _size(partial) else ""
                raise InputError(f"{url}: {reason}, {failures} times{kept}")
            wait = pause * 2**failures
            print(f"{url}: {reason}; next attempt in {wait:.0f} s", file=sys.stderr)
            time.sleep(wait)
        _verify(url, partial, checksum)
        partial.rename(target)
        _note_of(partial).unlink(missing_ok=True)


def unpack(archive: Path, target: Path, *, holds: dict[str, str]) -> None:
    """Unpacks folders of a ZIP or TAR file. Each folder appears in one move; existing ones are left unchanged.

    Only regular files are unpacked, no links, and nothing outside of `target`. The files may have twice the archive's bytes
    in total, since images hardly compress.

    Args:
      holds: maps folders in the archive to folders in `target`.

    Raises:
      InputError: if the archive is damaged, unpacks to too many bytes, leads out of `target`, or lacks a folder.
    """
    wanted = {inner: target / outer for inner, outer in holds.items() if not (target / outer).exists()}
    work = target / f".{archive.name}.unpacking"
    shutil.rmtree(work, ignore_errors=True)
    allowed = 2 * archive.stat().st_size + CHUNK
    try:
        for name, stream in tqdm(_members(archive), desc=f"unpacking {archive.name}", unit=" files", file=sys.stderr):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise InputError(f"{archive}: its member {name} would be written outside of {target}")
            if not any(path.is_relative_to(inner) for inner in wanted):
                continue
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            with (work / path).open("wb") as file:
                while block := stream.read(CHUNK):
                    allowed -= len(block)
                    if allowed < 0:
                        raise InputError(f"{archive} unpacks to more than twice its size, which images do not do")
                    file.write(block)
        for inner, place in wanted.items():
            if not (work / inner).is_dir():
                raise InputError(f"{archive} does not hold {inner}")
            place.parent.mkdir(parents=True, exist_ok=True)
            (work / inner).rename(place)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError) as error:
        raise InputError(f"{archive} is damaged ({error}); delete it, and it will be downloaded again") from None
    except OSError as error:
        raise InputError(f"{target}: {archive.name} cannot be unpacked ({error.strerror or error})") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_space(folder: Path, needed: int, *, what: str) -> None:
    """Checks that the disk of `folder` has `needed` bytes free.

    Args:
      what: the subject of the error message.

    Raises:
      InputError: if it does not.
    """
    folder = nearest(folder)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(f"{what} needs {needed / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB free")


class _Broken(Exception):
    """A connection that ended early."""


def _receive(url: str, partial: Path, timeout: float) -> None:
    """Makes one request that continues `partial`, or starts it again if the file on the server has changed."""
    note = _note_of(partial)
    version = _read(note) if partial.exists() else {}
    validator = _validator(version)
    received = _size(partial) if version.get("url") == url and validator else 0
    if received and received == version.get("total"):
        return
    headers = {"User-Agent": "sr_jax", "Accept-Encoding": "identity"}
    if received and validator:
        headers |= {"Range": f"bytes={received}-", "If-Range": validator}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as response:
        continues = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {received}-")
        start = received if continues else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        if continues and total != version.get("total"):
            _discard(partial)
            raise _Broken("the file on the server has changed")
        if not continues:
            validators = {name: response.headers.get(name) for name in ("ETag", "Last-Modified")}
            note.write_text(json.dumps({"url": url, "total": total, **validators}))
        if total is not None:
            check_space(partial.parent, total - start, what=url)
        with partial.open("ab" if continues else "wb") as file, _progress(partial.stem, start, total) as bar:
            while block := response.read(CHUNK):
                file.write(block)
                bar.update(len(block))
    if total is not None and _size(partial) < total:
        raise _Broken(f"the connection ended after {_size(partial):,} of {total:,} bytes")


def _read(note: Path) -> dict[str, Any]:
    """What is known of a partial download; nothing if its note is missing or damaged."""
    try:
        return read_json(note)
    except InputError:
        return {}


def _validator(version: dict[str, Any]) -> str | None:
    """Identifies this version of a file, for `If-Range`. Without one (None), continuing is not safe."""
    etag = version.get("ETag")
    return etag if etag and not etag.startswith("W/") else version.get("Last-Modified")


def _verify(url: str, partial: Path, checksum: str) -> None:
    algorithm, _, expected = checksum.partition(":")
    with partial.open("rb") as file:
        actual = hashlib.file_digest(file, algorithm).hexdigest()
    if actual != expected:
        _discard(partial)
        raise InputError(f"{url}: what arrived has the {algorithm} sum {actual}, not {expected}; it was deleted")


def _discard(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _note_of(partial).unlink(missing_ok=True)


def _note_of(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _progress(name: str, start: int, total: int | None) -> tqdm:
    return tqdm(desc=name, initial=start, total=total, unit="B", unit_scale=True, file=sys.stderr)


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields the name and the content of each regular file in a ZIP or TAR file."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for member in file.infolist():
                if not member.is_dir():
                    with file.open(member) as stream:
                        yield member.filename, stream
        return
    with tarfile.open(archive) as file:
        for member in file:
            stream = file.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, stream
