"""VDSR's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def vdsr(network_config: Any, scale: int) -> dict[str, Layout]:
    """Layers are `input`, `residual_layer`, `output`, or `conv1`, `trunk`, `conv2`, or all in a row, `features`.

    All implementations enlarge LR before the network, and have no biases.
    """
    del scale
    hidden = range(network_config.depth - 2)
    residual = {"input": "input", "output": "output"} | {f"hidden.{i}": f"residual_layer.{i}.conv" for i in hidden}
    trunk = {"input": "conv1.0", "output": "conv2"} | {f"hidden.{i}": f"trunk.{i}.conv" for i in hidden}
    row = {"input": "features.0", "output": f"features.{2 * network_config.depth - 2}"}
    row |= {f"hidden.{i}": f"features.{2 * i + 2}" for i in hidden}
    return {
        "twtygqyy/pytorch-vdsr": Layout(residual),
        "Lornatang/VDSR-PyTorch": Layout(trunk),
        "twtygqyy/pytorch-vdsr, first version": Layout(row),
    }
