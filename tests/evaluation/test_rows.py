import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sr_jax.data.images import Image
from sr_jax.evaluation.protocol import PROTOCOLS, Picture, Task
from sr_jax.evaluation.rows import Row, Stamp, mean_rows, overall, score, unusable

STAMP = Stamp("rgb-uint8", "files", "float32", "runs/x", "abc")


def row(set, image, method, psnr, ssim=0.5):
    return Row(set, image, 2, method, psnr, ssim, psnr - 1, ssim, 2, *STAMP)


def test_score_against_scikit_image(rng):
    """Y and RGB, PSNR and SSIM, shaved on all sides."""
    hr = rng.integers(0, 256, (30, 27, 3), dtype=np.uint8)
    sr = np.clip(hr.astype(int) + rng.integers(-9, 10, hr.shape), 0, 255).astype(np.uint8)
    a, b = sr[3:-3, 3:-3], hr[3:-3, 3:-3]
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255, "channel_axis": -1}
    y_a, y_b = (rgb2ycbcr(x)[..., :1] for x in (a, b))
    expected = (
        peak_signal_noise_ratio(y_b, y_a, data_range=255),
        structural_similarity(y_a, y_b, **wang),
        peak_signal_noise_ratio(b, a, data_range=255),
        structural_similarity(a, b, **wang),
    )
    task = Task("s", "i", 3, hr, hr[::3, ::3], np.zeros((10, 9, 1), np.float32))
    picture = Picture(sr, rgb2ycbcr(sr)[..., :1])
    got = score(PROTOCOLS["rgb-uint8"], task, picture, method="net", stamp=STAMP)
    assert got[4:8] == pytest.approx(expected, abs=1e-9)
    assert (got.set, got.image, got.scale, got.method, got.shave) == ("s", "i", 3, "net", 3)
    assert got[-5:] == STAMP


def test_means_are_of_each_set_and_method():
    rows = [row("one", "a", "m", 30.0), row("one", "b", "m", 33.0, 0.7), row("two", "c", "m", 20.0), row("one", "a", "n", 1.0)]
    means = mean_rows(rows)
    assert [(r.set, r.image, r.method, r.psnr_y, r.psnr_rgb) for r in means] == [
        ("one", "mean", "m", 31.5, 30.5), ("two", "mean", "m", 20.0, 19.0), ("one", "mean", "n", 1.0, 0.0),
    ]  # fmt: skip
    assert means[0].ssim_y == pytest.approx(0.6)
    assert overall([*rows[:3], *means]) == pytest.approx((30 + 33 + 20) / 3)


def test_images_that_cannot_be_scored():
    dot = Image("dot.png", np.zeros((1, 1, 3), np.uint8))
    assert "dot.png: 1x1 is too small to be scored at x2; it needs 15x15" in str(unusable(dot, scale=2))
    assert "PSNR is infinite" in str(unusable(Image("white.png", np.full((40, 40, 3), 255, np.uint8)), scale=2))
    fine = np.zeros((16, 16, 3), np.uint8)
    fine[0, 0] = 1
    assert unusable(Image("fine.png", fine), scale=2) is None
