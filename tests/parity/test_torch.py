"""Live comparisons with PyTorch: `make parity`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sr_jax.ops.conv import conv_transpose2d

pytestmark = pytest.mark.torch


def random_cases(count: int):
    """Draws options of a transposed convolution, each a pair, until `count` of them give an output."""
    rng = np.random.default_rng(3)
    pair = lambda low, high: tuple(int(n) for n in rng.integers(low, high, 2))
    cases = 0
    while cases < count:
        kernel, stride, dilation, padding, size = pair(1, 8), pair(1, 5), pair(1, 4), pair(0, 6), pair(1, 9)
        output_padding = tuple(int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True))
        groups = int(rng.choice([1, 1, 1, 2, 3]))
        channels = tuple(groups * n for n in pair(1, 5))
        if rng.random() < 0.15:  # depthwise
            groups = channels[0]
            channels = (groups, groups)
        options = (kernel, stride, padding, output_padding, dilation)
        if all((n - 1) * s - 2 * p + d * (k - 1) + extra + 1 >= 1 for n, k, s, p, extra, d in zip(size, *options, strict=True)):
            cases += 1
            names = ("kernel", "stride", "padding", "output_padding", "dilation", "groups", "channels", "size")
            yield dict(zip(names, (*options, groups, channels, size), strict=True))


@pytest.mark.parametrize("case", list(random_cases(320)), ids=lambda c: "-".join(map(str, c.values())).replace(" ", ""))
def test_conv_transpose(case):
    """The output and both gradients agree to 1e-12 of the largest value in float64, and to 1e-5 of it in float32."""
    import torch

    rng = np.random.default_rng(4)
    options = {key: case[key] for key in ("stride", "padding", "output_padding", "dilation", "groups")}
    x = rng.normal(size=(2, *case["size"], case["channels"][0]))
    kernel = rng.normal(size=(*case["kernel"], case["channels"][0], case["channels"][1] // case["groups"]))
    # PyTorch's weight gradient needs contiguous arrays.
    tx = torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), requires_grad=True)
    tk = torch.tensor(np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)), requires_grad=True)
    expected = torch.nn.functional.conv_transpose2d(tx, tk, **options)
    cotangent = rng.normal(size=expected.permute(0, 2, 3, 1).shape)
    dx, dk = torch.autograd.grad(
        (expected * torch.tensor(np.ascontiguousarray(cotangent.transpose(0, 3, 1, 2)))).sum(), (tx, tk)
    )
    theirs = (expected.detach().permute(0, 2, 3, 1), dx.permute(0, 2, 3, 1), dk.permute(2, 3, 0, 1))

    def ours(x, kernel, cotangent):
        out, back = jax.vjp(lambda x, k: conv_transpose2d(x, k, **options), x, kernel)
        return out, *back(cotangent)

    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        with jax.enable_x64(dtype == np.float64):
            results = jax.jit(ours)(*(jnp.asarray(v, dtype) for v in (x, kernel, cotangent)))
            for result, reference in zip(results, theirs, strict=True):
                assert result.dtype == dtype
                scale = max(1.0, float(reference.abs().max()))
                np.testing.assert_allclose(result, reference, atol=tolerance * scale, rtol=0)
