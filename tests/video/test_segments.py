import pytest

from sr_jax.video import segments
from sr_jax.video.encoding import Packet
from sr_jax.video.segments import Time


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(segments, "FRAMES", 2)


def write(folder, number, count=2):
    first = 2 * number
    packets = [Packet(first + i, i == 0, bytes([first + i]) * (i + 3)) for i in range(count)]
    segments.write(folder, number, [Time(10 * (first + i), 10) for i in range(count)], packets, b"head")
    return packets


def test_segments_come_back_up_to_the_first_that_is_damaged(tmp_path):
    written = [write(tmp_path, number) for number in range(4)]
    found = segments.find(tmp_path)
    assert [list(one.read()) for one in found] == written
    assert [time.start for one in found for time in one.times] == list(range(0, 80, 10))
    assert found[0].extradata == b"head"
    third = tmp_path / "000002.segment"
    third.write_bytes(third.read_bytes()[:-1])
    assert len(segments.find(tmp_path)) == 2
    (tmp_path / "000001.segment").write_bytes(b"{}\n")
    assert len(segments.find(tmp_path)) == 1
    (tmp_path / "000000.segment").unlink()
    assert segments.find(tmp_path) == []


def test_a_short_segment_is_the_last_one(tmp_path):
    write(tmp_path, 0)
    write(tmp_path, 1, count=1)
    write(tmp_path, 2)
    assert len(segments.find(tmp_path)) == 2
