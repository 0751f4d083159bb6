from pathlib import PurePath

import pytest

from sr_jax.errors import InputError
from sr_jax.video import containers


def test_codecs_follow_from_the_container_and_the_depth():
    chosen = {
        (end, bits): containers.choose_codec(end, None, bits=bits) for end in (".mp4", ".MKV", ".webm") for bits in (8, 10)
    }
    assert set(chosen.values()) == {"h264", "h265", "vp9", "av1"}
    assert chosen[".webm", 8] == "vp9"
    assert chosen[".mp4", 10] == "h265"
    with pytest.raises(InputError, match=r"\.webm cannot hold h264; give --codec vp9 or av1"):
        containers.choose_codec(".webm", "h264", bits=8)
    with pytest.raises(InputError, match="vp9 is written with 8 bits only"):
        containers.choose_codec(".webm", "vp9", bits=10)


@pytest.mark.parametrize(("codec", "usual"), {"h264": 23, "h265": 28, "vp9": 31, "av1": 35}.items())
def test_a_quality_of_80_is_what_the_encoder_takes_by_itself(codec, usual):
    assert containers.crf(codec, 80) == usual
    factors = [containers.crf(codec, quality) for quality in range(1, 101)]
    assert factors == sorted(factors, reverse=True)
    assert 1 <= factors[-1] < containers.crf(codec, None) < usual
    assert factors[0] == containers.CODECS[codec].most_crf


def test_videos_are_known_by_the_ends_of_their_names(monkeypatch):
    assert containers.is_video(PurePath("a/B.MP4"))
    assert not containers.is_video(PurePath("mp4.png"))
    assert containers.missing() == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert containers.missing() == "videos need PyAV; install it with pip install -e '.[video]'"
