"""LapSRN's layouts."""

from typing import Any

import numpy as np

from sr_jax.weights.torch.mapping import Layout, Special, Turn


def lapsrn(network_config: Any, scale: int) -> dict[str, Layout]:
    """After `conv_input`, level 1 has `convt_F1`, `convt_I1`, `convt_R1`, and so on. The public network is for x4.

    The authors' own network is MatConvNet's. There the last level is number 1, as in `level1_conv3_f` and `level1_conv3_b`.
    """
    levels = scale.bit_length() - 1
    modules = {"input": "conv_input"}
    specials = _filters("input", "input_conv", (3, 3, 1, network_config.width), network_config)
    for level in range(levels):
        block = f"convt_F{level + 1}.0.cov_block"
        modules |= {f"features.{level}.convs.{i}": f"{block}.{2 * i}" for i in range(network_config.depth)}
        modules |= {
            f"features.{level}.enlargement": f"{block}.{2 * network_config.depth}",
            f"enlargements.{level}": f"convt_I{level + 1}",
            f"residuals.{level}": f"convt_R{level + 1}",
        }
        specials |= _level(level, f"level{levels - level}", network_config)
    return {"twtygqyy/pytorch-LapSRN": Layout(modules), "phoenix104104/LapSRN": Layout({}, specials)}


def _level(level: int, theirs: str, network_config: Any) -> dict[str, Special]:
    """The layers of one level in MatConvNet."""
    width, taps = network_config.width, network_config.taps
    specials = {}
    for i in range(network_config.depth):
        specials |= _filters(f"features.{level}.convs.{i}", f"{theirs}_conv{i + 1}", (3, 3, width, width), network_config)
    specials |= _filters(f"residuals.{level}", f"{theirs}_residual_conv", (3, 3, width, 1), network_config)
    name = f"features.{level}.enlargement"
    specials |= _filters(name, f"{theirs}_upconv", (taps, taps, width, width), network_config, transposed=True)
    specials[f"enlargements.{level}.kernel"] = Special(f"{theirs}_img_up_f", *_turns((4, 4, 1, 1), (0, 1, 3, 2)))
    return specials


def _filters(
    ours: str, theirs: str, shape: tuple[int, ...], network_config: Any, *, transposed: bool = False
) -> dict[str, Special]:
    """Filters (kh, kw, in, out), or (kh, kw, out, in) of a transposed convolution, neither flipped, and biases (1, out)."""
    axes = (0, 1, 3, 2) if transposed else (0, 1, 2, 3)
    specials = {f"{ours}.kernel": Special(f"{theirs}_f", *_turns(shape, axes))}
    if network_config.use_bias:
        specials[f"{ours}.bias"] = Special(f"{theirs}_b", np.ravel, lambda bias: bias[None])
    return specials


def _turns(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[Turn, Turn]:
    """From MATLAB's array, which lacks trailing axes of length 1, and to it."""
    theirs = tuple(shape[axis] for axis in axes)

    def to_matlab(kernel: np.ndarray) -> np.ndarray:
        kernel = kernel.transpose(axes)
        while kernel.ndim > 2 and kernel.shape[-1] == 1:
            kernel = kernel[..., 0]
        return kernel

    return lambda filters: filters.reshape(theirs).transpose(axes), to_matlab
