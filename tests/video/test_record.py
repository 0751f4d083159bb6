from sr_jax.video import record


def test_segments_of_something_else_are_removed(tmp_path):
    first = record.prepare(tmp_path, "a.mp4", input_sha256="1", made_by={"model": 1})
    other = record.prepare(tmp_path, "b.mp4", input_sha256="1", made_by={"model": 1})
    (first / "000000.segment").write_bytes(b"frames")
    assert record.prepare(tmp_path, "a.mp4", input_sha256="1", made_by={"model": 1}) == first
    assert (first / "000000.segment").exists()
    changed = record.prepare(tmp_path, "a.mp4", input_sha256="1", made_by={"model": 2})
    assert changed != first
    assert not first.exists()
    assert other.exists()
    record.remove(changed)
    record.remove(other)
    assert not (tmp_path / "videos").exists()
