import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.ops.conv import make_geometry
from sr_jax.ops.conv_forms import channelwise, dilated, gathered, phases, planes, scattered


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [dilated, phases, gathered, scattered, planes, channelwise],
    ids=lambda form: form.__name__,
)
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "output_padding", "dilation"),
    [
        ((5, 4), (4, 4), (2, 2), (1, 1), (0, 0), (1, 1)),
        ((4, 5), (5, 7), (3, 3), (1, 2), (0, 0), (1, 1)),
        ((3, 6), (2, 5), (3, 1), (0, 4), (2, 0), (1, 1)),
        ((6, 3), (3, 2), (2, 4), (3, 0), (1, 2), (2, 3)),
        ((1, 7), (1, 1), (2, 3), (0, 0), (0, 1), (1, 1)),
        ((4, 4), (3, 3), (1, 1), (1, 1), (2, 0), (3, 1)),
    ],
)
def test_all_forms_are_equal(rng, form, size, kernel, stride, padding, output_padding, dilation):
    """The choice of a form changes neither the output nor the gradients: each form equals the sum of stamps."""
    depthwise = form is channelwise
    groups, i, o = (3, 3, 1) if depthwise else (1, 2, 3)
    x, w = rng.normal(size=(2, *size, i)), rng.normal(size=(*kernel, i, o))
    with jax.enable_x64(True):
        x, w = jnp.asarray(x), jnp.asarray(w)
        g = make_geometry(x, w, stride, padding, output_padding, dilation, groups)
        out, back = jax.vjp(jax.jit(lambda x, w: form(x, w, g)), x, w)
        cotangent = jnp.asarray(rng.normal(size=out.shape))
        d_x, d_w = back(cotangent)
        expected = stamp(x, w, out.shape[1:3], stride, padding, dilation, depthwise)
        np.testing.assert_allclose(out, expected, atol=1e-12)
        # The transpose is right if <A(x, w), r> = <x, A*(r, w)> = <w, A*(x, r)>.
        inner = float(jnp.sum(out * cotangent))
        np.testing.assert_allclose([jnp.sum(x * d_x), jnp.sum(w * d_w)], [inner, inner], rtol=1e-10)


def stamp(x, w, out_size, stride, padding, dilation, depthwise):
    x, w = np.asarray(x), np.asarray(w)
    out = np.zeros((x.shape[0], *out_size, w.shape[2] if depthwise else w.shape[3]))
    for i, j, t, u in itertools.product(range(x.shape[1]), range(x.shape[2]), range(w.shape[0]), range(w.shape[1])):
        a, b = i * stride[0] + t * dilation[0] - padding[0], j * stride[1] + u * dilation[1] - padding[1]
        if 0 <= a < out_size[0] and 0 <= b < out_size[1]:
            out[:, a, b] += x[:, i, j] * w[t, u, :, 0] if depthwise else x[:, i, j] @ w[t, u]
    return out
