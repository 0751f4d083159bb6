"""LapSRN's layouts."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def lapsrn(network: Any, scale: int) -> dict[str, Layout]:
    """`conv_input`, and for each level `convt_F1`, `convt_I1`, `convt_R1`. The public network is that of x4."""
    modules = {"input": "conv_input"}
    for level in range(scale.bit_length() - 1):
        block = f"convt_F{level + 1}.0.cov_block"
        modules |= {f"features.{level}.convs.{i}": f"{block}.{2 * i}" for i in range(network.depth)}
        modules |= {
            f"features.{level}.enlargement": f"{block}.{2 * network.depth}",
            f"enlargements.{level}": f"convt_I{level + 1}",
            f"residuals.{level}": f"convt_R{level + 1}",
        }
    return {"twtygqyy/pytorch-LapSRN": Layout(modules)}
