import pytest

from sr_jax.errors import InputError
from sr_jax.pictures.names import RECORDS
from sr_jax.pictures.records import Records

MADE_BY = {"model_sha256": "m", "options": {"quality": 90}}


def write(out, name="sub/a.png", data=b"result", *, made_by=MADE_BY, sha256="i"):
    records = Records(out)
    with records.locked():
        records.write(name, data, input_name="in.png", input_sha256=sha256, made_by=made_by)


def state(out, name="sub/a.png", *, made_by=MADE_BY, sha256="i"):
    return Records(out).state(name, input_sha256=sha256, made_by=made_by)


def test_a_result_is_done_only_if_nothing_changed(tmp_path):
    assert state(tmp_path) == "missing"
    write(tmp_path)
    assert (tmp_path / "sub/a.png").read_bytes() == b"result"
    assert state(tmp_path) == "done"
    assert state(tmp_path, sha256="another") == "outdated"
    assert state(tmp_path, made_by={**MADE_BY, "model_sha256": "n"}) == "outdated"
    assert state(tmp_path, made_by={**MADE_BY, "options": {}}) == "outdated"
    (tmp_path / "sub/a.png").write_bytes(b"edited")
    assert state(tmp_path) == "foreign"
    (tmp_path / "b.png").write_bytes(b"mine")
    assert state(tmp_path, "b.png") == "foreign"
    (tmp_path / "sub/a.png").unlink()
    (tmp_path / "sub/a.png").symlink_to(tmp_path / "b.png")
    assert state(tmp_path) == "foreign"


def test_a_line_that_was_cut_off_costs_one_record(tmp_path):
    write(tmp_path, "a.png")
    write(tmp_path, "b.png")
    file = tmp_path / RECORDS / "records.jsonl"
    file.write_text(file.read_text()[:-20])
    assert (state(tmp_path, "a.png"), state(tmp_path, "b.png")) == ("done", "foreign")
    assert Records(tmp_path).outputs() == {tmp_path / "a.png"}
    write(tmp_path, "c.png")
    assert (state(tmp_path, "a.png"), state(tmp_path, "c.png")) == ("done", "done")


def test_a_result_is_written_whole_or_not_at_all(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / "sub").write_text("a file where a folder is needed")
    with pytest.raises(OSError, match="exists"):
        write(tmp_path)
    assert sorted(path.name for path in (tmp_path / RECORDS).iterdir()) == ["lock", "records.jsonl"]
    (tmp_path / RECORDS / "123.partial").write_bytes(b"left behind")
    write(tmp_path, "a.png", b"again")
    assert not list((tmp_path / RECORDS).glob("*.partial"))
    assert (tmp_path / "a.png").read_bytes() == b"again"


def test_a_file_is_moved_and_one_that_was_not_is_removed(tmp_path):
    records = Records(tmp_path)
    origin = {"input_name": "in.png", "input_sha256": "i", "made_by": MADE_BY}
    with records.locked() as folder:
        for name in ("1.partial", "2.partial"):
            (folder / name).write_bytes(b"result")
        records.write("sub/a.png", folder / "1.partial", **origin)
        with pytest.raises(FileNotFoundError):
            records.write("b.png", folder / "3.partial", **origin)
    assert (tmp_path / "sub/a.png").read_bytes() == b"result"
    assert (state(tmp_path), state(tmp_path, "b.png")) == ("done", "missing")
    assert not list((tmp_path / RECORDS).glob("*.partial"))


def test_one_run_at_a_time(tmp_path):
    first = Records(tmp_path)
    with first.locked(), pytest.raises(InputError, match="another run writes there"), Records(tmp_path).locked():
        pass
    with Records(tmp_path).locked():
        pass
