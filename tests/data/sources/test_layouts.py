import pytest

from sr_jax.data.sources import layouts
from sr_jax.errors import InputError

NAMES = ("baby", "bird", "head")
HR_LAYOUTS = {
    "plain": "{}.png",
    "HR": "HR/{}.png",
    "webp": "HR/{}.webp",
    "lower case": "hr/{}.bmp",
    "GTmod12": "GTmod12/{}.png",
    "original": "original/{}.png",
    "SRF": "image_SRF_2/{}_SRF_2_HR.png",
}
LR_LAYOUTS = (
    "LR_bicubic/X2/{}x2.png",
    "LRbicx2/{}.png",
    "LRbicx2/{}x2.png",
    "lr_BICUBIC/x2/{}x2.png",
    "image_SRF_2/{}_SRF_2_LR.png",
)


@pytest.mark.parametrize("layout", HR_LAYOUTS.values(), ids=HR_LAYOUTS)
@pytest.mark.parametrize("lr_layout", LR_LAYOUTS)
def test_pairs_are_found(tmp_path, save, layout, lr_layout):
    save(tmp_path, *(layout.format(name) for name in NAMES), *(lr_layout.format(name) for name in NAMES))
    save(tmp_path, *(lr_layout.replace("2", "3").format(name) for name in NAMES))  # another scale lies beside
    hr = layouts.find_hr(tmp_path, more=(), scale=2)
    assert list(hr.values()) == [tmp_path / layout.format(name) for name in NAMES]
    lr = layouts.find_lr([tmp_path], list(hr), scale=2, what="Set5")
    assert list(lr) == list(hr)
    assert [path.relative_to(tmp_path).as_posix() for path in lr.values()] == [lr_layout.format(name) for name in NAMES]


def test_whole_images_before_cropped_ones(tmp_path, save):
    save(tmp_path, "GTmod12/a.png", "original/a.png", "image_SRF_2/a_SRF_2_HR.png")
    assert layouts.find_hr(tmp_path, more=(), scale=2) == {"a.png": tmp_path / "original/a.png"}
    save(tmp_path, "HR/a.png")
    assert layouts.find_hr(tmp_path, more=(), scale=2) == {"a.png": tmp_path / "HR/a.png"}


def test_each_scale_has_its_own_hr_in_srf(tmp_path, save):
    save(tmp_path, "image_SRF_2/a_SRF_2_HR.png", "image_SRF_3/a_SRF_3_HR.png")
    assert list(layouts.find_hr(tmp_path, more=(), scale=3)) == ["a_SRF_3_HR.png"]
    assert list(layouts.find_hr(tmp_path, more=(), scale=None)) == ["a_SRF_2_HR.png"]


def test_a_sets_own_layout(tmp_path, save):
    save(tmp_path, "DIV2K_valid_LR_bicubic/X4/0801x4.png", "DIV2K_train_LR_bicubic/X4/0001x4.png")
    lr = layouts.find_lr([tmp_path], ["0801.png"], scale=4, what="DIV2K")
    assert lr == {"0801.png": tmp_path / "DIV2K_valid_LR_bicubic/X4/0801x4.png"}


def test_missing_lr_images_are_named(tmp_path, save):
    save(tmp_path, "LRbicx2/a.png", "LRbicx2/c.png")
    with pytest.raises(InputError, match=r"Set5: .*LRbicx2 lacks the LR image at x2 of 2 of 4 HR images: b\.png, d\.png$"):
        layouts.find_lr([tmp_path], ["a.png", "b.png", "c.png", "d.png"], scale=2, what="Set5")


def test_no_lr_at_this_scale(tmp_path, save):
    save(tmp_path, "LRbicx2/a.png")
    with pytest.raises(InputError, match=rf"Set5: no LR images at x3 .* looked for LR_bicubic/X3, LRbicx3, .* in {tmp_path}$"):
        layouts.find_lr([tmp_path], ["a.png"], scale=3, what="Set5")


def test_the_sets_folder_in_any_case(tmp_path, save):
    save(tmp_path, "bsds100/1.png")
    assert layouts.find_set(tmp_path, ("B100", "BSD100", "BSDS100")) == tmp_path / "bsds100"
    assert layouts.find_set(tmp_path, ("Set5",)) is None
    assert layouts.find_set(tmp_path / "nowhere", ("Set5",)) is None
