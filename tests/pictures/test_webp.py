import io
from fractions import Fraction

import numpy as np
from PIL import Image

from sr_jax.pictures import webp
from tests.pictures import corpus, moving


def test_frames_hold_only_what_changes_and_are_decoded_by_pillow():
    frames = [moving.scene(i, clear=True) for i in range(4)]
    durations = [Fraction(n, 1000) for n in (33, 0, 20_000_000, 7)]

    def encode_one(pixels):
        return corpus.pillow(np.ascontiguousarray(pixels), "WEBP", lossless=True, exact=True)

    data = webp.encode(
        frames, durations, plays=5, metadata={b"ICCP": corpus.profile(), b"EXIF": b"odd", b"XMP ": None}, encode_one=encode_one
    )
    assert len(data) < 0.5 * sum(len(encode_one(frame)) for frame in frames) + len(corpus.profile())
    with Image.open(io.BytesIO(data)) as image:
        assert (image.n_frames, image.info["loop"], image.info["exif"]) == (4, 5, b"odd")
        assert image.info["icc_profile"] == corpus.profile()
        for i, frame in enumerate(frames):
            image.seek(i)
            np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), frame)
            assert image.info["duration"] == min(2**24 - 1, 1000 * durations[i])
