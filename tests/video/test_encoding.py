from fractions import Fraction

import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.video import encoding
from sr_jax.video.colour import Coding
from sr_jax.video.encoding import Encoder
from sr_jax.video.reading import Tags, Video

VIDEO = Video(
    48, 64, Coding("yuv", 8, False, "bt601", (2, 2), "topleft"), Tags(2, 2, 2, 0), Fraction(1), Fraction(25), 9, None, ()
)


def settings(video=VIDEO, codec="h264", bits=8):
    return encoding.settings(video, codec=codec, crf=20, size=(96, 128), bits=bits)


def test_the_matrix_is_always_written_and_the_rest_kept():
    one = settings()
    assert (one.matrix, one.primaries, one.transfer, one.range) == (6, 2, 2, 0)
    named = settings(VIDEO._replace(tags=Tags(5, 5, 6, 1)))
    assert (named.matrix, named.primaries, named.transfer, named.range) == (5, 5, 6, 1)
    full = settings(VIDEO._replace(coding=VIDEO.coding._replace(is_full=True)))
    assert (full.range, full.coding.is_full) == (2, True)
    rgb = settings(VIDEO._replace(coding=Coding("rgb", 8, True, "bt709"), tags=Tags(0, 1, 13, 2)))
    assert (rgb.matrix, rgb.range, rgb.coding.is_full, rgb.coding.step, rgb.primaries) == (1, 1, False, (2, 2), 1)


def test_what_a_codec_cannot_say_is_chosen_accordingly():
    assert settings().coding.siting == "topleft"
    assert settings(codec="vp9").coding.siting == "left"
    fine = VIDEO._replace(coding=VIDEO.coding._replace(step=(1, 1)))
    assert settings(fine).pixel_format == "yuv444p"
    assert settings(fine, codec="av1", bits=10).pixel_format == "yuv420p10le"
    assert settings(VIDEO._replace(coding=VIDEO.coding._replace(step=(1, 4)))).pixel_format == "yuv420p"


def test_an_encoder_begins_anew_with_a_key_frame():
    encoder = Encoder(settings(), first=100)
    planes = [np.full(shape, 90, np.uint8) for shape in ((96, 128), (48, 64), (48, 64))]
    packets = [packet for _ in range(6) for packet in encoder.encode(planes)] + encoder.finish()
    assert sorted(packet.number for packet in packets) == list(range(100, 106))
    assert packets[0].is_key
    assert packets[0].number == 100
    assert encoder.extradata


def test_what_an_encoder_refuses_is_said():
    with pytest.raises(InputError, match="h264 cannot hold frames of 129x96 pixels as yuv420p"):
        Encoder(settings()._replace(width=129), first=0)
