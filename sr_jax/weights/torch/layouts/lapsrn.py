"""LapSRN's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def lapsrn(network_config: Any, scale: int) -> dict[str, Layout]:
    """After `conv_input`, level 1 has `convt_F1`, `convt_I1`, `convt_R1`, and so on. The public network is for x4."""
    modules = {"input": "conv_input"}
    for level in range(scale.bit_length() - 1):
        block = f"convt_F{level + 1}.0.cov_block"
        modules |= {f"features.{level}.convs.{i}": f"{block}.{2 * i}" for i in range(network_config.depth)}
        modules |= {
            f"features.{level}.enlargement": f"{block}.{2 * network_config.depth}",
            f"enlargements.{level}": f"convt_I{level + 1}",
            f"residuals.{level}": f"convt_R{level + 1}",
        }
    return {"twtygqyy/pytorch-LapSRN": Layout(modules)}
