from pathlib import Path

import pytest

from sr_jax.data.images import Bad
from sr_jax.data.sources import locate
from sr_jax.errors import InputError

NAMES = ("baby", "bird", "head")
HR_PATHS = {
    "plain": "{}.png",
    "HR": "HR/{}.png",
    "webp": "HR/{}.webp",
    "lower case": "hr/{}.bmp",
    "GTmod12": "GTmod12/{}.png",
    "original": "original/{}.png",
    "SRF": "image_SRF_2/{}_SRF_2_HR.png",
}
LR_PATHS = (
    "LR_bicubic/X2/{}x2.png",
    "LRbicx2/{}.png",
    "LRbicx2/{}x2.png",
    "lr_BICUBIC/x2/{}x2.png",
    "image_SRF_2/{}_SRF_2_LR.png",
)


@pytest.mark.parametrize("hr_path", HR_PATHS.values(), ids=HR_PATHS)
@pytest.mark.parametrize("lr_path", LR_PATHS)
def test_pairs_are_found(tmp_path, save, hr_path, lr_path):
    save(tmp_path, *(hr_path.format(name) for name in NAMES), *(lr_path.format(name) for name in NAMES))
    save(tmp_path, *(lr_path.replace("2", "3").format(name) for name in NAMES))  # those of another scale
    hr = locate.find_hr(tmp_path, more=(), scale=2)
    assert list(hr.values()) == [tmp_path / hr_path.format(name) for name in NAMES]
    lr = locate.find_lr([tmp_path], list(hr), scale=2, what="Set5")
    assert list(lr) == list(hr)
    assert [path.relative_to(tmp_path).as_posix() for path in lr.values()] == [lr_path.format(name) for name in NAMES]


def test_whole_images_before_cropped_ones(tmp_path, save):
    save(tmp_path, "GTmod12/a.png", "original/a.png", "image_SRF_2/a_SRF_2_HR.png")
    assert locate.find_hr(tmp_path, more=(), scale=2) == {"a.png": tmp_path / "original/a.png"}
    save(tmp_path, "HR/a.png")
    assert locate.find_hr(tmp_path, more=(), scale=2) == {"a.png": tmp_path / "HR/a.png"}


def test_each_scale_has_its_own_hr_in_srf(tmp_path, save):
    save(tmp_path, "image_SRF_2/a_SRF_2_HR.png", "image_SRF_3/a_SRF_3_HR.png")
    assert list(locate.find_hr(tmp_path, more=(), scale=3)) == ["a_SRF_3_HR.png"]
    assert list(locate.find_hr(tmp_path, more=(), scale=None)) == ["a_SRF_2_HR.png"]


def test_a_sets_own_layout(tmp_path, save):
    save(tmp_path, "DIV2K_valid_LR_bicubic/X4/0801x4.png", "DIV2K_train_LR_bicubic/X4/0001x4.png")
    lr = locate.find_lr([tmp_path], ["0801.png"], scale=4, what="DIV2K")
    assert lr == {"0801.png": tmp_path / "DIV2K_valid_LR_bicubic/X4/0801x4.png"}


def test_what_others_made_of_an_image_is_not_hr(tmp_path, save):
    kinds = ("HR", "LR", "bicubic", "SRCNN", "A+", "nearest")
    save(tmp_path / "image_SRF_2", *(f"img_001_SRF_2_{kind}.png" for kind in kinds))
    for folder in (tmp_path, tmp_path / "image_SRF_2"):
        assert list(locate.find_hr(folder, more=(), scale=2)) == ["img_001_SRF_2_HR.png"]
    save(tmp_path / "image_SRF_2", "img_001.png")  # it is not LR either
    lr = locate.find_lr([tmp_path], ["img_001.png"], scale=2, what="Set5")
    assert lr == {"img_001.png": tmp_path / "image_SRF_2/img_001_SRF_2_LR.png"}


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("fo fox2", "fox2 fox2x2"),
        ("fox2 fo", "fox2x2 fox2"),
        ("a A", "ax2 Ax2"),
        ("a A", "a A"),
        ("Baby", "babyX2"),
        ("a_GT b_HR c_SRF_2_HR", "ax2 b c_LR"),
        ("a_GT", "a_GT"),
        ("x2", "x2x2"),
    ],
)
def test_each_hr_image_gets_its_own_lr(tmp_path, save, hr, lr):
    save(tmp_path / "LRbicx2", *(f"{name}.png" for name in lr.split()))
    found = locate.find_lr([tmp_path], [f"{name}.png" for name in hr.split()], scale=2, what="Set5")
    assert [path.stem for path in found.values() if isinstance(path, Path)] == lr.split()


@pytest.mark.parametrize(
    ("hr", "lr", "message"),
    [
        ("fo.png fox2.png", "fox2.png", r"Set5: .*fox2\.png may be the LR image of both fo\.png and fox2\.png"),
        ("a.png A.png", "a.png", r"a\.png may be the LR image of both a\.png and A\.png"),
        ("a.png", "ax2.png ax2.bmp", r"Set5: .*ax2\.bmp and .*ax2\.png may both be the LR image of a\.png"),
        ("Baby.png", "babyx2.png BABYx2.png", r"BABYx2\.png and .*babyx2\.png may both be the LR image of Baby\.png"),
    ],
)
def test_a_doubtful_lr_image_is_refused(tmp_path, save, hr, lr, message):
    save(tmp_path / "LRbicx2", *lr.split())
    with pytest.raises(InputError, match=message):
        locate.find_lr([tmp_path], hr.split(), scale=2, what="Set5")


def test_a_missing_lr_image_is_bad_in_its_place(tmp_path, save):
    save(tmp_path, "LRbicx2/a.png", "LRbicx2/c.png")
    folder = tmp_path / "LRbicx2"
    assert locate.find_lr([tmp_path], ["a.png", "b.png", "c.png"], scale=2, what="Set5") == {
        "a.png": folder / "a.png",
        "b.png": Bad("b.png", f"b.png: {folder} lacks its LR image at x2"),
        "c.png": folder / "c.png",
    }


def test_lr_images_that_are_all_of_others(tmp_path, save):
    save(tmp_path, "LRbicx2/a.png")
    with pytest.raises(InputError, match=r"Set5: no LR images at x2 beside its HR images; .*LRbicx2 hold others"):
        locate.find_lr([tmp_path], ["b.png"], scale=2, what="Set5")


def test_no_lr_at_this_scale(tmp_path, save):
    save(tmp_path, "LRbicx2/a.png")
    with pytest.raises(InputError, match=rf"Set5: no LR images at x3 .* looked for LR_bicubic/X3, LRbicx3, .* in {tmp_path}$"):
        locate.find_lr([tmp_path], ["a.png"], scale=3, what="Set5")


def test_the_sets_folder_in_any_case(tmp_path, save):
    save(tmp_path, "bsds100/1.png")
    assert locate.find_set(tmp_path, ("B100", "BSD100", "BSDS100")) == tmp_path / "bsds100"
    assert locate.find_set(tmp_path, ("Set5",)) is None
    assert locate.find_set(tmp_path / "nowhere", ("Set5",)) is None
