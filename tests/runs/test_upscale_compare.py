"""The pages of --compare, and the warnings of pictures that are unlike the training, in whole runs of the command."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from sr_jax.ops.resize import imresize_host
from sr_jax.pictures.compare import parts
from sr_jax.pictures.plan import Job
from tests.assembly.test_comparison import shown
from tests.pictures import corpus

RGB = corpus.of_type(corpus.smooth(3), "uint8")


@pytest.fixture
def folders(tmp_path):
    """A folder of LR pictures, and one of HR."""
    hr = np.repeat(np.repeat(RGB, 2, 0), 2, 1)
    for name in ("a.png", "sub/b.png"):
        for folder, pixels in (("lr", RGB), ("hr", hr)):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_bytes(corpus.pillow(pixels, "PNG"))
    return tmp_path / "lr", tmp_path / "hr"


def test_a_page_lies_beside_each_result(tmp_path, folders, enlarge):
    lr, hr = folders
    status, out, err = enlarge(lr, "--compare")
    assert (status, err) == (0, "")
    page = tmp_path / "out/sub/b_bicubic-net_x2.png.html"
    assert sorted((tmp_path / "out").rglob("*.html")) == [tmp_path / "out/a_bicubic-net_x2.png.html", page]
    views, _ = shown(page.read_bytes())
    np.testing.assert_array_equal(views["input"], RGB)
    np.testing.assert_array_equal(views["bicubic"], imresize_host(RGB, scale=2, kernel="bicubic", antialias=True))
    assert np.abs(views["sr"].astype(int) - views["bicubic"]).max() <= 1

    assert "2 of 2 results are there already" in enlarge(lr, "--compare")[1]
    assert "2 of 2 results are there already" in enlarge(lr)[1], "the pages change no result"
    status, out, _ = enlarge(lr, "--compare", "--hr", hr, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["compare"] for line in lines] == ["a_bicubic-net_x2.png.html", "sub/b_bicubic-net_x2.png.html"]
    assert all(line["psnr_y"] == pytest.approx(line["bicubic_psnr_y"], abs=0.1) for line in lines)
    assert "hr" in shown(page.read_bytes())[0]

    page.write_text("mine now")
    status, _, err = enlarge(lr, "--compare", "--hr", hr)
    assert status == 2
    assert "b_bicubic-net_x2.png.html" in err
    assert page.read_text() == "mine now"
    assert enlarge(lr)[0] == 0


def test_the_page_shows_what_the_file_of_a_result_holds(tmp_path, folders, enlarge):
    assert enlarge(folders[0] / "a.png", "--compare", "--format", "jpeg", "--quality", "20")[0] == 0
    page = tmp_path / "out/a_bicubic-net_x2.jpg.html"
    result = np.asarray(Image.open(tmp_path / "out/a_bicubic-net_x2.jpg"))
    np.testing.assert_array_equal(shown(page.read_bytes())[0]["sr"], result)


def test_the_first_frame_of_an_animation_is_compared(tmp_path, enlarge):
    file = tmp_path / "a.webp"
    file.write_bytes(corpus.pillow(RGB, "WEBP", save_all=True, append_images=[Image.fromarray(255 - RGB)], lossless=True))
    assert enlarge(file, "--compare", "--format", "png")[0] == 0
    views, text = shown((tmp_path / "out/a_bicubic-net_x2.png.html").read_bytes())
    np.testing.assert_array_equal(views["input"], RGB)
    assert "This is the first of 2 frames." in text


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_of_a_result_in_strips_the_middle_is_compared(kind, tmp_path, enlarge, monkeypatch, rng):
    """The part equals that of the whole: input, bicubic interpolation, result and HR."""
    lr, hr = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((60, 90, 4), (121, 181, 3)))
    (tmp_path / "a.png").write_bytes(corpus.pillow(lr, "PNG"))
    (tmp_path / "hr.png").write_bytes(corpus.pillow(hr, "PNG"))
    words = (tmp_path / "a.png", "--compare", "--hr", tmp_path / "hr.png", "--format", kind)
    assert enlarge(*words, out="whole")[0] == 0
    monkeypatch.setattr(parts, "MOST_SHOWN", 2000)
    monkeypatch.setattr(Job, "memory", lambda *_, **__: 2**60)
    status, out, err = enlarge(*words, out="strips")
    assert (status, err) == (0, "")
    assert "in strips" in out
    name = f"a_bicubic-net_x2.{'png' if kind == 'png' else 'tif'}.html"
    whole, _ = shown((tmp_path / "whole" / name).read_bytes())
    views, text = shown((tmp_path / "strips" / name).read_bytes())
    height, width = views["sr"].shape[:2]
    assert 1000 < height * width <= 2000
    top, left = (60 - height // 2) // 2 * 2, (90 - width // 2) // 2 * 2
    rows, columns = slice(top, top + height), slice(left, left + width)
    for view in ("bicubic", "sr", "hr"):
        np.testing.assert_array_equal(views[view], whole[view][rows, columns])
    lr_rows, lr_columns = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
    np.testing.assert_array_equal(views["input"], whole["input"][lr_rows, lr_columns])
    position = f"from column {left} and row {top}."
    assert f"The result has 180×120 pixels. This page shows the {width}×{height} in the middle, {position}" in text
    assert "90×60 → 180×120 pixels" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hr", "hr"], "--hr: give --compare, too"),
        (["--compare", "--hr", "nowhere"], "nowhere: there is no such file or folder"),
        (["--compare", "--hr", "lr"], "2 pictures do not fit:.*has 40x36 pixels, and the result of .* has 80x72"),
    ],
)
def test_wrong_hr_is_refused(words, message, tmp_path, folders, enlarge, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = enlarge(folders[0], *words)
    assert status == 2
    assert re.search(message, err, re.DOTALL), err
    assert not (tmp_path / "out").exists()


def test_an_infinite_psnr_is_null_in_json(tmp_path, folders, enlarge):
    assert enlarge(folders[0] / "a.png", out="first")[0] == 0
    words = (folders[0] / "a.png", "--compare", "--hr", tmp_path / "first/a_bicubic-net_x2.png")
    _, out, _ = enlarge(*words, "--json")
    line = json.loads(out, parse_constant=pytest.fail)
    assert line["psnr_y"] is None
    assert line["ssim_y"] == pytest.approx(1)
    assert "inf dB (bicubic " in enlarge(*words, out="again")[1]


def test_pictures_without_hr_are_counted(folders, enlarge):
    (folders[1] / "sub/b.png").unlink()
    status, out, _ = enlarge(folders[0], "--compare", "--hr", folders[1])
    assert status == 0
    assert "1 of 2 pictures have no HR" in out
    assert out.count(" dB (bicubic ") == 1


def test_pictures_unlike_the_training_are_named_and_then_counted(tmp_path, enlarge):
    for i in range(5):
        (tmp_path / f"in{i}.jpg").write_bytes(corpus.pillow(RGB, "JPEG", quality=10 + i))
    files = sorted(tmp_path.glob("*.jpg"))
    status, _, err = enlarge(*files)
    assert status == 0
    lines = err.splitlines()
    assert [line for line in lines if "is a JPEG file of quality" in line] == lines[:3]
    assert lines[3:] == ["warning: 2 more picture(s) are unlike LR of the training, too; --json names all"]
    _, out, err = enlarge(*files, "--json", "--overwrite", "--quality", "96")
    assert err == ""
    assert ["quality 1" in json.loads(line)["warning"] for line in out.splitlines()] == [True] * 5
    (tmp_path / "good.png").write_bytes(corpus.pillow(RGB, "PNG"))
    assert "warning" not in json.loads(enlarge(tmp_path / "good.png", "--json")[1])
