import re

import numpy as np
import pytest
from PIL import Image

from sr_jax import preview as door
from sr_jax.runs import preview


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from sr_jax.config import *\n"
        "config = Config(data=DataConfig(batch=4, patch=24, degradation=("
        "GaussianBlur(size=13, sigma=(0.6, 2.4)), Subsample(), GaussianNoise())))\n"
    )
    return path


def test_the_sheet(config, tmp_path, cache, capsys):
    out = tmp_path / "sheet.png"
    argv = ["--config", str(config), "--out", str(out), "--count", "3", "--step", "2", "--cache_dir", str(cache)]
    assert door.main(argv) == 0
    assert f"{out}: 3 of the 4 pairs of step 2" in capsys.readouterr().out
    with Image.open(out) as image:
        assert image.mode == "RGB"
        assert image.width > 2 * preview.SIDE


def test_pixels_of_lr_are_repeated_beside_hr():
    rng = np.random.default_rng(0)
    lr, hr = (rng.integers(0, 256, (1, n, n, 3), dtype=np.uint8) for n in (24, 48))
    picture = np.asarray(preview.sheet(lr, hr, {}))
    g, side = preview.GAP, preview.SIDE
    np.testing.assert_array_equal(picture[g : g + side, g : g + side], lr[0].repeat(8, 0).repeat(8, 1))
    np.testing.assert_array_equal(picture[g : g + side, 2 * g + side : 2 * g + 2 * side], hr[0].repeat(4, 0).repeat(4, 1))


def test_captions_say_what_was_drawn():
    drawn = {
        "kernel": np.ones((3, 3)),
        "noise_sigma": np.float32(12.345),
        "noise_is_gray": np.bool_(True),
        "blur_sigma": np.float32([1, 2.5]),
        "jpeg_quality": np.int32(80),
    }
    text = " ".join(preview.caption(drawn, width=200))
    assert text == "blur_sigma=1x2.5,  jpeg_quality=80,  noise_is_gray,  noise_sigma=12.3"
    assert preview.caption({}, width=200) == ["(nothing is drawn)"]


def test_captions_name_modes_and_leave_out_what_does_not_apply():
    drawn = {
        "resize_mode": np.int32(0),
        "final_resize_mode": np.int32(2),
        "resize_mode_2": np.int32(1),
        "kernel_index": np.int32(0),
        "noise_sigma": np.float32(0),
        "shot_noise_scale": np.float32(0.5),
        "blur_sigma": np.float32([0, 0]),
        "jpeg_last": np.bool_(False),
    }
    text = " ".join(preview.caption(drawn, width=200))
    expected = ["final_resize_mode=bicubic", "kernel_index=0", "resize_mode=area", "resize_mode_2=bilinear"]
    assert text.split(",  ") == [*expected, "shot_noise_scale=0.5"]


def test_interrupts_end_quietly(config, cache, capsys, monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(preview, "preview", interrupted)
    assert door.main(["--config", str(config), "--cache_dir", str(cache)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], r"--count=0: give at least 1"),
        (["--step", "-1"], r"--step=-1: training has the steps 0 to 999"),
        (["--out", "x.jpg"], r"--out x\.jpg: give a name that ends in \.png"),
        (["--out", "nowhere/x.png"], r"--out nowhere/x\.png: there is no folder nowhere"),
        (["--config.data.degradatoin=classical"], r"did you mean --config\.data\.degradation\?"),
        (["--config.data.patch=400"], r"does not fit into the smallest image"),
    ],
)
def test_bad_input_is_named(config, cache, capsys, arguments, message):
    assert door.main(["--config", str(config), "--cache_dir", str(cache), *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)
