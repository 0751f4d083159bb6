"""Paths in a bucket, through gcsfs, at a stand-in of Google Cloud Storage."""

import hashlib

import pytest

from sr_jax.system.files import read_json, replace_text, sha256_of
from sr_jax.system.paths import to_path

RUN = to_path("gs://bucket/run")


def test_objects_are_written_read_and_removed(cloud):
    path = RUN / "a.json"
    assert not path.exists()
    assert path.write_bytes(b"abc\n") == 4
    assert cloud.objects["run/a.json"].data == path.read_bytes() == b"abc\n"
    assert (path.exists(), path.is_file(), path.is_dir(), path.stat().length) == (True, True, False, 4)
    path.write_text("ä\r\n\0--==0==")
    assert path.read_text() == "ä\r\n\0--==0=="
    for end in (b"\r", b"\n", b"\r\n"):
        path.write_bytes(b"abc" + end)
        assert path.read_bytes() == b"abc" + end
    path.unlink()
    assert not cloud.objects
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match=r"No such object or bucket: 'gs://bucket/run/a\.json'"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"gs://bucket/run/a\.json"):
        path.read_bytes()


def test_files_that_are_written_whole_need_no_second_name(cloud):
    replace_text(RUN / "a.json", '{"a": 1}')
    assert cloud.names("") == ["run/a.json"]
    assert read_json(RUN / "a.json") == {"a": 1}
    assert [method for method, _ in cloud.requests if method != "GET"] == ["POST"]
    assert sha256_of(RUN / "a.json") == hashlib.sha256(b'{"a": 1}').hexdigest()


def test_folders_are_what_is_in_them(cloud):
    (RUN / "checkpoints").mkdir(parents=True)
    assert not cloud.requests
    for name in ("1/a", "1/b/c", "12/a", "x"):
        (RUN / name).write_bytes(b"")
    assert (RUN / "1").is_dir()
    assert not (RUN / "1").is_file()
    assert sorted(path.name for path in RUN.iterdir()) == ["1", "12", "x"]
    assert sorted(path.name for path in RUN.glob("[0-9]*")) == ["1", "12"]
    assert [str(path) for path in RUN.glob("12/*")] == ["gs://bucket/run/12/a"]
    assert not list(RUN.glob("none/*"))
    (RUN / "1").rename(RUN / "1.damaged")
    assert cloud.names("run/") == ["1.damaged/a", "1.damaged/b/c", "12/a", "x"]
    (RUN / "1.damaged").rmtree()
    (RUN / "1.damaged").rmtree(missing_ok=True)
    assert cloud.names("run/") == ["12/a", "x"]


def test_what_another_process_writes_is_seen_at_once(cloud):
    assert not (RUN / "a").exists()
    assert not list(RUN.glob("*"))
    cloud.put("run/a", b"1")
    assert [path.name for path in RUN.glob("*")] == ["a"]
    cloud.put("run/a", b"2")
    assert (RUN / "a").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (403, PermissionError, "Permission denied by the cloud: the caller does not have storage.objects access"),
        (401, PermissionError, "Permission denied by the cloud"),
        (400, OSError, "The cloud answers with an error: , 400"),
    ],
)
def test_errors_name_the_path_and_the_reason(cloud, status, error, message):
    cloud.fault = lambda method, path: status
    for call in (RUN.exists, RUN.is_dir, RUN.read_bytes, lambda: RUN.write_bytes(b""), RUN.unlink, lambda: list(RUN.glob("*"))):
        with pytest.raises(error) as caught:
            call()
        assert caught.value.filename == "gs://bucket/run"
        assert caught.value.strerror.startswith(message)
        assert "\n" not in str(caught.value)


def test_a_bucket_that_does_not_exist(cloud):
    del cloud
    path = to_path("gs://another/run")
    assert not path.exists()
    with pytest.raises(FileNotFoundError, match="No such object or bucket: 'gs://another/run'"):
        path.write_bytes(b"")


@pytest.mark.slow
def test_errors_that_pass_are_waited_for(cloud):
    statuses = iter([503, 429, 500])
    cloud.fault = lambda method, path: next(statuses, None)
    RUN.write_bytes(b"abc")
    assert cloud.objects["run"].data == b"abc"


@pytest.mark.slow
def test_a_cloud_that_cannot_be_reached(cloud, monkeypatch):
    del cloud
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"The cloud cannot be reached: .*Cannot connect to host 127\.0\.0\.1:9.*gs://bucket/run"):
        RUN.exists()
