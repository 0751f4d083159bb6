"""Live comparisons with PyTorch: `make parity`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sr_jax.models import FSRCNN
from sr_jax.ops.conv import conv_transpose2d
from tests.models.test_fsrcnn import from_torch

pytestmark = pytest.mark.torch


def random_cases(count: int):
    rng = np.random.default_rng(3)
    for _ in range(count):
        kernel, stride = int(rng.integers(1, 10)), int(rng.integers(1, 5))
        case = {
            "kernel": kernel,
            "stride": stride,
            "padding": int(rng.integers(0, kernel)),
            "output_padding": int(rng.integers(0, stride)),
            "channels": tuple(int(c) for c in rng.integers(1, 5, 2)),
            "size": tuple(int(n) for n in rng.integers(2, 9, 2)),
        }
        if min((n - 1) * stride - 2 * case["padding"] + kernel + case["output_padding"] for n in case["size"]) >= 1:
            yield case


@pytest.mark.parametrize("case", list(random_cases(40)), ids=lambda c: "-".join(map(str, c.values())).replace(" ", ""))
def test_conv_transpose(case):
    """Forward and both gradients, float64 to 1e-12."""
    import torch

    rng = np.random.default_rng(4)
    options = {key: case[key] for key in ("stride", "padding", "output_padding")}
    x = rng.normal(size=(2, *case["size"], case["channels"][0]))
    kernel = rng.normal(size=(case["kernel"], case["kernel"], *case["channels"]))
    # Contiguous: PyTorch's own weight gradient demands it.
    tx = torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), requires_grad=True)
    tk = torch.tensor(np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)), requires_grad=True)
    expected = torch.nn.functional.conv_transpose2d(tx, tk, **options)
    cotangent = rng.normal(size=expected.permute(0, 2, 3, 1).shape)
    dx, dk = torch.autograd.grad(
        (expected * torch.tensor(np.ascontiguousarray(cotangent.transpose(0, 3, 1, 2)))).sum(), (tx, tk)
    )
    with jax.enable_x64(True):
        out, back = jax.vjp(lambda x, k: conv_transpose2d(x, k, **options), jnp.asarray(x), jnp.asarray(kernel))
        d_x, d_kernel = back(jnp.asarray(cotangent))
    np.testing.assert_allclose(out, expected.detach().permute(0, 2, 3, 1), atol=1e-12)
    np.testing.assert_allclose(d_x, dx.permute(0, 2, 3, 1), atol=1e-12)
    np.testing.assert_allclose(d_kernel, dk.permute(2, 3, 0, 1), atol=1e-12)


@pytest.mark.parametrize("scale", FSRCNN.scales)
def test_fsrcnn(scale):
    """The same random weights in an independent PyTorch module."""
    import torch

    from tests.torch_models import FSRCNN as TorchFSRCNN

    theirs = TorchFSRCNN(scale)
    ours = FSRCNN(scale=scale, rngs=nnx.Rngs(0))
    from_torch(ours, {name: value.numpy() for name, value in theirs.state_dict().items()})
    lr = np.random.default_rng(5).random((2, 17, 13, 1), dtype=np.float32)
    expected = theirs(torch.tensor(lr.transpose(0, 3, 1, 2))).detach().permute(0, 2, 3, 1)
    np.testing.assert_allclose(ours(jnp.asarray(lr)), expected, atol=1e-6)
