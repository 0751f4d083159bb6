import numpy as np
import pytest
from skimage.color import rgb2ycbcr, ycbcr2rgb

from sr_jax import metrics
from sr_jax.data.images import Image, decode_image
from sr_jax.errors import InputError
from sr_jax.evaluation.protocol import COMPUTED, PROTOCOLS, choose, untold
from sr_jax.evaluation.rows import Stamp, mean_rows, score
from sr_jax.ops.resize import imresize_host

PAPERS, RGB_UINT8 = PROTOCOLS["papers"], PROTOCOLS["rgb-uint8"]
STAMP = Stamp("papers", "computed", "float32", "", "")

# SAFMN's table of published results; Set14's x2 and x3 PSNR are also printed 0.01 dB lower (Kim et al. 2016).
PUBLISHED = {
    ("Set5", 2): (33.66, 0.9299), ("Set5", 3): (30.39, 0.8682), ("Set5", 4): (28.42, 0.8104),
    ("Set14", 2): (30.24, 0.8688), ("Set14", 3): (27.55, 0.7742), ("Set14", 4): (26.00, 0.7027),
}  # fmt: skip


def load(folder):
    files = sorted(folder.glob("*.*"))
    return [Image(path.name, decode_image(path.read_bytes(), path.name)) for path in files]


def bicubic_mean(protocol, images, scale):
    tasks = [protocol.task(image, set="set", scale=scale, lr=None) for image in images]
    (mean,) = mean_rows(score(protocol, t, protocol.bicubic(t), method="bicubic", stamp=STAMP) for t in tasks)
    return mean


@pytest.mark.parametrize(("name", "scale"), PUBLISHED)
def test_bicubic_has_its_published_row(research_images, name, scale):
    images = load(research_images / name / "HR")
    mean = bicubic_mean(PAPERS, images, scale)
    psnr, ssim = PUBLISHED[name, scale]
    assert len(images) == {"Set5": 5, "Set14": 14}[name]
    assert mean.psnr_y == pytest.approx(psnr, abs={"Set5": 0.005, "Set14": 0.01}[name])
    assert mean.ssim_y == pytest.approx(ssim, abs={"Set5": 0.0001, "Set14": 0.001}[name])


@pytest.mark.parametrize(("scale", "psnr"), [(2, 33.68), (3, 30.41), (4, 28.43)])
def test_bicubic_of_set5_through_8_bit_rgb(research_images, scale, psnr):
    """Known to two decimals; among implementations they differ by up to 0.01 dB, by where they round."""
    assert bicubic_mean(RGB_UINT8, load(research_images / "Set5/HR"), scale).psnr_y == pytest.approx(psnr, abs=0.01)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_files_are_what_is_computed(research_images, scale):
    """MATLAB's LR files of Set5 give the same task, byte for byte."""
    lrs = load(research_images / f"Set5/LRbicx{scale}")
    for image, lr in zip(load(research_images / "Set5/HR"), lrs, strict=True):
        computed = RGB_UINT8.task(image, set="Set5", scale=scale, lr=None)
        given = RGB_UINT8.task(image, set="Set5", scale=scale, lr=lr.pixels)
        np.testing.assert_array_equal(computed.lr, given.lr)
        np.testing.assert_array_equal(computed.y, given.y)


@pytest.fixture
def image(rng):
    smooth = imresize_host(rng.integers(90, 166, (12, 13, 3), dtype=np.uint8), scale=3, kernel="bicubic", antialias=True)
    return Image("a.png", smooth)  # 36x39, not noise: colours stay within the gamut


def test_papers_give_the_network_unrounded_y_of_rounded_y(image):
    task = PAPERS.task(image, set="s", scale=2, lr=None)
    y = np.round(rgb2ycbcr(image.pixels[:36, :38])[..., :1])
    np.testing.assert_allclose(task.y * 255, imresize_host(y, scale=0.5, kernel="bicubic", antialias=True), atol=1e-4)
    assert task.y.dtype == np.float32
    assert np.abs(task.y * 255 - np.round(task.y * 255)).max() > 0.2
    np.testing.assert_array_equal(PAPERS.reference_y(task), y)


def test_rgb_uint8_gives_the_network_y_of_rounded_rgb(image):
    task = RGB_UINT8.task(image, set="s", scale=2, lr=None)
    lr = imresize_host(image.pixels[:36, :38], scale=0.5, kernel="bicubic", antialias=True)
    np.testing.assert_array_equal(task.lr, lr)
    np.testing.assert_allclose(task.y * 255, rgb2ycbcr(lr)[..., :1], atol=1e-4)
    np.testing.assert_allclose(RGB_UINT8.reference_y(task), rgb2ycbcr(task.hr)[..., :1], atol=1e-9)


def test_a_network_that_is_bicubic_scores_as_bicubic(image):
    """Exactly under `papers`; under `rgb-uint8` bicubic is rounded after each pass, the network once."""
    for protocol, tolerance in ((PAPERS, 0), (RGB_UINT8, 2)):
        task = protocol.task(image, set="s", scale=2, lr=None)
        sr_y = imresize_host(task.y.astype(np.float64), scale=2, kernel="bicubic", antialias=True)
        ours, bicubic = protocol.picture(task, sr_y), protocol.bicubic(task)
        difference = np.abs(ours.pixels.astype(int) - bicubic.pixels)
        assert difference.max() <= (tolerance or 3)  # float32 Y may round the other way; one step of Y is up to 3 of blue
        assert (difference > tolerance).mean() < 0.01


