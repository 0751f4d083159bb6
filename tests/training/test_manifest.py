import hashlib
import json

import pytest

from sr_jax.training import manifest


def everything(path):
    del path
    return True


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "a").write_bytes(b"bytes of a")
    (tmp_path / "d/b").write_bytes(b"")
    manifest.write(tmp_path)
    return tmp_path


def test_what_it_holds(folder):
    expected = {"bytes": 10, "sha256": hashlib.sha256(b"bytes of a").hexdigest()}
    entries = json.loads((folder / "manifest.json").read_text())
    assert entries.keys() == {"a", "d/b"}
    assert entries["a"] == expected
    assert manifest.problem(folder, needs=everything) is None


def test_files_that_change_later_are_left_out(folder):
    manifest.write(folder, leave_out=["a"])
    assert not manifest.lists(folder, "a")
    (folder / "a").unlink()
    (folder / "c").touch()
    assert manifest.problem(folder, needs=everything) is None


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda file: file.write_bytes(b"bytes of b"), "a differs from what manifest.json says"),
        (lambda file: file.write_bytes(b"bytes"), "a has 5 bytes, and not those of manifest.json"),
        (lambda file: file.unlink(), "a cannot be read (No such file or directory)"),
    ],
)
def test_damage_is_named(folder, harm, message):
    harm(folder / "a")
    assert manifest.problem(folder, needs=everything) == message
    assert manifest.problem(folder, needs=lambda path: path != "a") is None
    if (folder / "a").exists():
        manifest.renew(folder, "a")
        assert manifest.problem(folder, needs=everything) is None


def test_damage_to_the_manifest_itself_is_noticed(folder):
    """One bit of each byte in turn, and each length."""
    path = folder / "manifest.json"
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ (1 << position % 8)]) + data[position + 1 :])
        assert manifest.problem(folder, needs=everything), position
        path.write_bytes(data[:position])
        assert manifest.problem(folder, needs=everything), position
    path.unlink()
    assert "manifest.json cannot be read" in str(manifest.problem(folder, needs=everything))
