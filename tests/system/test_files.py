import errno
import os

import pytest

from sr_jax.errors import InputError
from sr_jax.system.files import naming, read_json, replace_bytes


def test_nothing_is_left_of_what_could_not_be_written(tmp_path):
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(OSError, match=r"d\.safetensors"):
        replace_bytes(tmp_path / "d.safetensors", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["d.safetensors"]


def test_an_error_of_writing_names_its_file(tmp_path):
    with pytest.raises(OSError, match=r"a\.json") as caught, naming(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # that of write() has no name
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="'b'"), naming(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "b")


def test_an_object_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes('{"a": [1, "ä"]}'.encode())
    assert read_json(tmp_path / "a.json") == {"a": [1, "ä"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.json is not JSON"),
        (b'{"a": ', "a.json is not JSON"),
        (b'{"a": "\xff\xfe"}', "a.json is not JSON"),
        (b"[" * 100_000, "a.json is not JSON"),
        (b"null", "a.json holds null where"),
        (b"3", "a.json holds a number where"),
        (b"[]", "a.json holds a list where"),
        (b'"a"', "a.json holds a string where"),
        (b"true", "a.json holds a truth value where"),
    ],
)
def test_anything_else_than_an_object_is_refused(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_json(tmp_path / "a.json")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(InputError, match=r"a\.json cannot be read \(Is a directory\)"):
        read_json(tmp_path / "a.json")
