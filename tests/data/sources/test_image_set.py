import os

import numpy as np
import pytest

from sr_jax.data import sources
from sr_jax.data.images import Bad
from sr_jax.errors import TrainingError


@pytest.fixture
def folder(save, tmp_path):
    """A folder of three images, one that is damaged, and a link to nowhere."""
    pixels = save(tmp_path / "images", "b.png", "a.png", "sub/d.png")
    (tmp_path / "images/c.png").write_text("text")
    (tmp_path / "images/gone.png").symlink_to("nowhere")
    return tmp_path / "images", pixels


def test_images_in_place_are_those_of_the_copy(folder, tmp_path):
    copied = sources.open_folder([folder[0]], cache=tmp_path / "copied")
    in_place = sources.open_folder([folder[0]], cache=tmp_path / "in place", in_place=True)
    assert in_place.place is None
    assert not (tmp_path / "in place").exists()
    assert copied.place is not None
    assert copied.place.parent == tmp_path / "copied"
    assert isinstance(in_place, sources.FileSet)
    for name in ("title", "names", "fingerprint", "citation", "licence"):
        assert getattr(in_place, name) == getattr(copied, name)
    for items in (list(in_place), [in_place.files[i] for i in range(len(in_place))]):
        for ours, theirs in zip(items, copied, strict=True):
            assert type(ours) is type(theirs)
            assert ours.name == theirs.name
            if isinstance(theirs, Bad):
                assert ours == theirs
            else:
                np.testing.assert_array_equal(ours.pixels, theirs.pixels)
    assert in_place.files.files[0][0] == "a.png"


def test_sizes_are_read_without_decoding(folder, tmp_path):
    files = sources.open_folder([folder[0]], cache=tmp_path, in_place=True).files
    assert [files.size(i) for i in range(len(files))] == [360, 360, 0, 0, 360]


@pytest.mark.parametrize("harm", [os.unlink, lambda path: (os.unlink(path), os.mkdir(path))], ids=["gone", "folder"])
def test_a_file_that_cannot_be_read_any_more(folder, tmp_path, harm):
    """It may be there again soon, so it does not count as a bad image."""
    files = sources.open_folder([folder[0]], cache=tmp_path, in_place=True).files
    harm(folder[0] / "a.png")
    with pytest.raises(TrainingError, match=r"images/a\.png cannot be read any more \(.+\); the same command goes on"):
        files[0]


def test_lr_and_named_sets_in_place(save, tmp_path):
    save(tmp_path / "Set5/HR", "a.png", "b.png")
    save(tmp_path / "Set5/LRbicx2", "a.png", shape=(6, 5, 3))
    where = {"scale": 2, "root": tmp_path, "cache": tmp_path / "cache", "in_place": True}
    hr, lr = sources.open_hr("Set5", **where), sources.open_lr("Set5", **where)
    assert [image.name for image in hr] == ["a.png", "b.png"]
    assert [type(image).__name__ for image in lr] == ["Image", "Bad"]
    assert sources.open_hr(tmp_path / "Set5/HR", **where).place is None
