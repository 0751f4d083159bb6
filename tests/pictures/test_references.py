from pathlib import PurePath

import pytest

from sr_jax.errors import InputError
from sr_jax.pictures import references
from sr_jax.pictures.names import Source
from sr_jax.pictures.plan import Wishes, make_jobs
from tests.pictures import corpus


@pytest.fixture
def hr(tmp_path):
    """Writes pictures of HR in a folder, and returns it."""

    def write(sizes):
        folder = tmp_path / "hr"
        for name, (height, width) in sizes.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            pixels = corpus.of_type(corpus.smooth(3, height=height, width=width), "uint8")
            (folder / name).write_bytes(corpus.pillow(pixels, "PNG"))
        return folder

    return write


def jobs_of(*names, **wishes):
    data = corpus.pillow(corpus.of_type(corpus.smooth(3), "uint8"), "PNG")
    sources = [Source(None, PurePath(name)) for name in names]
    return make_jobs(sources, Wishes(**wishes), label="net", scale=2, data=dict.fromkeys(sources, data)).jobs


def found(folder, jobs):
    return {str(job.source.name): file for job, file in references.find(str(folder), jobs, scale=2).items()}


def test_hr_is_found_by_its_stem(hr):
    """The same subfolder comes first, and names of DIV2K match without their scale."""
    folder = hr(dict.fromkeys(("a.bmp", "sub/a.png", "deep/b.png", "0001.png"), (72, 80)))
    jobs = jobs_of("a.jpg", "sub/a.webp", "b.png", "0001x2.png", "lost.png")
    assert found(folder, jobs) == {
        "a.jpg": folder / "a.bmp",
        "sub/a.webp": folder / "sub/a.png",
        "b.png": folder / "deep/b.png",
        "0001x2.png": folder / "0001.png",
    }


def test_hr_may_be_larger_by_what_the_reduction_cut_off(hr):
    folder = hr({"a.png": (73, 81), "b.png": (74, 80), "c.png": (72, 79)})
    assert found(folder, jobs_of("a.png")) == {"a.png": folder / "a.png"}
    for name, size in (("b.png", "80x74"), ("c.png", "79x72")):
        with pytest.raises(InputError, match=f"{name} has {size} pixels, and the result of .* has 80x72"):
            found(folder, jobs_of(name))
    with pytest.raises(InputError, match="has 81x73 pixels, and the result of standard input has 100x90"):
        found(folder, jobs_of("a.png", width=100))


@pytest.mark.parametrize(
    ("files", "jobs", "message"),
    [
        (("z.png",), ("a.png",), "no picture there has the stem of one that is enlarged, such as a"),
        (("a.png", "a.bmp"), ("a.png",), "several pictures are called as"),
        (("x/a.png", "y/a.png"), ("a.png",), "several pictures are called as"),
    ],
)
def test_what_does_not_match_is_refused(files, jobs, message, hr):
    with pytest.raises(InputError, match=message):
        found(hr(dict.fromkeys(files, (72, 80))), jobs_of(*jobs))


def test_one_file_is_for_one_picture(hr):
    file = hr({"other.png": (72, 80)}) / "other.png"
    assert found(file, jobs_of("a.png")) == {"a.png": file}
    with pytest.raises(InputError, match="this is one picture, for 2 pictures to enlarge; give a folder"):
        found(file, jobs_of("a.png", "b.png"))
    file.write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a picture of a known kind"):
        found(file, jobs_of("a.png"))
