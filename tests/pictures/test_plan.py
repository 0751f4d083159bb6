from pathlib import PurePath

import pytest

from sr_jax.pictures.formats import problem, target
from sr_jax.pictures.names import Source
from sr_jax.pictures.picture import Header
from sr_jax.pictures.plan import Wishes, make_jobs, result_size
from tests.pictures import corpus

RGB = Header("png", 36, 40, 3, "uint8", "rgb", has_alpha=False)


@pytest.mark.parametrize(
    ("wishes", "size"),
    [
        (Wishes(), (66, 82)),
        (Wishes(outscale=3.5), (116, 144)),  # 115.5 and 143.5
        (Wishes(outscale=0.01), (1, 1)),
        (Wishes(width=100), (80, 100)),  # 80.49
        (Wishes(height=50), (50, 62)),  # 62.12
        (Wishes(width=7, height=9), (9, 7)),
    ],
)
def test_sizes_are_rounded(wishes, size):
    assert result_size((33, 41), wishes, scale=2) == size


@pytest.mark.parametrize(
    ("header", "name", "size", "dtype", "reason"),
    [
        (RGB, "webp", (16_384, 2), "uint8", "webp holds at most 16,383 pixels a side, not 2x16,384; give --format png or tiff"),
        (RGB, "webp", (16_383, 16_383), "uint8", ""),
        (RGB, "jpeg", (2, 65_536), "uint8", "jpeg holds at most 65,535 pixels a side"),
        (RGB, "jpeg", (2, 2), "uint16", "jpeg cannot hold 16 bits; give --bits 8, or --format png or tiff"),
        (RGB, "png", (2, 2), "float32", "png cannot hold floating point; give --bits 8, or --format tiff"),
        (RGB._replace(has_alpha=True), "bmp", (2, 2), "uint8", "bmp cannot hold transparency"),
        (RGB._replace(space="channels", channels=5), "png", (2, 2), "uint8", "png cannot hold 5 channels; give --format tiff"),
        (RGB._replace(space="gray", channels=1), "webp", (2, 2), "uint8", ""),
    ],
)
def test_what_a_format_cannot_hold_is_said_before(header, name, size, dtype, reason):
    found = problem(header, name, size=size, dtype=dtype)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_formats_of_results():
    assert target(RGB, None) == "png"
    assert target(RGB, "tiff") == "tiff"
    assert target(RGB._replace(format="gif"), None) == "png"


def test_jobs_name_what_cannot_be_done():
    files = {"a.png": corpus.pillow(corpus.of_type(corpus.smooth(3), "uint8"), "PNG"), "b.png": b"nothing"}
    data = {Source(None, PurePath(name)): content for name, content in files.items()}
    planned = make_jobs(list(data), Wishes(format="jpeg"), label="net", scale=2, data=data)
    (job,) = planned.jobs
    assert (str(job.output), job.size, job.raw_bytes) == ("a_net_x2.jpg", (72, 80), 72 * 80 * 3)
    assert [*planned.bad.values()] == [
        "standard input: is not a picture of a known kind; give PNG, JPEG, WebP, TIFF, BMP, AVIF, GIF or HEIF"
    ]
    assert job.memory(scale=2, self_ensemble=True) > job.memory(scale=2, self_ensemble=False) > job.raw_bytes
