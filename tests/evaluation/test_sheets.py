import numpy as np
from PIL import Image

from sr_jax.evaluation import sheets as figures
from sr_jax.evaluation.evaluator import Sample


def test_sheet_shows_pixels_as_they_are(rng):
    hr = rng.integers(0, 256, (80, 100, 3), dtype=np.uint8)
    lr = np.ascontiguousarray(hr[::2, ::2])
    sr = hr ^ np.uint8(1)
    bicubic = hr.copy()
    bicubic[8:72, 20:84] ^= np.uint8(64)  # so this square is the hardest one
    sheet = figures.sample_sheet(Sample("set", "name", lr, bicubic, sr, hr, 30.0, 31.0), method="net")
    top, pitch = figures.CAPTION, figures.COLUMN + figures.GAP
    for index, image in enumerate((lr.repeat(2, 0).repeat(2, 1), bicubic, sr, hr)):
        left = figures.GAP + index * pitch
        shown = sheet[top : top + 80, left : left + 100]
        np.testing.assert_array_equal(shown[10:70, 22:82], image[10:70, 22:82])  # within the frame
        detail = sheet[top + 80 + figures.GAP :, left : left + 64][:64]
        np.testing.assert_array_equal(detail, image[8:72, 20:84])


def test_gray_and_small(rng):
    hr = rng.integers(0, 256, (20, 16, 1), dtype=np.uint8)
    sheet = figures.sample_sheet(Sample("set", "name", hr[::2, ::2], hr, hr, hr, 30.0, 31.0), method="net")
    assert sheet.ndim == 3


def test_sheets_have_names_of_their_own(rng):
    hr = rng.integers(0, 256, (20, 16, 3), dtype=np.uint8)
    samples = [Sample("set", name, hr[::2, ::2], hr, hr, hr, 30.0, 31.0) for name in ("a/1.png", "x y.png", "x_y.png")]
    assert list(dict(figures.sample_sheets(samples, method="net"))) == ["set_a_1", "set_x_y", "set_x_y-3"]


def test_curve(tmp_path):
    history = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}, {"step": 2, "psnr_y": 30.0}]
    figures.training_curve(history, tmp_path / "curve.png", bicubic=29.0, method="net")
    with Image.open(tmp_path / "curve.png") as image:
        assert image.size == (1080, 432)
