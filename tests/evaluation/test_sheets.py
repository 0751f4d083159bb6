import resource

import numpy as np
import pytest
from PIL import Image

from sr_jax.evaluation import sheets
from sr_jax.evaluation.evaluator import Sample


def test_sheet_shows_pixels_as_they_are(rng):
    hr = rng.integers(0, 256, (80, 100, 3), dtype=np.uint8)
    lr = np.ascontiguousarray(hr[::2, ::2])
    sr = hr ^ np.uint8(1)
    bicubic = hr.copy()
    bicubic[8:72, 20:84] ^= np.uint8(64)  # so this square is the hardest one
    sheet = sheets.sample_sheet(Sample("set", "name", lr, bicubic, sr, hr, 30.0, 31.0), method="net")
    top, pitch = sheets.CAPTION, sheets.COLUMN + sheets.GAP
    for index, image in enumerate((lr.repeat(2, 0).repeat(2, 1), bicubic, sr, hr)):
        left = sheets.GAP + index * pitch
        shown = sheet[top : top + 80, left : left + 100]
        np.testing.assert_array_equal(shown[10:70, 22:82], image[10:70, 22:82])  # within the frame
        detail = sheet[top + 80 + sheets.GAP :, left : left + 64][:64]
        np.testing.assert_array_equal(detail, image[8:72, 20:84])


def test_a_sheet_is_written_whole_or_not_at_all(tmp_path, rng):
    hr = rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)
    sample = Sample("set", "name.png", hr[::2, ::2], hr, hr, hr, 30.0, 31.0)
    for _ in sheets.write_sheets([sample], tmp_path, method="net"):
        pass
    before = (tmp_path / "set_name.png").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as if the disk were full
    try:
        with pytest.raises(OSError, match=r"set_name\.png"):
            list(sheets.write_sheets([sample], tmp_path, method="another"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["set_name.png"]
    assert (tmp_path / "set_name.png").read_bytes() == before


def test_gray_and_small(rng):
    hr = rng.integers(0, 256, (20, 16, 1), dtype=np.uint8)
    sheet = sheets.sample_sheet(Sample("set", "name", hr[::2, ::2], hr, hr, hr, 30.0, 31.0), method="net")
    assert sheet.ndim == 3


def test_sheets_have_names_of_their_own_and_are_written(tmp_path, rng):
    hr = rng.integers(0, 256, (20, 16, 3), dtype=np.uint8)
    samples = [Sample("set", name, hr[::2, ::2], hr, hr, hr, 30.0, 31.0) for name in ("a/1.png", "x y.png", "x_y.png")]
    pictures = list(sheets.write_sheets(samples, tmp_path / "new" / "samples", method="net"))
    assert [name for name, _ in pictures] == ["set_a_1", "set_x_y", "set_x_y-3"]
    assert len(list((tmp_path / "new" / "samples").iterdir())) == 3
    for name, sheet in pictures:
        with Image.open(tmp_path / "new" / "samples" / f"{name}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), sheet)
