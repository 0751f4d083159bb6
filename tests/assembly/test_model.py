"""`sr_jax.load`: a trained network as a Python object."""

import subprocess
import sys

import jax
import numpy as np
import pytest
import tifffile
from PIL import Image

import sr_jax
from sr_jax import upscale
from sr_jax.errors import InputError
from tests.conftest import ROOT
from tests.pictures import moving

WEIGHTS = ROOT / "weights/fsrcnn_x2.safetensors"


@pytest.fixture(scope="module")
def model():
    return sr_jax.load(WEIGHTS)


def picture(rng, shape, dtype="uint8") -> np.ndarray:
    coarse = Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)).resize((20, 24), Image.Resampling.BICUBIC)
    pixels = np.asarray(coarse)[..., [0, 1, 2, 0, 1][: shape[2]] if len(shape) == 3 else 0]
    if np.dtype(dtype).kind == "f":
        return (pixels / 255).astype(dtype)
    return pixels.astype(dtype) * (257 if dtype == "uint16" else 1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 1), (24, 20, 2), (24, 20, 3), (24, 20, 4), (24, 20, 5)])
def test_an_array_comes_back_as_one_of_its_kind(model, rng, shape, dtype):
    pixels = picture(rng, shape, dtype)
    enlarged = model(pixels)
    assert enlarged.dtype == pixels.dtype
    assert enlarged.shape == (48, 40, *shape[2:])
    nearest = pixels.repeat(2, 0).repeat(2, 1).astype(float)
    one = 1 if enlarged.dtype.kind == "f" else np.iinfo(dtype).max
    assert np.abs(enlarged - nearest).mean() < 0.05 * one


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "I;16", "F", "1", "P", "YCbCr"])
def test_an_image_of_pillow(model, rng, mode):
    image = Image.fromarray(picture(rng, (24, 20, 3)))
    image = Image.fromarray(picture(rng, (24, 20), "uint16")) if mode == "I;16" else image.convert(mode)
    enlarged = model(image)
    assert enlarged.size == (40, 48)
    assert enlarged.mode == {"1": "L", "P": "RGBA", "YCbCr": "RGB"}.get(mode, mode)


@pytest.mark.parametrize(("shape", "dtype"), [((24, 20, 3), "uint8"), ((24, 20), "uint16")])
def test_a_file_is_enlarged_as_the_command_does(model, rng, tmp_path, cache, shape, dtype):
    Image.fromarray(picture(rng, shape, dtype)).save(tmp_path / "a.png")
    options = ["--model", "fsrcnn-x2", "--out", str(tmp_path / "out"), "--cache_dir", str(cache)]
    assert upscale.main([str(tmp_path / "a.png"), *options]) == 0
    enlarged = model(tmp_path / "a.png")
    enlarged.save(tmp_path / "b.png")
    theirs = np.asarray(Image.open(tmp_path / "out/a_fsrcnn_x2.png"))
    for ours in (np.asarray(Image.open(tmp_path / "b.png")), np.asarray(enlarged.to_pillow())):
        np.testing.assert_array_equal(ours, theirs)
    assert np.asarray(enlarged).shape == (48, 40, shape[2] if len(shape) == 3 else 1)
    assert repr(enlarged).startswith("<picture of 40x48 pixels")


def test_a_file_of_several_frames_or_pages(model, rng, tmp_path):
    frames = [moving.scene(i, size=(24, 20)) for i in range(2)]
    (tmp_path / "cat.png").write_bytes(moving.save(frames, "PNG", [40, 70], loop=3))
    deep = picture(rng, (24, 20), "uint16")
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        writer.write(frames[0], photometric="rgb", metadata=None)
        writer.write(deep, photometric="minisblack", metadata=None)
    cat = model(tmp_path / "cat.png")
    assert (len(cat), repr(cat)) == (2, "<animation of 2 frames of 40x48 pixels, 3 channels of type uint8>")
    for ours, frame in zip(cat.to_arrays(), frames, strict=True):
        np.testing.assert_array_equal(ours, model(frame))
    for name in ("large.png", "large.gif"):
        cat.save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert (image.n_frames, image.size, image.info["duration"]) == (2, (40, 48), 40)
    with Image.open(tmp_path / "large.png") as image:
        np.testing.assert_array_equal(np.asarray(image), cat.to_arrays()[0])
    pages = model(tmp_path / "pages.tif")
    pages.save(tmp_path / "large.tif")
    with tifffile.TiffFile(tmp_path / "large.tif") as tiff:
        for page, expected in zip(tiff.pages, (model(frames[0]), model(deep)), strict=True):
            np.testing.assert_array_equal(page.asarray(), expected)
    with pytest.raises(InputError, match="has 2 pages; to_arrays returns them all"):
        np.asarray(pages)
    with pytest.raises(InputError, match="jpeg cannot hold an animation"):
        cat.save(tmp_path / "large.jpg")
    with pytest.raises(InputError, match="png cannot hold 2 pages"):
        pages.save(tmp_path / "pages.png")


def test_the_function_within_jax(model, rng):
    gray = picture(rng, (24, 20), "float32")
    batch = gray[None, ..., None]
    sr = jax.jit(model.apply)(model.params, batch)
    np.testing.assert_allclose(sr[0, ..., 0], model(gray), atol=1e-5)
    gradient = jax.grad(lambda params: model.apply(params, batch).mean())(model.params)
    assert all(np.isfinite(leaf).all() and (leaf != 0).any() for leaf in jax.tree.leaves(gradient))


def test_saved_and_loaded_again(model, rng, tmp_path):
    model.save(tmp_path / "copy.safetensors")
    again = sr_jax.load(str(tmp_path / "copy.safetensors"))
    pixels = picture(rng, (24, 20, 3))
    np.testing.assert_array_equal(again(pixels), model(pixels))
    assert again.card.table == model.card.table
    assert repr(model) == f"<sr_jax model fsrcnn x2, Y, 12,809 parameters, from {WEIGHTS}, {model.origin.split(', ', 1)[1]}>"
    with pytest.raises(InputError, match=r"a weights file ends with \.safetensors"):
        model.save(tmp_path / "copy.pth")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 4, 4, 3), np.uint8), r"not uint8 of shape \(2, 4, 4, 3\); `apply` takes batches"),
        (np.zeros((4, 4), np.int32), r"of type uint8, .*, not int32"),
        (np.zeros((0, 4), np.uint8), r"0x4 pixels has nothing to enlarge"),
        (np.full((4, 4), np.nan), r"not finite"),
        (Image.new("I", (4, 4)), r"mode I cannot be enlarged; convert it"),
    ],
)
def test_what_cannot_be_enlarged(model, image, message):
    with pytest.raises(InputError, match=message):
        model(image)


def test_the_package_is_imported_without_anything_slow():
    command = "import sys, sr_jax\nsys.exit('jax' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=False).returncode == 0


def test_what_cannot_be_written(model, rng, tmp_path):
    Image.fromarray(picture(rng, (24, 20, 4))).save(tmp_path / "a.png")
    enlarged = model(str(tmp_path / "a.png"))
    with pytest.raises(InputError, match=r"jpeg cannot hold transparency"):
        enlarged.save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"with a suffix of png"):
        enlarged.save(tmp_path / "a.xyz")
    with pytest.raises(InputError, match=r"missing\.png"):
        model(tmp_path / "missing.png")
