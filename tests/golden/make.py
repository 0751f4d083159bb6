"""Makes the golden files with PyTorch: `pip install torch==2.13.0`, then `python -m tests.golden.make`."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from tests import torch_models
from tests.models.cases import CASES, Case, inputs

HERE = Path(__file__).parent

CONV_TRANSPOSE = [  # kernel, stride, padding, output_padding, in, out, height, width
    (4, 2, 1, 0, 3, 3, 6, 7),  # the layer (3, 3, 4, 2, 1)
    (9, 2, 4, 1, 5, 1, 7, 6),  # FSRCNN x2
    (9, 3, 4, 2, 5, 1, 5, 6),  # FSRCNN x3
    (9, 4, 4, 3, 5, 1, 5, 4),  # FSRCNN x4
    (3, 2, 1, 1, 2, 2, 4, 5),
    (2, 2, 0, 0, 2, 3, 3, 4),
    (3, 1, 1, 0, 2, 3, 5, 5),
    (1, 2, 0, 0, 2, 2, 4, 3),
    (2, 3, 0, 2, 2, 2, 3, 3),
    (5, 3, 4, 1, 1, 2, 6, 5),
]


def conv_transpose() -> dict[str, np.ndarray]:
    arrays = {}
    for k, s, p, op, cin, cout, h, w in CONV_TRANSPOSE:
        x = torch.randn(2, cin, h, w, dtype=torch.float64, requires_grad=True)
        kernel = torch.randn(cin, cout, k, k, dtype=torch.float64, requires_grad=True)
        out = functional.conv_transpose2d(x, kernel, stride=s, padding=p, output_padding=op)
        cotangent = torch.randn_like(out)
        d_x, d_kernel = torch.autograd.grad((out * cotangent).sum(), (x, kernel))
        nhwc = {"x": x, "out": out, "cotangent": cotangent, "d_x": d_x}
        hwio = {"kernel": kernel, "d_kernel": d_kernel}
        case = {name: t.detach().permute(0, 2, 3, 1).numpy() for name, t in nhwc.items()}
        case |= {name: t.detach().permute(2, 3, 0, 1).numpy() for name, t in hwio.items()}
        case |= {"stride": np.array(s), "padding": np.array(p), "output_padding": np.array(op)}
        arrays |= {f"k{k}s{s}p{p}o{op}/{name}": value for name, value in case.items()}
    return arrays


def network(case: Case) -> dict[str, np.ndarray]:
    """The output and the state dict of a small network with random weights."""
    module = torch_models.random_module(case.network, case.scale, seed=0)
    state = {f"state/{name}": value for name, value in torch_models.state(module).items()}
    return {"sr": torch_models.run(module, inputs(case)), **state}


if __name__ == "__main__":
    torch.manual_seed(0)
    np.savez_compressed(HERE / "conv_transpose.npz", **conv_transpose())
    (HERE / "networks").mkdir(exist_ok=True)
    for name, case in CASES.items():
        np.savez_compressed(HERE / "networks" / f"{name}.npz", **network(case))
