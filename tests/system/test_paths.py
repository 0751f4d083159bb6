import subprocess
import sys
from pathlib import Path

import pytest

from sr_jax.errors import InputError
from sr_jax.system.paths import files_below, is_remote, local_copy, remove_tree, to_path
from tests.conftest import ROOT


@pytest.mark.parametrize("place", ["runs/x2", "/tmp/a b", ".", "a:b", "gs", "~/runs"])
def test_folders_of_this_machine(place):
    assert to_path(place) == Path(place).expanduser()
    assert type(to_path(place)) is type(Path(place))
    assert not is_remote(to_path(place))


def test_folders_of_a_bucket():
    path = to_path("gs://my-bucket/runs/x2/")
    assert is_remote(path)
    assert str(path) == "gs://my-bucket/runs/x2"
    assert str(path / "a" / "b.tar.gz") == "gs://my-bucket/runs/x2/a/b.tar.gz"
    inner = path / "a.json"
    assert (inner.name, inner.stem, inner.suffix) == ("a.json", "a", ".json")
    assert str(inner.with_suffix(".png")) == "gs://my-bucket/runs/x2/a.png"
    for same in (path.absolute(), path.resolve(), path.expanduser(), inner.parent, to_path(path)):
        assert (same, type(same)) == (path, type(path))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            "s3://b/run",
            r"s3://b/run: s3:// cannot be used here; mount the bucket with s3fs .*, or mirror a local folder",
        ),
        ("az://b/run", r"az:// cannot be used here; give a local folder, .*, or gs://BUCKET/FOLDER"),
        ("http://b/run", "http:// cannot be used here"),
        ("file:///tmp/run", "leave out file://"),
        ("gs:/b/run", r"gs:/b/run: write gs://b/run"),
        ("gs://", "name a bucket and a folder in it"),
        ("gs://bucket", "name a bucket and a folder in it"),
        ("gs:///run", "name a bucket and a folder in it"),
        ("gs://Bucket/run", "name a bucket and a folder in it"),
        ("gs://bucket/a/../b", r"may neither be empty, \. or \.\."),
        ("gs://bucket/a//b", "may neither be empty"),
        ("gs://bucket/run[1]", r"nor have # \? \* \[ \]"),
    ],
)
def test_other_places_are_refused(place, message):
    with pytest.raises(InputError, match=message) as caught:
        to_path(place)
    assert "\n" not in str(caught.value)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    monkeypatch.delitem(sys.modules, "sr_jax.system.bucket", raising=False)
    with pytest.raises(
        InputError, match=r"gs://bucket/run: gcsfs is not installed; install it with pip install -e '\.\[gcs\]'"
    ):
        to_path("gs://bucket/run")


@pytest.mark.slow
def test_local_runs_import_nothing_for_buckets():
    code = (
        "import sys; from sr_jax import train; from sr_jax.system.paths import to_path; to_path('runs/x2')\n"
        "print([name for name in ('gcsfs', 'fsspec', 'etils', 'aiohttp') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


def test_files_of_both_kinds_of_folders(cloud, tmp_path):
    del cloud
    for folder in (tmp_path / "run", to_path("gs://bucket/run")):
        for name in ("b", "a/c", "a/d/e"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(name.encode())
        assert files_below(folder) == ["a/c", "a/d/e", "b"]
        with local_copy(folder / "a/c") as copy:
            assert (copy.read_bytes(), copy.name) == (b"a/c", "c")
        assert (folder / "a/c").exists()
        remove_tree(folder / "a")
        assert files_below(folder) == ["b"]
        remove_tree(folder / "a")
