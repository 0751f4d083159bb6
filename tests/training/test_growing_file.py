import errno

import pytest

from sr_jax.system.paths import to_path
from sr_jax.training import growing_file
from sr_jax.training.growing_file import GrowingFile


def test_a_file_grows_where_others_read_it(tmp_path, cloud, monkeypatch):
    monkeypatch.setattr(growing_file, "UPLOAD_AFTER", 0.0)
    for path in (tmp_path / "log/a", to_path("gs://bucket/log/a")):
        file = GrowingFile(path, b"1\n")
        for line in (b"2\n", b"3\n"):
            file.append(line)
        assert path.read_bytes() == file.read_bytes() == b"1\n2\n3\n"
        file.replace(b"1\n")
        file.append(b"4\n")
        file.close()
        assert path.read_bytes() == b"1\n4\n"
    assert cloud.names("") == ["log/a"]


def test_an_object_is_replaced_now_and_then_and_when_it_must_be(cloud):
    path = to_path("gs://bucket/log/a")
    file = GrowingFile(path, b"")
    for number in range(100):
        file.append(b"%d\n" % number)
    assert len([path for method, path in cloud.requests if method == "POST"]) == 1
    assert path.read_bytes() == b""
    assert len(file.read_bytes().splitlines()) == 100
    for finish in (file.flush, file.flush, file.close):
        finish()
        assert path.read_bytes() == file.read_bytes()
    assert len([path for method, path in cloud.requests if method == "POST"]) == 2


def test_what_cannot_be_uploaded_now_is_kept(cloud, monkeypatch):
    monkeypatch.setattr(growing_file, "UPLOAD_AFTER", 0.0)
    path = to_path("gs://bucket/log/a")
    file = GrowingFile(path, b"1\n")
    cloud.fault = lambda method, path: 403
    file.append(b"2\n")
    with pytest.raises(PermissionError, match="Permission denied by the cloud") as caught:
        file.flush()
    assert (caught.value.errno, caught.value.filename) == (errno.EACCES, "gs://bucket/log/a")
    cloud.fault = lambda method, path: None
    file.close()
    assert path.read_bytes() == b"1\n2\n"
