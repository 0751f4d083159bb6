import numpy as np
import pytest

from sr_jax.data import sources
from sr_jax.data.images import Bad, Image
from sr_jax.errors import InputError


def image(name: str, height: int = 12, width: int = 10, value: int = 0) -> Image:
    return Image(name, np.full((height, width, 3), value, np.uint8))


def is_white(image: Image) -> str | None:
    return f"{image.name}: is white" if image.pixels.min() == 255 else None


def test_usable_images_keep_their_order():
    good, white, bad = image("a.png"), image("b.png", value=255), Bad("c.png", "c.png: damaged")
    assert sources.split_usable([bad, good, white]) == ([good, white], {"c.png": "c.png: damaged"})
    images, reasons = sources.split_usable([bad, white, good], check=is_white)
    assert images == [good]
    assert reasons == {"c.png": "c.png: damaged", "b.png": "b.png: is white"}
    assert sources.split_usable([bad]) == ([], {"c.png": "c.png: damaged"})


def test_pairs_are_usable_if_both_images_are_and_their_sizes_fit():
    names = ("good.png", "bad hr.png", "bad lr.png", "white.png", "small.png", "last.png")
    hr = [image(name, 13, 10) for name in names]
    lr = [image(name, 6, 5) for name in names]
    hr[1] = Bad("bad hr.png", "bad hr.png: damaged")
    lr[2] = Bad("bad lr.png", "bad lr.png: has no LR image")
    hr[3] = image("white.png", 13, 10, value=255)
    lr[4] = image("small.png", 7, 5)
    pairs, reasons = sources.split_usable_pairs(hr, lr, scale=2, check=is_white)
    assert pairs == [(hr[0], lr[0]), (hr[5], lr[5])]
    assert reasons == {
        "bad hr.png": "bad hr.png: damaged",
        "bad lr.png": "bad lr.png: has no LR image",
        "white.png": "white.png: is white",
        "small.png": "small.png: its LR image has 7x5 pixels, but HR has 13x10, which at x2 makes 6x5",
    }
    assert len(sources.split_usable_pairs(hr, lr, scale=2)[0]) == 3


def test_pairs_need_as_many_lr_as_hr_images():
    with pytest.raises(ValueError, match="shorter"):
        sources.split_usable_pairs([image("a.png")], [], scale=2)


def test_bad_images_are_refused_or_skipped(capsys):
    reasons = {"b.png": "b.png: damaged"}
    message = r"1 image\(s\) cannot be used \(the policy 'skip' goes on without them\):\n  b\.png: damaged"
    with pytest.raises(InputError, match=message):
        sources.handle_bad_images(reasons, "refuse")
    assert capsys.readouterr().err == ""
    sources.handle_bad_images(reasons, "skip")
    assert capsys.readouterr().err == "skipping 1 image(s):\n  b.png: damaged\n"


def test_without_bad_images_nothing_happens(capsys):
    sources.handle_bad_images({}, "refuse")
    sources.handle_bad_images({}, "skip")
    assert capsys.readouterr().err == ""


def test_many_reasons_are_cut_short():
    with pytest.raises(InputError, match=r"(?s)12 image\(s\).*line 9\n  and 2 more"):
        sources.handle_bad_images({str(i): f"line {i}" for i in range(12)}, "refuse")


def test_a_name_cannot_break_the_line(capsys):
    reasons = {"a\nb.png": "a\nb.png: is damaged"}
    with pytest.raises(InputError, match=r"\n  a\\nb\.png: is damaged$"):
        sources.handle_bad_images(reasons, "refuse")
    sources.handle_bad_images(reasons, "skip")
    assert capsys.readouterr().err == "skipping 1 image(s):\n  a\\nb.png: is damaged\n"
