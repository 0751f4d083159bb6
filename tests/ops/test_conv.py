import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.ops.conv import conv_transpose2d, depth_to_space
from tests.golden import load


@pytest.mark.parametrize("case", load("conv_transpose"), ids=lambda case: case["name"])
def test_equals_pytorch(case):
    """Against outputs and gradients of torch.nn.functional.conv_transpose2d; see tests/golden/make.py."""
    options = {key: int(case[key]) for key in ("stride", "padding", "output_padding")}

    def project(x, kernel):
        return jnp.sum(conv_transpose2d(x, kernel, **options) * case["cotangent"])

    with jax.enable_x64(True):
        x, kernel = jnp.asarray(case["x"]), jnp.asarray(case["kernel"])
        np.testing.assert_allclose(conv_transpose2d(x, kernel, **options), case["out"], atol=1e-12)
        d_x, d_kernel = jax.grad(project, (0, 1))(x, kernel)
    np.testing.assert_allclose(d_x, case["d_x"], atol=1e-12)
    np.testing.assert_allclose(d_kernel, case["d_kernel"], atol=1e-12)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "output_padding"), [(5, 4, 2, 1, 0), (4, 9, 3, 3, 0), (3, 2, 3, 0, 2)]
)
def test_definition(rng, size, kernel, stride, padding, output_padding):
    """Every input pixel stamps its kernel."""
    x, w = rng.normal(size=(1, size, size, 2)), rng.normal(size=(kernel, kernel, 2, 3))
    n = (size - 1) * stride - 2 * padding + kernel + output_padding
    canvas = np.zeros((n + 2 * padding + kernel, n + 2 * padding + kernel, 3))
    for i in range(size):
        for j in range(size):
            canvas[i * stride : i * stride + kernel, j * stride : j * stride + kernel] += np.tensordot(x[0, i, j], w, (0, 2))
    with jax.enable_x64(True):
        out = conv_transpose2d(jnp.asarray(x), jnp.asarray(w), stride=stride, padding=padding, output_padding=output_padding)
    np.testing.assert_allclose(out[0], canvas[padding : padding + n, padding : padding + n], atol=1e-12)


def test_empty_output_is_refused():
    with pytest.raises(ValueError, match=r"1x1 input gives an empty output of -1x-1.*padding=2"):
        conv_transpose2d(jnp.zeros((1, 1, 1, 1)), jnp.zeros((3, 3, 1, 1)), stride=2, padding=2)


def test_output_padding_below_stride():
    with pytest.raises(ValueError, match="output_padding=2"):
        conv_transpose2d(jnp.zeros((1, 4, 4, 1)), jnp.zeros((3, 3, 1, 1)), stride=2, output_padding=2)


def test_depth_to_space_order():
    x = jnp.arange(8).reshape(1, 1, 1, 8)
    np.testing.assert_array_equal(depth_to_space(x, 2)[0], [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
