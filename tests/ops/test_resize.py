import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sr_jax.ops import resize

SCALES = (2, 3, 4)


def matlab_imresize(x: np.ndarray, scale: float, *, rounds: bool) -> np.ndarray:
    """MATLAB's imresize in float64, written from its documented algorithm: explicit weights, index by index."""
    for axis in (0, 1):
        size = x.shape[axis]
        out_size = int(np.ceil(size * scale))
        width = 4 / min(scale, 1)
        rows = []
        for i in range(1, out_size + 1):
            u = i / scale + 0.5 * (1 - 1 / scale)
            left = int(np.floor(u - width / 2))
            index = np.arange(left, left + int(np.ceil(width)) + 2)
            t = np.abs((u - index) * min(scale, 1))
            w = np.where(t <= 1, 1.5 * t**3 - 2.5 * t**2 + 1, np.where(t <= 2, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2, 0))
            w /= w.sum()
            mirror = np.concatenate([np.arange(1, size + 1), np.arange(size, 0, -1)])
            index = mirror[(index - 1) % (2 * size)] - 1
            rows.append(np.tensordot(w, np.take(x, index, axis), (0, axis)))
        x = np.stack(rows, axis)
        if rounds:
            x = np.clip(np.floor(x + 0.5), 0, 255)
    return x


@pytest.mark.parametrize("scale", SCALES)
def test_lr_files_of_matlab_are_reproduced_byte_for_byte(research_images, scale):
    files = sorted((research_images / f"Set5/LRbicx{scale}").glob("*.png"))
    assert len(files) == 5
    for file in files:
        hr = np.array(Image.open(research_images / "Set5/HR" / file.name.replace(f"x{scale}", "")))
        h, w = (n - n % scale for n in hr.shape[:2])
        lr = jax.jit(resize.bicubic_downsample, static_argnums=1)(hr[:h, :w], scale)
        np.testing.assert_array_equal(lr, np.array(Image.open(file)), err_msg=file.name)


@pytest.mark.parametrize("scale", [*SCALES, 5, 8])
def test_float_agrees_with_matlab_algorithm(rng, scale):
    x = rng.random((6 * scale, 5 * scale, 2))
    with jax.enable_x64(True):
        down = resize.bicubic_downsample(jnp.asarray(x), scale)
        up = resize.bicubic_upsample(jnp.asarray(x), scale)
    np.testing.assert_allclose(down, matlab_imresize(x, 1 / scale, rounds=False), atol=1e-12)
    np.testing.assert_allclose(up, matlab_imresize(x, scale, rounds=False), atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_uint8_upsampling_agrees_with_matlab_algorithm(rng, scale):
    x = rng.integers(0, 256, (20, 23, 3), dtype=np.uint8)
    expected = matlab_imresize(x.astype(np.float64), scale, rounds=True)
    np.testing.assert_array_equal(resize.bicubic_upsample(jnp.asarray(x), scale), expected)


@pytest.mark.parametrize("scale", SCALES)
def test_interior_agrees_with_pillow(rng, scale):
    """Pillow's bicubic has the same kernel and centres, but treats borders otherwise."""
    x = rng.random((12 * scale, 12 * scale)).astype(np.float32)
    pillow = np.array(Image.fromarray(x).resize((12, 12), Image.Resampling.BICUBIC))
    ours = resize.bicubic_downsample(jnp.asarray(x)[..., None], scale)[..., 0]
    np.testing.assert_allclose(ours[2:-2, 2:-2], pillow[2:-2, 2:-2], atol=2e-6)
    assert np.abs(np.asarray(ours) - pillow).max() > 1e-3  # so the comparison does see a difference


def test_uint16_is_exact(rng):
    x = rng.integers(0, 2**16, (24, 24, 1), dtype=np.uint16)
    down = np.asarray(resize.bicubic_downsample(jnp.asarray(x), 2))
    exact = x.astype(np.float64)
    weights, denominator, offset = resize.downsample_weights(2)
    assert down.dtype == np.uint16
    row = [sum(weights * exact[2 * i + offset : 2 * i + offset + 8, 10, 0]) / denominator for i in range(3, 8)]
    rows = np.clip(np.floor(np.array(row) + 0.5), 0, 65535)
    first_pass = np.asarray(resize._downsample_axis(jnp.pad(jnp.asarray(x), ((4, 4), (0, 0), (0, 0)), mode="symmetric"), 2, 0))
    np.testing.assert_array_equal(first_pass[3:8, 10, 0], rows)


def test_size_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match="11x12 image cannot be reduced by 2"):
        resize.bicubic_downsample(jnp.zeros((11, 12, 1)), 2)


def test_integer_overflow_is_refused():
    with pytest.raises(ValueError, match="convert it to float"):
        resize.bicubic_downsample(jnp.zeros((16, 16, 1), jnp.uint16), 8)
