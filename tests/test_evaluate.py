import jax.numpy as jnp
import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sr_jax import evaluate
from sr_jax.data.images import Image, decode_image
from sr_jax.errors import InputError
from sr_jax.evaluate import Evaluator, Row
from sr_jax.ops.resize import bicubic_upsample


def bicubic_upscale(_, lr):
    return bicubic_upsample(jnp.asarray(lr), 2)


@pytest.mark.parametrize(("scale", "psnr"), [(2, 33.68), (3, 30.41), (4, 28.43)])
def test_bicubic_of_set5_through_8_bit_rgb(research_images, scale, psnr):
    """Known to two decimals; among implementations they differ by up to 0.01 dB, by where they round."""
    images = [
        Image(path.name, decode_image(path.read_bytes(), path.name))
        for path in sorted((research_images / "Set5/HR").glob("*.png"))
    ]
    rows = Evaluator({"Set5": images}, bicubic_upscale, scale=scale, method="none").bicubic_rows
    assert (rows[-1].image, len(rows)) == ("mean", 6)
    assert rows[-1].psnr_y == pytest.approx(psnr, abs=0.01)


def test_a_network_that_is_bicubic_scores_as_bicubic(rng):
    """The same function scores both; rows are images, then means, set by set."""
    sets = {
        "one": [Image(n, rng.integers(0, 256, (24, 26, 3), dtype=np.uint8)) for n in "ab"],
        "two": [Image("gray", rng.integers(0, 256, (25, 25, 1), dtype=np.uint8))],
    }
    evaluator = Evaluator(sets, bicubic_upscale, scale=2, method="net")
    rows, samples = evaluator({})
    assert [row._replace(method="bicubic") for row in rows] == evaluator.bicubic_rows
    assert [(row.set, row.image) for row in rows] == [
        ("one", "a"), ("one", "b"), ("two", "gray"), ("one", "mean"), ("two", "mean"),
    ]  # fmt: skip
    assert rows[3].psnr_y == pytest.approx((rows[0].psnr_y + rows[1].psnr_y) / 2)
    assert evaluate.overall(rows) == pytest.approx(sum(row.psnr_y for row in rows[:3]) / 3)
    assert samples[2].hr.shape == (24, 24, 1)
    assert samples[2].lr.shape == (12, 12, 1)


def test_colour_comes_from_bicubic(rng):
    """A network that returns bicubic Y leaves the colour image bicubic, up to rounding; CbCr never pass the network."""
    lr = rng.integers(30, 220, (10, 12, 3), dtype=np.uint8)

    def model(params, y):
        assert y.shape == (1, 10, 12, 1)
        return bicubic_upsample(y, 2) + params

    upscale = evaluate.make_upscaler(model, scale=2)
    bicubic = np.asarray(bicubic_upsample(jnp.asarray(lr), 2)).astype(int)
    assert np.abs(np.asarray(upscale(0.0, lr)).astype(int) - bicubic).max() <= 2  # each of two passes rounded, or neither
    brighter = np.asarray(upscale(0.1, lr)).astype(int) - bicubic
    inside = (bicubic > 10) & (bicubic < 210)
    np.testing.assert_allclose(brighter[inside], 0.1 * 255 * 255 / 219, atol=3)


def test_a_gray_image_passes_the_network_as_it_is(rng):
    lr = rng.integers(0, 256, (10, 12, 1), dtype=np.uint8)
    upscale = evaluate.make_upscaler(lambda _, y: jnp.repeat(jnp.repeat(y, 2, 1), 2, 2), scale=2)
    np.testing.assert_array_equal(upscale({}, lr), np.repeat(np.repeat(lr, 2, 0), 2, 1))


def test_image_too_small_to_be_scored():
    with pytest.raises(InputError, match=r"tiny: dot\.png: 1x1 is too small to be scored at x2; it needs 15x15"):
        Evaluator({"tiny": [Image("dot.png", np.zeros((1, 1, 3), np.uint8))]}, bicubic_upscale, scale=2, method="net")


def test_a_flat_image_cannot_be_scored():
    assert "PSNR is infinite" in str(evaluate.unusable(Image("white.png", np.full((40, 40, 3), 255, np.uint8)), scale=2))


def test_score_against_scikit_image(rng):
    """Y and RGB, PSNR and SSIM, shaved on all sides."""
    hr = rng.integers(0, 256, (30, 28, 3), dtype=np.uint8)
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
    assert evaluate.score(sr, hr, border=3) == pytest.approx(expected, abs=1e-9)


def test_table():
    bicubic = [Row("s", "a.png", 2, "bicubic", 30.0, 0.9, 1, 1), Row("s", "mean", 2, "bicubic", 31.0, 0.91, 1, 1)]
    ours = [Row("s", "a.png", 2, "net", 32.344, 0.95, 1, 1), Row("s", "mean", 2, "net", 30.5, 0.96, 1, 1)]
    lines = evaluate.table(bicubic, ours).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["set", "image", "bicubic [dB]", "net [dB]", "gain [dB]", "bicubic SSIM", "net SSIM"]
    assert cells[2] == ["s", "a.png", "30.00", "32.34", "+2.34", "0.9000", "0.9500"]
    assert cells[3] == ["s", "**mean**", "31.00", "30.50", "-0.50", "0.9100", "0.9600"]
