"""Converse-SRResNet's layouts."""

from typing import Any

import numpy as np

from sr_jax.weights.torch.mapping import Layout, Special

BLOCK = {
    "norm": "conv1.0",
    "widen": "conv1.1",
    "converse": "conv1.3",
    "narrow": "conv1.5",
    "mlp_norm": "conv2.0",
    "mlp_widen": "conv2.1",
    "mlp_narrow": "conv2.3",
}


def converse_srresnet(network_config: Any, scale: int) -> dict[str, Layout]:
    """The authors' names, such as `conv_first`, `conv_body`, `upconv1`, `up1`. They have no x2 network; it would lack `up2`."""
    stages = range(scale.bit_length() - 1)
    blocks = {f"body.{i}": f"conv_body.{i}" for i in range(network_config.blocks)}
    blocks |= {f"up_blocks.{i}": f"upconv{i + 1}" for i in stages} | {"last_block": "conv_hres"}
    modules = {"head": "conv_first", "tail": "conv_last"} | {f"ups.{i}": f"up{i + 1}" for i in stages}
    modules |= {f"{ours}.{part}": f"{theirs}.{key}" for ours, theirs in blocks.items() for part, key in BLOCK.items()}
    specials = {}
    for ours, theirs in modules.items():
        if ours.endswith(".converse") or ours.startswith("ups."):
            specials |= _converse(ours, theirs)
    return {"cszn/ConverseNet": Layout(modules, specials)}


def _converse(ours: str, theirs: str) -> dict[str, Special]:
    """The layer Converse2D: our kernel (k, k, c) is their weight (1, c, k, k), and our bias (c) is theirs (1, c, 1, 1)."""

    def kernel_to_ours(weight: np.ndarray) -> np.ndarray:
        return weight[0].transpose(1, 2, 0)

    def kernel_to_theirs(kernel: np.ndarray) -> np.ndarray:
        return kernel.transpose(2, 0, 1)[None]

    return {
        f"{ours}.kernel": Special(f"{theirs}.weight", kernel_to_ours, kernel_to_theirs),
        f"{ours}.bias": Special(f"{theirs}.bias", np.ravel, lambda bias: bias[None, :, None, None]),
    }
