import math

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sr_jax import metrics
from sr_jax.data.images import Image
from sr_jax.evaluation.protocol import PROTOCOLS, Picture, Task
from sr_jax.evaluation.rows import MEAN, Row, Stamp, counts, mean_rows, overall, score, unusable

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
    assert got[-6:] == (*STAMP, 1)


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
    assert "dot.png: 1x1 is too small to be scored at x2; it needs 16x16" in str(unusable(dot, scale=2))
    assert "PSNR may be infinite" in str(unusable(Image("white.png", np.full((40, 40, 3), 255, np.uint8)), scale=2))
    fine = np.zeros((16, 16, 3), np.uint8)
    fine[8, 8] = 1
    assert unusable(Image("fine.png", fine), scale=2) is None


@pytest.mark.parametrize("scale", range(2, 10))
def test_the_size_that_an_image_needs(rng, scale):
    """Every size around it: exactly those are refused whose scored pixels are fewer than SSIM's window, as are all below it."""
    sizes = range(2 * scale, 5 * scale + 14)
    verdicts = {size: unusable(Image("a", rng.integers(0, 256, (size, 64, 1), dtype=np.uint8)), scale=scale) for size in sizes}
    for size, reason in verdicts.items():
        scored = np.zeros((size // scale * scale - 2 * scale, 64, 1))
        if reason is None:
            metrics.ssim(scored, scored)
        else:
            with pytest.raises(ValueError, match="at least 11x11"):
                metrics.ssim(scored, scored)
    least = min(size for size, reason in verdicts.items() if reason is None)
    needs = {reason.partition("it needs ")[2] for reason in verdicts.values() if reason}
    assert needs == {f"{least}x{least}"}


def test_flatness_is_that_of_the_scored_pixels():
    pixels = np.full((41, 40, 3), 7, np.uint8)
    pixels[:2] = pixels[40:] = 200  # shaved, and not a whole cell
    reason = unusable(Image("frame.png", pixels), scale=2)
    assert reason == "frame.png: all its pixels, without 2 at each border, are equal, so its PSNR may be infinite"
    pixels[2, 2, 1] += 1
    assert unusable(Image("frame.png", pixels), scale=2) is None


def test_means_are_over_the_images_that_count():
    """An image that does not count is in no mean, and an infinite PSNR of one that counts is 100 dB."""
    rows = [row("s", "a", "m", 30.0), row("s", "b", "m", math.inf, 1.0), row("s", "c", "m", 200.0, 0.7)]
    assert [counts(r) for r in rows] == [True, False, True]
    assert not counts(rows[0]._replace(psnr_rgb=math.inf))
    without = [r._replace(counted=int(counts(r))) for r in rows]
    (mean,) = mean_rows(without)
    assert (mean.image, mean.counted, mean.psnr_y, mean.ssim_y) == (MEAN, 2, (30 + 100) / 2, pytest.approx(0.6))
    assert overall([*without, mean]) == (30 + 100) / 2
    assert mean_rows(rows)[0].psnr_y == pytest.approx((30 + 100 + 100) / 3)
    (nothing,) = mean_rows([without[1]])
    assert (nothing.counted, math.isnan(nothing.psnr_y), math.isnan(nothing.ssim_y)) == (0, True, True)
