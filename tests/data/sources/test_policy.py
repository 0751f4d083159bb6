import numpy as np
import pytest

from sr_jax.data import sources
from sr_jax.data.images import Bad, Image
from sr_jax.data.sources import ImageSet
from sr_jax.errors import InputError

GOOD = Image("a.png", np.zeros((4, 4, 3), np.uint8))


def image_set(*items):
    return ImageSet("some", tuple(item.name for item in items), "", "", "", lambda: iter(items))


def test_bad_images_are_refused_or_skipped(capsys):
    bad = Bad("b.png", "b.png: damaged")
    with pytest.raises(InputError, match=r"1 image\(s\) cannot be used \(data\.bad_images=skip .*\n  b\.png: damaged"):
        sources.usable(image_set(GOOD, bad), "refuse")
    assert sources.usable(image_set(GOOD, bad), "skip") == [GOOD]
    assert capsys.readouterr().err == "skipping 1 image(s):\n  b.png: damaged\n"
    with pytest.raises(InputError, match="some holds no usable image"):
        sources.usable(image_set(bad), "skip")


def test_many_are_cut_short():
    with pytest.raises(InputError, match=r"(?s)12 image\(s\).*line 9\n  and 2 more"):
        sources.handle_bad_images({str(i): f"line {i}" for i in range(12)}, "refuse")


def test_sizes_that_do_not_match(rng):
    hr = Image("a.png", rng.integers(0, 256, (13, 10, 3), dtype=np.uint8))
    assert sources.check_pair(hr, Image("a.png", hr.pixels[:6, :5]), scale=2) is None
    reason = sources.check_pair(hr, Image("a.png", hr.pixels[:7, :5]), scale=2)
    assert reason == "a.png: its LR image has 7x5 pixels, but HR has 13x10, which at x2 makes 6x5"
