"""Downloads from a local server that interrupts connections, serves wrong or changed files, or refuses."""

import hashlib
import importlib.util
import io
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import numpy as np
import pytest

from sr_jax.data.sources import download as module
from sr_jax.data.sources.download import check_space, download, unpack
from sr_jax.errors import InputError
from tests.data.sources.server import serving

CONTENT = np.random.default_rng(0).bytes(50_000)


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def fetch(server, target, checksum=None):
    download(server.url, target, checksum=checksum or sha256(CONTENT), pause=0.001, timeout=10.0)


def test_whole(tmp_path):
    with serving(CONTENT) as server:
        fetch(server, tmp_path / "new/file.zip")
        fetch(server, tmp_path / "new/file.zip")
    assert server.asked == [None]  # an existing file is not requested again
    assert (tmp_path / "new/file.zip").read_bytes() == CONTENT
    assert not list(tmp_path.rglob("*.partial*"))


def test_md5(tmp_path):
    with serving(CONTENT) as server:
        fetch(server, tmp_path / "file", checksum=f"md5:{hashlib.md5(CONTENT).hexdigest()}")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_broken_connection_continues_where_it_stopped(tmp_path):
    with serving(CONTENT, breaks_after=[20_000, 12_345]) as server:
        fetch(server, tmp_path / "file")
    assert server.asked == [None, "bytes=20000-", "bytes=32345-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_last_modified_is_used_if_the_etag_is_weak(tmp_path):
    with serving(CONTENT, breaks_after=[20_000], etag='W/"weak"') as server:
        fetch(server, tmp_path / "file")
    assert server.answered == [200, 206]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_later_call_continues_too(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with serving(CONTENT, breaks_after=[20_000, 0]) as server:
        with pytest.raises(
            InputError, match=r"20,000 of 50,000 bytes, 1 times; 20,000 bytes are kept, the same command continues"
        ):
            fetch(server, tmp_path / "file")
        assert not (tmp_path / "file").exists()
        fetch(server, tmp_path / "file")
    assert server.asked == [None, "bytes=20000-", "bytes=20000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("note", [b"", b"null", b"[]", b"3", b"\xff", b"{}", None])
def test_a_damaged_note_of_a_partial_download_starts_again(tmp_path, monkeypatch, note):
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with serving(CONTENT, breaks_after=[20_000, 0]) as server:
        with pytest.raises(InputError, match="20,000 bytes are kept"):
            fetch(server, tmp_path / "file")
        path = module._note_of(next(tmp_path.glob("*.partial")))
        path.unlink()
        if note is not None:
            path.write_bytes(note)
        fetch(server, tmp_path / "file")
    assert server.asked == [None, "bytes=20000-", None]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(tmp_path):
    with serving(CONTENT, breaks_after=[20_000], ranges=False) as server:
        fetch(server, tmp_path / "file")
    assert len(server.asked) == 2
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_nothing_is_appended_to_an_unknown_version(tmp_path):
    with serving(CONTENT, breaks_after=[20_000], etag=None) as server:
        fetch(server, tmp_path / "file")
    assert server.asked == [None, None]
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(("etag", "length"), [('"two"', 50_000), ('"one"', 40_000)])
def test_a_file_that_changed_meanwhile_is_downloaded_again(tmp_path, monkeypatch, etag, length):
    """The tag shows the change. If the server does not change the tag, the length shows it."""
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    new = CONTENT[::-1][:length]
    with serving(CONTENT, breaks_after=[20_000, 0]) as server:
        with pytest.raises(InputError):
            fetch(server, tmp_path / "file")
        server.content, server.etag = new, etag
        monkeypatch.setattr(module, "ATTEMPTS", 3)
        fetch(server, tmp_path / "file", checksum=sha256(new))
    assert (tmp_path / "file").read_bytes() == new


def test_a_wrong_checksum_is_named_and_nothing_kept(tmp_path):
    with serving(CONTENT[:-1] + b"x") as server:
        with pytest.raises(InputError, match=f"{server.url}: what arrived has the sha256 sum .*, not .*; it was deleted"):
            fetch(server, tmp_path / "file")
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
        server.content = CONTENT
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_partial_file_that_is_too_long_is_dropped(tmp_path):
    with serving(CONTENT, breaks_after=[20_000, 0]) as server:
        fetch(server, tmp_path / "other")  # this leaves nothing; the next lines imitate a crash of the machine
        (tmp_path / "file.partial").write_bytes(CONTENT + b"more")
        (tmp_path / "file.partial.json").write_text(f'{{"url": "{server.url}", "total": 50000, "ETag": "\\"one\\""}}')
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_complete_but_not_yet_checked(tmp_path):
    """The process was killed between the last byte and the checksum."""
    with serving(CONTENT) as server:
        (tmp_path / "file.partial").write_bytes(CONTENT)
        (tmp_path / "file.partial.json").write_text(f'{{"url": "{server.url}", "total": 50000, "ETag": "\\"one\\""}}')
        fetch(server, tmp_path / "file")
    assert server.asked == []
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_not_found(tmp_path):
    with (
        serving(CONTENT, status=404) as server,
        pytest.raises(InputError, match=r"images\.zip: the server answers 404 Not Found"),
    ):
        fetch(server, tmp_path / "file")
    assert server.asked == [None]  # repeating the request would not help


def test_a_request_is_repeated_after_a_server_error(tmp_path):
    with serving(CONTENT, status=503) as server, pytest.raises(InputError, match="answers 503 Service Unavailable, 5 times"):
        fetch(server, tmp_path / "file")
    assert len(server.asked) == 5


def test_no_server(tmp_path):
    with serving(CONTENT) as server:
        pass
    with pytest.raises(InputError, match="Connection refused, 5 times"):
        fetch(server, tmp_path / "file")


def test_no_space(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000))
    with pytest.raises(InputError, match=rf"DIV2K needs 3\.5 GB, and {tmp_path} has 0\.0 GB free"):
        check_space(tmp_path / "not/yet/there", 3_500_000_000, what="DIV2K")
    with serving(CONTENT) as server, pytest.raises(InputError, match=r"needs 0\.0 GB"):
        fetch(server, tmp_path / "file")


def test_a_killed_download_continues(tmp_path):
    target = tmp_path / "file"
    script = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("download", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.CHUNK = 1000
module.download(sys.argv[2], module.Path(sys.argv[3]), checksum=sys.argv[4])
"""
    spec = importlib.util.find_spec("sr_jax.data.sources.download")
    assert spec is not None
    assert spec.origin is not None
    with serving(CONTENT, pause=0.02) as server:
        process = subprocess.Popen([sys.executable, "-c", script, spec.origin, server.url, str(target), sha256(CONTENT)])
        partial = tmp_path / "file.partial"
        deadline = time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_size > 10_000):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = partial.stat().st_size
        assert 10_000 < kept < 50_000
        server.pause = 0
        fetch(server, target)
    assert server.asked == [None, f"bytes={kept}-"]
    assert target.read_bytes() == CONTENT


# Archives.

FILES = {"set/HR/1.png": b"one", "set/HR/sub/2.png": b"two" * 1000, "set/LR/1.png": b"small", "readme.txt": b"text"}


def zipped(path, files=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path, files=FILES, link=None):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo(link[0])
            member.type, member.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(member)
    return path


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_unpacks_the_folders_asked_for(tmp_path, pack):
    archive = pack(tmp_path / "a", FILES | {"padding": bytes(np.random.default_rng(0).bytes(5000))})
    unpack(archive, tmp_path / "set", holds={"set/HR": "HR", "set/LR": "LR_bicubic/X2"})
    expected = {"HR/1.png": b"one", "HR/sub/2.png": b"two" * 1000, "LR_bicubic/X2/1.png": b"small"}
    assert contents(tmp_path / "set") == expected


def test_existing_folders_are_left_unchanged(tmp_path):
    (tmp_path / "set/HR").mkdir(parents=True)
    (tmp_path / "set/HR/mine.png").write_bytes(b"mine")
    unpack(tarred(tmp_path / "a"), tmp_path / "set", holds={"set/HR": "HR", "set/LR": "LR"})
    assert contents(tmp_path / "set") == {"HR/mine.png": b"mine", "LR/1.png": b"small"}


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", ["../outside.png", "/tmp/outside.png", "set/HR/../../../outside.png"])
def test_a_member_that_leads_out_is_refused(tmp_path, pack, name):
    archive = pack(tmp_path / "a", FILES | {name: b"evil"})
    with pytest.raises(InputError, match=r"outside\.png would be written outside of"):
        unpack(archive, tmp_path / "in/set", holds={"set/HR": "HR"})
    assert not list(tmp_path.rglob("outside.png"))
    assert contents(tmp_path / "in/set") == {}


def test_links_are_not_made(tmp_path):
    unpack(tarred(tmp_path / "a", link=("set/HR/link.png", "/etc/passwd")), tmp_path / "set", holds={"set/HR": "HR"})
    assert sorted(contents(tmp_path / "set")) == ["HR/1.png", "HR/sub/2.png"]
    assert not (tmp_path / "set/HR/link.png").is_symlink()


def test_an_archive_bomb_is_refused(tmp_path):
    archive = zipped(tmp_path / "bomb.zip", {"set/HR/1.png": bytes(50_000_000)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(InputError, match=r"bomb\.zip unpacks to more than twice its size"):
        unpack(archive, tmp_path / "set", holds={"set/HR": "HR"})
    assert contents(tmp_path / "set") == {}


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="does not hold set/SR"):
        unpack(zipped(tmp_path / "a.zip"), tmp_path / "set", holds={"set/SR": "SR"})


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_truncated_archive_is_named(tmp_path, pack):
    archive = pack(tmp_path / "archive", {"set/HR/1.png": CONTENT})
    archive.write_bytes(archive.read_bytes()[:25_000])
    with pytest.raises(InputError, match="archive is damaged"):
        unpack(archive, tmp_path / "set", holds={"set/HR": "HR"})
    assert contents(tmp_path / "set") == {}


def test_a_damaged_zip_is_named(tmp_path):
    archive = zipped(tmp_path / "archive", {"set/HR/1.png": CONTENT})
    damaged = bytearray(archive.read_bytes())
    damaged[25_000] ^= 1
    archive.write_bytes(damaged)
    with pytest.raises(InputError, match="archive is damaged"):
        unpack(archive, tmp_path / "set", holds={"set/HR": "HR"})
    assert contents(tmp_path / "set") == {}
