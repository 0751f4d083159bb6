"""EDSR's layouts."""

from typing import Any

import numpy as np

from sr_jax.errors import InputError
from sr_jax.ops.color import DIV2K_MEAN
from sr_jax.weights.torch.mapping import Layout


def edsr(network_config: Any, scale: int) -> dict[str, Layout]:
    """The authors have `head`, `body`, `tail`, and store the mean as convolutions.

    BasicSR has `conv_first`, `body`, `conv_last`, and does not store the mean.

    Raises:
      InputError: if the network adds its result to the bicubic image, which no public implementation does.
    """
    if network_config.image_skip:
        raise InputError("only sr_jax has model.image_skip=True: no public implementation of EDSR adds to the bicubic image")
    authors = {"head": "head.0", "body_end": f"body.{network_config.blocks}", "tail": "tail.1"}
    basicsr = {"head": "conv_first", "body_end": "conv_after_body", "tail": "conv_last"}
    for i in range(network_config.blocks):
        authors |= {f"body.{i}.conv1": f"body.{i}.body.0", f"body.{i}.conv2": f"body.{i}.body.2"}
        basicsr |= {f"body.{i}.conv1": f"body.{i}.conv1", f"body.{i}.conv2": f"body.{i}.conv2"}
    for i in range(2 if scale == 4 else 1):
        authors[f"upsampling.{i}.conv"] = f"tail.0.{2 * i}"
        basicsr[f"upsampling.{i}.conv"] = f"upsample.{2 * i}"
    means = shift("sub_mean", -255) | shift("add_mean", 255) if network_config.channels == 3 else {}
    return {"sanghyun-son/EDSR-PyTorch": Layout(authors, constants=means), "XPixelGroup/BasicSR": Layout(basicsr)}


def shift(name: str, factor: int) -> dict[str, np.ndarray]:
    """A 1x1 convolution that adds the mean of DIV2K times `factor`."""
    return {
        f"{name}.weight": np.eye(3, dtype=np.float32)[:, :, None, None],
        f"{name}.bias": np.float32(factor) * np.array(DIV2K_MEAN, np.float32),
    }
