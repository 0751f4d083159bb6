import io

import numpy as np
from PIL import Image

from sr_jax.pictures import segments
from tests.pictures import corpus

RGB = corpus.of_type(corpus.smooth(3), "uint8")


def test_chunks_are_read_by_others():
    png = segments.with_chunks(
        corpus.pillow(RGB, "PNG"),
        [("iCCP", segments.profile_chunk(corpus.profile())), ("iTXt", segments.text_chunk(b"Title", "ä".encode()))],
    )
    with Image.open(io.BytesIO(png)) as image:
        assert image.info["icc_profile"] == corpus.profile()
        assert image.info["Title"] == "ä"
        np.testing.assert_array_equal(np.asarray(image), RGB)


def test_segments_are_read_by_others_and_long_ones_left_out():
    jpeg = segments.with_segments(corpus.pillow(RGB, "JPEG"), [(segments.COMMENT, b"hello"), (segments.COMMENT, bytes(65_534))])
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.info["comment"] == b"hello"
        assert image.load() is not None


def test_damaged_files_end_early(rng):
    """Whatever the bytes are, the parts are found without an error, and lie in the file."""
    files = {"png": corpus.pillow(RGB, "PNG", dpi=(72, 72)), "jpeg": corpus.pillow(RGB, "JPEG", comment=b"hello")}
    for name, data in files.items():
        assert segments.kept(name, io.BytesIO(data))
        for cut in range(0, len(data), 7):
            assert all(content in data for _, content in segments.kept(name, io.BytesIO(data[:cut])))
        for _ in range(200):
            noisy = bytearray(data)
            for place in rng.integers(8, min(200, len(data)), 3):
                noisy[place] = rng.integers(256)
            segments.kept(name, io.BytesIO(bytes(noisy)))
            segments.png_exif(io.BytesIO(bytes(noisy)))