def test_a_perfect_network(image):
    """Its Y is HR's; the RGB image has HR's Y too, up to rounding."""
    for protocol in (PAPERS, RGB_UINT8):
        task = protocol.task(image, set="s", scale=2, lr=None)
        picture = protocol.picture(task, protocol.reference_y(task) / 255)
        assert np.abs(picture.y - protocol.reference_y(task)).max() <= (0 if protocol is PAPERS else 1)
        y = rgb2ycbcr(picture.pixels)[..., :1]
        inside = ((picture.pixels > 0) & (picture.pixels < 255)).all(-1)
        assert np.abs(y - protocol.reference_y(task))[inside].max() < 1


def test_papers_colour_is_that_of_matlabs_ycbcr2rgb(image):
    task = PAPERS.task(image, set="s", scale=2, lr=None)
    ycbcr = np.round(rgb2ycbcr(task.hr))
    cbcr = imresize_host(
        imresize_host(ycbcr[..., 1:], scale=0.5, kernel="bicubic", antialias=True), scale=2, kernel="bicubic", antialias=True
    )
    y = ycbcr[..., :1]
    expected = np.round(np.clip(ycbcr2rgb(np.concatenate([y, np.floor(cbcr + 0.5)], -1)), 0, 1) * 255)
    got = PAPERS.picture(task, y / 255).pixels
    assert np.abs(got - expected).max() <= 1
    assert (got == expected).mean() > 0.99


@pytest.mark.parametrize("name", PROTOCOLS)
def test_gray_images_are_their_own_y(rng, name):
    protocol = PROTOCOLS[name]
    gray = Image("g", rng.integers(0, 256, (25, 24, 1), dtype=np.uint8))
    task = protocol.task(gray, set="s", scale=2, lr=None)
    np.testing.assert_array_equal(protocol.reference_y(task), gray.pixels[:24])
    assert task.lr.shape == (12, 12, 1)
    picture = protocol.picture(task, np.full((24, 24, 1), 100.4 / 255))
    np.testing.assert_array_equal(picture.pixels, 100)
    np.testing.assert_array_equal(picture.y, 100)
    assert protocol.picture(task, np.full((24, 24, 1), 1.5)).pixels.max() == 255


def test_only_papers_score_rounded_y(image):
    task = PAPERS.task(image, set="s", scale=2, lr=None)
    assert (PAPERS.bicubic(task).y % 1 == 0).all()
    assert (RGB_UINT8.bicubic(task).y % 1 != 0).any()
    assert metrics.psnr(PAPERS.bicubic(task).y, PAPERS.reference_y(task)) > 10


def test_a_network_that_reads_rgb(rng):
    """It reads the 8-bit LR image, and its clipped, rounded output is what is scored."""
    image = Image("a", rng.integers(0, 256, (24, 28, 3), dtype=np.uint8))
    protocol = PROTOCOLS["rgb-uint8"]
    task = protocol.task(image, set="s", scale=2, lr=None)
    np.testing.assert_array_equal(task.network_input(3), np.float32(task.lr / 255))
    assert task.network_input(1).shape == (12, 14, 1)
    sr = rng.uniform(-0.2, 1.2, (24, 28, 3))
    pixels = protocol.picture(task, sr).pixels
    np.testing.assert_array_equal(pixels, np.floor(255 * np.clip(sr, 0, 1) + 0.5))


def test_a_gray_image_for_a_network_that_reads_rgb(rng):
    """It stands in all three channels, and the three that come back are averaged."""
    image = Image("a", rng.integers(0, 256, (24, 28, 1), dtype=np.uint8))
    task = PROTOCOLS["rgb-uint8"].task(image, set="s", scale=2, lr=None)
    read = task.network_input(3)
    assert read.shape == (12, 14, 3)
    assert (read == read[..., :1]).all()
    picture = PROTOCOLS["rgb-uint8"].picture(task, np.stack([np.full((24, 28), v) for v in (0.1, 0.2, 0.7)], -1))
    assert (picture.pixels == 85).all()
    assert picture.pixels.shape == (24, 28, 1)


@pytest.mark.parametrize(
    ("name", "channels", "rgb_lr", "chosen"),
    [
        *(("published", [1], "", "papers"), ("published", [], "", "papers"), ("published", [1, 3], "", "rgb-uint8")),
        *(("published", [1], "LR comes from files", "rgb-uint8"), ("rgb-uint8", [1], "", "rgb-uint8")),
        ("papers", [1], "", "papers"),
    ],
)
def test_choice(name, channels, rgb_lr, chosen):
    assert choose(name, channels=channels, rgb_lr=rgb_lr, option="--protocol ").name == chosen


@pytest.mark.parametrize(("channels", "rgb_lr", "why"), [([3], "", "reads RGB"), ([1], "LR comes from files", "from files")])
def test_papers_cannot_score_rgb(channels, rgb_lr, why):
    with pytest.raises(InputError, match=f"--protocol papers: .*{why}; use --protocol rgb-uint8"):
        choose("papers", channels=channels, rgb_lr=rgb_lr, option="--protocol ")


def test_descriptions_say_where_lr_is_from():
    assert PROTOCOLS["papers"].describe(scale=3, lr_source="computed").startswith("LR: MATLAB bicubic of 8-bit Y, not rounded;")
    text = PROTOCOLS["rgb-uint8"].describe(scale=3, lr_source="computed: gaussian-blur, subsample")
    assert text.startswith("LR: computed: gaussian-blur, subsample, 8-bit RGB;")
    assert text.endswith("3 px shaved")


@pytest.mark.parametrize(
    ("lr_source", "text"),
    [("files", "LR files do not say"), (f"{COMPUTED}: jpeg, bicubic", "LR made by jpeg, bicubic does not say")],
)
def test_a_network_that_must_be_told(lr_source, text):
    error = untold("usrnet", lr_source)
    assert isinstance(error, InputError)
    assert str(error).startswith(f"usrnet must be told the blur kernel and the noise of each image, which {text}; use a blur")
