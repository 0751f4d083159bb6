import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from sr_jax.ops import conv
from sr_jax.ops.conv import conv_transpose2d
from tests.golden import load

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("case", load("conv_transpose"), ids=lambda case: case["name"])
def test_equals_pytorch(case):
    """Outputs and gradients equal those of torch.nn.functional.conv_transpose2d (tests/golden/make.py)."""
    options = {key: int(case[key]) for key in ("stride", "padding", "output_padding")}

    def project(x, kernel):
        return jnp.sum(conv_transpose2d(x, kernel, **options) * case["cotangent"])

    with jax.enable_x64(True):
        x, kernel = jnp.asarray(case["x"]), jnp.asarray(case["kernel"])
        np.testing.assert_allclose(conv_transpose2d(x, kernel, **options), case["out"], atol=1e-12)
        d_x, d_kernel = jax.grad(project, (0, 1))(x, kernel)
    np.testing.assert_allclose(d_x, case["d_x"], atol=1e-12)
    np.testing.assert_allclose(d_kernel, case["d_kernel"], atol=1e-12)


def test_groups(rng):
    """A grouped convolution equals one convolution for each group."""
    x, w = rng.normal(size=(2, 4, 5, 6)), rng.normal(size=(4, 3, 6, 2))
    options = {"stride": (2, 1), "padding": 1}
    with jax.enable_x64(True):
        x, w = jnp.asarray(x), jnp.asarray(w)
        out = conv_transpose2d(x, w, groups=3, **options)
        parts = [conv_transpose2d(x[..., i : i + 2], w[:, :, i : i + 2], **options) for i in (0, 2, 4)]
    np.testing.assert_allclose(out, jnp.concatenate(parts, -1), atol=1e-12)


def test_derivatives_of_every_kind(rng):
    """Forward mode, reverse mode and reverse over reverse equal finite differences, also under vmap."""
    x, w = rng.normal(size=(1, 3, 4, 2)), rng.normal(size=(4, 4, 2, 2))
    with jax.enable_x64(True):
        f = lambda x, w: jnp.sin(conv_transpose2d(jnp.asarray(x), jnp.asarray(w), stride=2, padding=1))
        check_grads(f, (jnp.asarray(x), jnp.asarray(w)), order=2, modes=("fwd", "rev"), rtol=1e-4)
        many = jnp.asarray(rng.normal(size=(3, 1, 3, 4, 2)))
        np.testing.assert_allclose(jax.vmap(lambda x: f(x, w))(many)[1], f(many[1], w), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 8])
def test_half_precision_does_not_add_up_its_rounding_errors(groups):
    """The sum of 81 equal taps in bfloat16 is rounded once, not once for each tap."""
    x, w = jnp.full((1, 16, 16, groups), 0.9, jnp.bfloat16), jnp.full((9, 9, groups, 1), 1 / 81, jnp.bfloat16)
    out = conv_transpose2d(x, w, stride=1, padding=4, groups=groups)
    assert out.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        out[0, 8, 8].astype(jnp.float32), float(81 * x[0, 0, 0, 0] * w[0, 0, 0, 0].astype(jnp.float32)), rtol=4e-3
    )


@pytest.mark.parametrize(
    ("x", "w", "options", "message"),
    [
        ((1, 1, 1, 1), (3, 3, 1, 1), {"stride": 2, "padding": 2}, r"1x1 input gives an empty output of -1x-1.*padding="),
        (
            (1, 4, 4, 1),
            (3, 3, 1, 1),
            {"stride": 2, "padding": 0, "output_padding": 2},
            "output_padding=2 must be below the stride",
        ),
        ((1, 4, 4, 3), (3, 3, 3, 1), {"stride": 2, "padding": 0, "groups": 2}, "input of 3 channels and groups=2"),
        ((1, 4, 4, 3), (3, 3, 2, 1), {"stride": 2, "padding": 0}, "does not fit an input of 3 channels"),
        ((1, 4, 4, 3), (3, 3, 3, 1), {"stride": 0, "padding": 0}, "stride=0 must be an integer of at least 1"),
        ((1, 4, 4, 3), (3, 3, 3, 1), {"stride": 2, "padding": (0, -1)}, r"padding=\(0, -1\) must be an integer of at least 0"),
        ((1, 4, 4, 3), (3, 3, 3, 1), {"stride": 2, "padding": 0, "groups": 0}, "groups=0 must be"),
    ],
)
def test_bad_input(x, w, options, message):
    with pytest.raises(ValueError, match=message):
        conv_transpose2d(jnp.zeros(x), jnp.zeros(w), **options)


@pytest.mark.parametrize("stride", [2.0, None, True, (2,), (2, 0), "2"])
def test_options_are_integers_or_pairs(stride):
    with pytest.raises(ValueError, match="must be an integer of at least 1, or a pair of them"):
        conv._pair("stride", stride, minimum=1)
    assert conv._pair("stride", np.int64(2), minimum=1) == (2, 2)
