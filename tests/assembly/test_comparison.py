import numpy as np
import pytest

from sr_jax import metrics
from sr_jax.assembly import comparison
from sr_jax.data.images import Image
from sr_jax.evaluation import rows
from sr_jax.evaluation.protocol import RgbUint8
from sr_jax.ops.resize import imresize_host
from sr_jax.pictures.compare import parts
from sr_jax.pictures.picture import Metadata, Picture
from tests.pictures import corpus
from tests.pictures.compare.test_page import Parsed, pixels_of

WORDS = {"scale": 2, "title": "a.png", "method": "net", "software": "sr_jax"}


def of(pixels, space="rgb", alpha=None):
    return Picture(pixels, alpha, space, Metadata(), "png")


def shown(html):
    """The pictures of a page by their names."""
    parsed = Parsed(html)
    names = [attributes["data-name"] for tag, attributes in parsed.elements if tag == "figure"]
    images = [attributes for tag, attributes in parsed.elements if tag == "img"]
    return dict(zip(names, map(pixels_of, images), strict=True)), parsed.text


@pytest.fixture
def images(rng):
    """LR, a result and HR."""
    hr = np.clip(255 * corpus.smooth(3, height=60, width=80) + rng.normal(0, 9, (60, 80, 3)), 0, 255).astype(np.uint8)
    lr = imresize_host(hr, scale=0.5, kernel="bicubic", antialias=True)
    return lr, np.clip(hr + rng.normal(0, 3, hr.shape), 0, 255).astype(np.uint8), hr


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_are_those_of_the_evaluation(images, channels):
    lr, sr, hr = (image[..., :channels] for image in images)
    space = "rgb" if channels == 3 else "gray"
    made = comparison.compare(of(lr, space), of(sr, space), of(hr, space), **WORDS)
    protocol = RgbUint8()
    task = protocol.task(Image("a", hr), set="s", scale=2, lr=lr)
    stamp = rows.Stamp(protocol.name, "files", "", "", "")
    for prefix, picture in (("bicubic_", protocol.bicubic(task)), ("", protocol.picture(task, sr / 255))):
        row = rows.score(protocol, task, picture, method="", stamp=stamp)
        for name in rows.FIGURES:
            assert made.scores[f"{prefix}{name}"] == pytest.approx(getattr(row, name), abs=1e-9)
    views, text = shown(made.html)
    assert [*views] == ["input", "bicubic", "sr", "hr", "error-bicubic", "error-sr"]
    np.testing.assert_array_equal(views["hr"], hr.squeeze())
    np.testing.assert_array_equal(views["sr"], sr.squeeze())
    np.testing.assert_array_equal(views["input"], lr.squeeze())
    assert f"{made.scores['psnr_y']:.2f}" in text
    assert "8-bit RGB and its Y (BT.601), without 2 pixels at each border" in text


def test_errors_are_bright_where_they_are(images):
    lr, _, hr = images
    sr = hr.copy()
    sr[20:30, 40:50] = np.where(sr[20:30, 40:50] > 127, 0, 255)
    views, _ = shown(comparison.compare(of(lr), of(sr), of(hr), **WORDS).html)
    bright = views["error-sr"].astype(int).sum(-1)
    assert bright[20:30, 40:50].min() > 100
    bright[20:30, 40:50] = 0
    assert bright.max() <= 4


def test_without_hr_the_page_says_that_the_map_is_no_error(images):
    lr, sr, _ = images
    made = comparison.compare(of(lr), of(sr), None, **WORDS)
    views, text = shown(made.html)
    assert [*views] == ["input", "bicubic", "sr", "difference"]
    assert made.scores == {}
    assert "No HR is given, so the map shows the difference net − bicubic" in text
    bicubic = imresize_host(lr, scale=2, kernel="bicubic", antialias=True)
    difference = (metrics.luma(sr) - metrics.luma(bicubic))[..., 0]
    red = views["difference"][..., 0].astype(int) - views["difference"][..., 2]
    assert (np.sign(red[np.abs(difference) > 4]) == np.sign(difference[np.abs(difference) > 4])).all()


def test_hr_may_be_larger_gray_or_deep(images):
    lr, sr, hr = images
    larger = np.pad(hr, ((0, 1), (0, 1), (0, 0)))
    made = comparison.compare(of(lr), of(sr), of(larger.astype(np.uint16) * 257), **WORDS)
    views, text = shown(made.html)
    np.testing.assert_array_equal(views["hr"], hr)
    assert "HR is cut to the size of the result" in text
    views, _ = shown(comparison.compare(of(lr), of(sr), of(hr[..., :1], "gray"), **WORDS).html)
    np.testing.assert_array_equal(views["hr"], hr[..., [0, 0, 0]])


def test_large_pictures_are_bounded_and_the_page_says_so(images, monkeypatch):
    lr, sr, hr = images
    monkeypatch.setattr(parts, "MOST_SHOWN", 1000)
    whole = comparison.compare(of(lr), of(sr), of(hr), **WORDS)
    monkeypatch.setattr(comparison, "MOST_SCORED", 1000)
    part = comparison.compare(of(lr), of(sr), of(hr), **WORDS)
    rows_, columns = parts.window(of(lr), sr.shape[:2])
    for made, said in ((whole, "Scores of the whole picture"), (part, "Scores of the part that is shown")):
        views, text = shown(made.html)
        assert views["sr"].shape[0] * views["sr"].shape[1] <= 1000
        np.testing.assert_array_equal(views["sr"], sr[rows_, columns])
        np.testing.assert_array_equal(views["hr"], hr[rows_, columns])
        np.testing.assert_array_equal(views["input"].repeat(2, 0).repeat(2, 1).shape, views["sr"].shape)
        assert said in text
        assert f"The result has 80×60 pixels. This page shows the {columns.stop - columns.start}×" in text
    a, b = (shown(made.html)[0]["bicubic"] for made in (whole, part))
    np.testing.assert_array_equal(a, b)


def test_other_sizes_and_small_pictures(images):
    lr, _, _ = images
    odd = imresize_host(lr, shape=(75, 100), kernel="bicubic", antialias=True)
    made = comparison.compare(of(lr), of(odd), of(odd), **WORDS)
    views, _ = shown(made.html)
    assert "input" not in views
    np.testing.assert_array_equal(views["bicubic"], odd)
    tiny = of(np.zeros((1, 2, 3), np.uint8))
    assert comparison.compare(tiny, of(np.zeros((2, 4, 3), np.uint8)), of(np.zeros((2, 4, 3), np.uint8)), **WORDS).scores == {}
