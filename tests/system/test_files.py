import pytest

from sr_jax.system.files import replace_bytes


def test_nothing_is_left_of_what_could_not_be_written(tmp_path):
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(OSError, match=r"d\.safetensors"):
        replace_bytes(tmp_path / "d.safetensors", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["d.safetensors"]
