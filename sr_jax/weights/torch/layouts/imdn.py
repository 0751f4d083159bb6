"""IMDN's layout."""

from typing import Any

from sr_jax.weights.torch.mapping import Layout


def imdn(network_config: Any, scale: int) -> dict[str, Layout]:
    """The authors' names: `fea_conv`, `IMDB1`, `IMDB2`, ..., `c`, `LR_conv`, `upsampler`."""
    del scale
    modules = {"first": "fea_conv", "fusion": "c.0", "lr_conv": "LR_conv", "upsampler.conv": "upsampler.0"}
    block = {
        **{f"convs.{i}": f"c{i + 1}" for i in range(3)},
        "last_conv": "c4",
        "fusion": "c5",
        "attention.squeeze": "cca.conv_du.0",
        "attention.excite": "cca.conv_du.2",
    }
    for i in range(network_config.blocks):
        modules |= {f"blocks.{i}.{ours}": f"IMDB{i + 1}.{theirs}" for ours, theirs in block.items()}
    return {"Zheng222/IMDN": Layout(modules)}
