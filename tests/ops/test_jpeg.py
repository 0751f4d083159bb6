"""JPEG against libjpeg(-turbo), which Pillow calls."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from PIL import Image

from sr_jax.ops.jpeg import apply_jpeg, quantisation_tables

pytestmark = pytest.mark.exact

SUBSAMPLING = {"4:4:4": 0, "4:2:0": 2}
PHOTOGRAPH = skimage.data.astronaut()


def libjpeg(pixels, quality, subsampling):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=SUBSAMPLING[subsampling])
    with Image.open(file) as image:
        tables = image.quantization
        return np.asarray(image), tables


compiled = jax.jit(apply_jpeg, static_argnames="subsampling")


def ours(pixels, quality, subsampling):
    out = np.asarray(compiled(jnp.asarray(pixels, jnp.float32) / 255, quality, subsampling=subsampling))
    return np.round(out * 255).astype(int)


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 75, 95, 100])
def test_tables_are_libjpegs(quality):
    _, tables = libjpeg(PHOTOGRAPH[:16, :16], quality, "4:4:4")
    for table, theirs in zip(quantisation_tables(quality), (tables[0], tables[1]), strict=True):
        np.testing.assert_array_equal(np.asarray(table).ravel(), theirs)


@pytest.mark.parametrize("subsampling", SUBSAMPLING)
@pytest.mark.parametrize("quality", [5, 30, 75, 95])
@pytest.mark.parametrize("size", [(160, 160), (99, 57), (17, 16), (8, 33)])
def test_pixels_are_libjpegs(quality, subsampling, size):
    pixels = PHOTOGRAPH[: size[0], 100 : 100 + size[1]]
    theirs, _ = libjpeg(pixels, quality, subsampling)
    np.testing.assert_array_equal(ours(pixels, quality, subsampling), theirs)


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (4, 3), (7, 4), (3, 5)])
def test_narrow_images_repeat_their_chroma(rng, size):
    """libjpeg does not smooth the chroma of images up to 4 pixels wide."""
    narrow = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(ours(narrow, 90, "4:2:0"), libjpeg(narrow, 90, "4:2:0")[0])


@pytest.mark.slow
@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 9, 17])
def test_small_sizes(rng, height):
    """Sizes around the rows and columns that chroma shares, and around a block of 8 or 16 pixels."""
    noise = rng.integers(0, 256, (height, 17, 3), dtype=np.uint8)
    for width in (1, 2, 3, 4, 5, 8, 9, 17):
        pixels = noise[:, :width]
        np.testing.assert_array_equal(ours(pixels, 90, "4:2:0"), libjpeg(pixels, 90, "4:2:0")[0])


def test_noise_and_flat_colours(rng):
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for quality in (1, 60, 100):
        np.testing.assert_array_equal(ours(noise, quality, "4:2:0"), libjpeg(noise, quality, "4:2:0")[0])
    for colour in [(0, 0, 0), (255, 255, 255), (255, 0, 0), (12, 200, 90)]:
        flat = np.broadcast_to(np.uint8(colour), (16, 16, 3))
        np.testing.assert_array_equal(ours(flat, 90, "4:4:4"), libjpeg(flat, 90, "4:4:4")[0])


@pytest.mark.parametrize("quality", [60, 90, 100])
def test_saturated_noise_with_all_its_chroma(rng, quality):
    """Where chroma is far from gray, the last bit of the colour coefficients decides."""
    noise = rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)
    saturated = np.where(rng.random(noise.shape) < 0.5, noise, np.where(noise < 128, 0, 255)).astype(np.uint8)
    for pixels in (noise, saturated):
        np.testing.assert_array_equal(ours(pixels, quality, "4:4:4"), libjpeg(pixels, quality, "4:4:4")[0])


def test_quality_may_be_traced_and_batched():
    x = jnp.asarray(PHOTOGRAPH[:48, :48], jnp.float32) / 255
    together = jax.jit(jax.vmap(lambda q: apply_jpeg(x, q, subsampling="4:2:0")))(jnp.array([10, 50, 90]))
    for q, one in zip((10, 50, 90), together, strict=True):
        np.testing.assert_array_equal(one, compiled(x, q, subsampling="4:2:0"))


def test_unknown_subsampling_is_named():
    with pytest.raises(ValueError, match="subsampling='4:1:1' is not one of 4:2:0, 4:4:4"):
        apply_jpeg(jnp.zeros((8, 8, 3)), 50, subsampling="4:1:1")
